//! The dispatcher: requests wait here until a pod has room for them, and whoever has been served least goes next.
//!
//! It owns a [`FairQueue`](vtc_core::FairQueue) per *pool*, the pods that serve one model, and knows how much each pod has
//! room for. Whoever has a request [asks](DispatcherHandle::acquire) for a [`Permit`]: a place on a pod and a ticket.
//!
//! # Drawbacks first
//!
//! - **One actor decides**, on one thread; `cargo bench -p vtc-bench --bench actor -- dispatcher` shows what a request costs it.
//!   Pools that share no pods may have a dispatcher each.
//! - **It knows what it is told.** A pod without a capacity takes everything, and then nobody ever waits here: requests wait
//!   in the pod, in the pod's order. Whoever sends to the same pods past the dispatcher is not counted.
//! - **A large request at the head holds up all** until it fits. To pass it over would let small ones keep it waiting
//!   without end. Where a pod serves several pools, they take turns, and it holds up the others there as well.
//! - **Each pool counts for itself.** Whoever asks for several models has a share of each, also where one pod serves them.
//! - **Counters follow tokens as they flow**, but at most [`meter_age`](DispatcherConfig::meter_age) late.
//!
//! # The way of a request
//!
//! ```text
//! acquire -> the pool's queue -> a pod has room -> Permit -> progress ... -> settle | close | void | drop
//!               |  full: Refusal     |                          the ticket ends at once; the dispatcher is told,
//!               |  too long: Refusal |                          corrects the counter, gives the place to the next
//!               +- caller leaves: out of the queue
//! ```
//!
//! On an idle fleet the message that brings a request dispatches it.
//!
//! # Each exactly once
//!
//! A request is refused, cancelled, expired or dispatched, and a dispatched one ends, exactly once, because the actor alone
//! moves it and a request is in one place: in the queue, among those that run, or nowhere.
//!
//! - **Asking against leaving.** A caller who leaves sends a `Cancel` behind its request, through the same mailbox, so the
//!   request comes first. If it waits, it leaves the queue. If it was refused or has expired, nothing of it is there.
//! - **Dispatching against leaving.** The permit travels through a channel of its own. If the caller has left, it comes
//!   back or is dropped with the channel; until somebody has taken it, a permit that is dropped *voids* itself: nobody
//!   is charged. The caller's `Cancel` finds nothing that waits.
//! - **Ending.** An ending consumes the permit, so there is no second one; dropping it is one, also in a panic. The ticket
//!   ends on that thread. The message to the actor is never shed; it names the running request by its place and its id,
//!   so one that came twice would find nothing.
//! - **Progress.** The permit raises a [`Meter`](vtc_core::Meter), the actor reads it, each token once; before an ending
//!   is booked it is read for the last time, and the mailbox orders the two.
//! - **The actor stops.** Whoever waits gets [`HandleError::Stopped`](crate::HandleError::Stopped); permits keep their
//!   tickets, which end as ever.
//!
//! # How to use it
//!
//! ```
//! use std::sync::Arc;
//!
//! use vtc_actor::{Acquire, Capacity, DispatcherConfig, DispatcherHandle, PoolPod};
//! use vtc_core::{Pod, Router, Usage, VtcConfig};
//!
//! # actix::System::new().block_on(async {
//! let router = Arc::new(Router::new(VtcConfig::default())?);
//! let dispatcher = DispatcherHandle::start(router, DispatcherConfig::with_discipline("vtc-fair"))?;
//! let pods = ["a", "b"].map(|name| PoolPod::new(Pod::new(name), Capacity::of_requests(32)));
//! dispatcher.set_pool("llama", pods).await?;
//!
//! // 10 tokens in, probably 15 out.
//! let permit = dispatcher.acquire(Acquire::new("llama", "alice", 10, 15)).await??;
//! println!("send it to {}, it waited {:?}", permit.pod().name(), permit.grant().waited);
//! permit.progress(10, 5);
//! permit.settle(Usage::new(12, 100));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alarm;
mod capacity;
mod config;
mod drain_rate;
mod elsewhere;
mod exchange;
mod fairness;
mod fleet;
mod handle;
mod handlers;
mod messages;
mod news;
mod permit;
mod placing;
mod pool;
mod refusal;
mod running;
mod snapshot;
mod turns;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use actix::{AsyncContext, Context};
use vtc_core::{Clock, CoarseClock, ConfigError, Router, Tick};

