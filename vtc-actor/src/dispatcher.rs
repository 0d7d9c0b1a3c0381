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
//!   without end.
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

mod capacity;
mod config;
mod drain_rate;
mod fairness;
mod fleet;
mod handle;
mod handlers;
mod messages;
mod permit;
mod pool;
mod refusal;
mod snapshot;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, SpawnHandle};
use vtc_core::{Clock, CoarseClock, ConfigError, Router, Tick};

pub use self::capacity::{Capacity, PodReport};
pub use self::config::{DispatcherConfig, MakeCost, MakePredictor};
pub use self::fairness::jain_index;
pub use self::fleet::PoolPod;
pub use self::handle::DispatcherHandle;
pub use self::messages::{Acquire, GetQueues, ReportPod, SetPool};
pub use self::permit::{Grant, NoOtherPod, Permit};
pub use self::refusal::Refusal;
pub use self::snapshot::{DispatcherSnapshot, Outcomes, PodStanding, PoolSnapshot, UserStanding};

use self::fleet::Fleet;
use self::pool::{Desk, Pool};

/// Owns the queues, and hands out permits. See the [module](self) for how.
///
/// It lives as long as an address of it does: a [`DispatcherHandle`] holds one, and so does each [`Permit`]. The requests
/// that wait when it stops get [`HandleError::Stopped`](crate::HandleError::Stopped).
pub struct DispatcherActor<C: Clock = CoarseClock> {
    router: Arc<Router<C>>,
    config: DispatcherConfig,
    pools: Vec<Pool<C>>,
    by_name: HashMap<Arc<str>, usize>,
    fleet: Fleet,
    /// The pool that is asked first when room comes free. Another each time, as pods may be in several.
    turn: usize,
    alarm: Option<Alarm>,
}

/// The one timer, for the earliest deadline.
#[derive(Debug)]
struct Alarm {
    at: Tick,
    handle: SpawnHandle,
}

/// The step of the runtime's timers: a shorter wait would be rounded up to it anyway.
const TIMER_STEP: Duration = Duration::from_millis(1);

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
            pools: Vec::new(),
            by_name: HashMap::new(),
            fleet: Fleet::default(),
            turn: 0,
            alarm: None,
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

    /// Dispatches from one pool for as long as its head has room.
    fn dispatch_from(&mut self, pool: usize, now: Tick, ctx: &mut Context<Self>) {
        let actor = || ctx.address();
        let Some(pool) = self.pools.get_mut(pool) else { return };
        pool.read_meters(now, self.config.meter_age, &mut self.fleet);
        let mut desk = Desk { router: &self.router, fleet: &mut self.fleet, actor: &actor, now };
        while pool.dispatch(&mut desk) {}
        pool.drain.note(now, pool.queue.waiting() > 0);
    }

    /// Room may have come free anywhere: dispatches from all pools, one request of each in turn, for as long as somebody
    /// goes.
    fn room_came_free(&mut self, now: Tick, ctx: &mut Context<Self>) {
        let actor = || ctx.address();
        for pool in &mut self.pools {
            if pool.queue.waiting() > 0 {
                pool.read_meters(now, self.config.meter_age, &mut self.fleet);
            }
        }
        let mut desk = Desk { router: &self.router, fleet: &mut self.fleet, actor: &actor, now };
        self.turn = if self.turn + 1 < self.pools.len() { self.turn + 1 } else { 0 };
        let (later, first) = self.pools.split_at_mut(self.turn);
        let mut somebody_went = true;
        while somebody_went {
            somebody_went = false;
            for pool in first.iter_mut().chain(later.iter_mut()) {
                if pool.queue.waiting() > 0 {
                    somebody_went |= pool.dispatch(&mut desk);
                }
            }
        }
        for pool in &mut self.pools {
            pool.drain.note(now, pool.queue.waiting() > 0);
        }
    }

    /// Sets the timer for the earliest deadline. One that comes too early finds nothing to do and sets the next; that is
    /// less work than to move it with each request.
    fn set_alarm(&mut self, now: Tick, ctx: &mut Context<Self>) {
        let next = self.pools.iter().filter_map(|pool| pool.queue.next_deadline()).min();
        if let (Some(alarm), Some(next)) = (&self.alarm, next)
            && alarm.at <= next
        {
            return;
        }
        if let Some(Alarm { handle, .. }) = self.alarm.take() {
            ctx.cancel_future(handle);
        }
        if let Some(at) = next {
            let wait = at.since(now).max(TIMER_STEP);
            let handle = ctx.run_later(wait, Self::ring);
            self.alarm = Some(Alarm { at, handle });
        }
    }

    /// The earliest deadline has come, or its time has been taken by another.
    fn ring(&mut self, ctx: &mut Context<Self>) {
        self.alarm = None;
        let now = self.now();
        for pool in 0..self.pools.len() {
            self.expire(pool, now, ctx);
        }
        self.set_alarm(now, ctx);
    }

    /// Answers those of a pool who have waited too long. Whoever stood behind them may go.
    fn expire(&mut self, pool: usize, now: Tick, ctx: &mut Context<Self>) {
        if self.pools.get_mut(pool).is_some_and(|pool| pool.expire(now)) {
            self.dispatch_from(pool, now, ctx);
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