pub use self::capacity::{Capacity, PodReport};
pub use self::config::{DispatcherConfig, MakeCost, MakePredictor};
pub use self::fleet::PoolPod;
pub use self::handle::DispatcherHandle;
pub use self::messages::{Acquire, ForgetPool, GetQueues, ReportPod, SetLimits, SetPool};
pub use self::news::{Export, Heard, Import, News, PodNews, PoolNews};
pub use self::permit::{Grant, NoOtherPod, Permit};
pub use self::refusal::Refusal;
pub use self::snapshot::{DispatcherSnapshot, Outcomes, PodStanding, PoolSnapshot, UserStanding};

use self::alarm::Alarm;
use self::exchange::Exchange;
use self::fleet::Fleet;
use self::pool::Pool;

/// Owns the queues, and hands out permits. See the [module](self) for how.
///
/// It lives as long as an address of it does: a [`DispatcherHandle`] holds one, and so does each [`Permit`]. The requests
/// that wait when it stops get [`HandleError::Stopped`](crate::HandleError::Stopped).
pub struct DispatcherActor<C: Clock = CoarseClock> {
    router: Arc<Router<C>>,
    config: DispatcherConfig,
    /// By number, in the order in which they were first named. A number is used once, so that whoever holds one of a pool
    /// that was forgotten finds nothing.
    pools: BTreeMap<usize, Pool<C>>,
    /// How many pools there ever were.
    numbers: usize,
    by_name: HashMap<Arc<str>, usize>,
    fleet: Fleet,
    /// How many turns the pools have had.
    turns: u64,
    alarm: Option<Alarm>,
    exchange: Exchange,
}

// === impl DispatcherActor ===

impl<C: Clock> DispatcherActor<C> {
    /// A dispatcher for that router, without pools yet, to be started by one of the functions of [`actix::Actor`].
    ///
    /// # Errors
    /// The first setting that is not allowed.
    pub fn new(router: Arc<Router<C>>, config: DispatcherConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        // Whatever would be wrong with a pool's queue is wrong now.
        config.queue::<()>(router.tracker().config().weights)?;
        Ok(Self {
            router,
            config,
            pools: BTreeMap::new(),
            numbers: 0,
            by_name: HashMap::new(),
            fleet: Fleet::default(),
            turns: 0,
            alarm: None,
            exchange: Exchange::default(),
        })
    }

    /// The router that permits' tickets are of.
    #[must_use]
    pub fn router(&self) -> &Arc<Router<C>> {
        &self.router
    }

    fn now(&self) -> Tick {
        self.router.tracker().clock().now()
    }

    /// Sets the alarm for the earliest deadline of a pool, if it is not set for an earlier one. One that comes too early
    /// finds nothing to do and sets the next; that is less work than to move it with each request.
    fn set_alarm(&mut self, pool: usize, now: Tick, ctx: &Context<Self>) {
        let Some(at) = self.pools.get(&pool).and_then(|pool| pool.queue.next_deadline()) else { return };
        if self.alarm.as_ref().is_none_or(|alarm| alarm.at > at) {
            self.alarm = Some(Alarm::set(at, now, ctx.address().downgrade()));
        }
    }

    /// Answers those of a pool who have waited too long. Whoever stood behind them may go: the pools to dispatch from.
    fn expire(&mut self, pool: usize, now: Tick) -> Vec<usize> {
        if !self.pools.get_mut(&pool).is_some_and(|pool| pool.expire(now)) {
            return Vec::new();
        }
        let mut pools = self.behind(pool);
        pools.push(pool);
        self.forget_if_done(pool);
        pools
    }

    /// Forgets a pool that is to be forgotten, once nothing waits or runs there.
    fn forget_if_done(&mut self, pool: usize) {
        if self.pools.get(&pool).is_some_and(Pool::is_done)
            && let Some(pool) = self.pools.remove(&pool)
        {
            self.by_name.remove(&pool.name);
            self.exchange.forgot(&pool.name);
        }
    }
}

impl<C: Clock> fmt::Debug for DispatcherActor<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatcherActor")
            .field("config", &self.config)
            .field("pools", &self.by_name)
            .finish_non_exhaustive()
    }
}
