//! The way to a dispatcher: cheap to clone, good on every thread.

use std::fmt;
use std::sync::{Arc, OnceLock};

use actix::{Actor, Addr, ArbiterHandle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use vtc_core::queue::QueueLimits;
use vtc_core::{Clock, CoarseClock, ConfigError, Router};

use super::DispatcherActor;
use super::capacity::PodReport;
use super::config::DispatcherConfig;
use super::drain_rate::SOONEST;
use super::fleet::PoolPod;
use super::messages::{
    Acquire, Cancel, Enqueue, ForgetPool, GetQueues, ReportPod, SetLimits, SetPool, Spot, Waiter,
};
use super::permit::Permit;
use super::refusal::Refusal;
use super::snapshot::DispatcherSnapshot;
use crate::error::HandleError;
use crate::handle::Answer;

/// Asks a [`DispatcherActor`] for permits. Clones share one bound on what is on its way.
///
/// Each method does nothing until its future is polled.
pub struct DispatcherHandle<C: Clock = CoarseClock>(Arc<Shared<C>>);

struct Shared<C: Clock> {
    actor: Addr<DispatcherActor<C>>,
    router: Arc<Router<C>>,
    places: Arc<Semaphore>,
    max_in_mailbox: usize,
}

/// Whoever waits for an answer: if it leaves before it has one, the dispatcher is told.
struct Waiting<'a, C: Clock> {
    actor: &'a Addr<DispatcherActor<C>>,
    /// `None` once there is an answer.
    spot: Option<Arc<OnceLock<Spot>>>,
}

// === impl DispatcherHandle ===

impl<C: Clock> DispatcherHandle<C> {
    /// Starts a dispatcher for that router, on the current arbiter.
    ///
    /// # Errors
    /// The first setting that is not allowed; nothing was started then.
    ///
    /// # Panics
    /// Outside of an actix system.
    pub fn start(router: Arc<Router<C>>, config: DispatcherConfig) -> Result<Self, ConfigError> {
        let max_in_mailbox = config.max_in_mailbox;
        let actor = DispatcherActor::new(Arc::clone(&router), config)?.start();
        Ok(Self::attach(actor, router, max_in_mailbox))
    }

    /// Starts a dispatcher for that router, on that arbiter: with one of its own nothing else holds it up.
    ///
    /// # Errors
    /// The first setting that is not allowed; nothing was started then.
    pub fn start_in(
        arbiter: &ArbiterHandle,
        router: Arc<Router<C>>,
        config: DispatcherConfig,
    ) -> Result<Self, ConfigError> {
        let max_in_mailbox = config.max_in_mailbox;
        let dispatcher = DispatcherActor::new(Arc::clone(&router), config)?;
        let actor = DispatcherActor::start_in_arbiter(arbiter, move |_| dispatcher);
        Ok(Self::attach(actor, router, max_in_mailbox))
    }

    /// The router that permits' tickets are of.
    #[must_use]
    pub fn router(&self) -> &Arc<Router<C>> {
        &self.0.router
    }

    /// The address of the dispatcher, for its public messages.
    #[must_use]
    pub fn addr(&self) -> &Addr<DispatcherActor<C>> {
        &self.0.actor
    }

    /// How many requests are on their way to the dispatcher: at most [`DispatcherConfig::max_in_mailbox`].
    #[must_use]
    pub fn in_mailbox(&self) -> usize {
        self.0.max_in_mailbox - self.0.places.available_permits()
    }

    /// Waits until the request may go. On an idle fleet that is as soon as the dispatcher sees it.
    ///
    /// Whoever drops this future leaves the queue at once. From the moment it returns a permit, that is the caller's: to
    /// drop it then is to abandon the request.
    ///
    /// # Errors
    /// Outside: there is no answer. [`HandleError::Overloaded`] if too many requests are on their way,
    /// [`HandleError::Stopped`] if the dispatcher is gone, also while the request waits; never a timeout. Inside: the
    /// dispatcher says no, and when to come back. In both cases nobody was charged.
    pub async fn acquire(&self, request: Acquire) -> Answer<Result<Permit<C>, Refusal>> {
        let Shared { actor, router, .. } = &*self.0;
        let place = self.take_place()?;
        let (reply, answer) = oneshot::channel();
        let spot = Arc::new(OnceLock::new());
        let asked = router.tracker().clock().now();
        let waiter = Waiter { request, asked, reply, spot: Arc::clone(&spot) };
        // Not `Addr::send`: its bound lets everything pass. The bound is the place, so this may enqueue at once.
        actor.do_send(Enqueue { waiter, place });
        let mut waiting = Waiting { actor, spot: Some(spot) };
        let answer = answer.await;
        waiting.spot = None;
        // A dispatcher that stops drops all who wait, and what is in its mailbox.
        let answer = answer.map_err(|_| HandleError::Stopped)?;
        Ok(answer.map(Permit::taken))
    }

    /// Puts these pods in force for a pool: see [`SetPool`].
    ///
    /// # Errors
    /// The dispatcher has stopped.
    pub async fn set_pool(
        &self,
        pool: impl Into<Arc<str>>,
        pods: impl IntoIterator<Item = PoolPod>,
    ) -> Answer<()> {
        self.0.actor.send(SetPool::new(pool, pods)).await.map_err(|_| HandleError::Stopped)
    }

    /// Has a pool forgotten: see [`ForgetPool`].
    ///
    /// # Errors
    /// The dispatcher has stopped.
    pub async fn forget_pool(&self, pool: impl Into<Arc<str>>) -> Answer<()> {
        self.0.actor.send(ForgetPool(pool.into())).await.map_err(|_| HandleError::Stopped)
    }

    /// Puts these limits in force for all queues: see [`SetLimits`].
    ///
    /// # Errors
    /// The dispatcher has stopped.
    pub async fn set_limits(&self, limits: QueueLimits) -> Answer<()> {
        self.0.actor.send(SetLimits(limits)).await.map_err(|_| HandleError::Stopped)
    }

    /// Passes on what a pod says of itself: see [`ReportPod`].
    ///
    /// # Errors
    /// The dispatcher has stopped.
    pub async fn report_pod(&self, pod: impl Into<Arc<str>>, report: PodReport) -> Answer<()> {
        self.0.actor.send(ReportPod::new(pod, report)).await.map_err(|_| HandleError::Stopped)
    }

    /// How the queues stand, with so many users of each: see [`GetQueues`].
    ///
    /// # Errors
    /// The dispatcher has stopped.
    pub async fn queues(&self, top: usize) -> Answer<DispatcherSnapshot> {
        self.0.actor.send(GetQueues { top }).await.map_err(|_| HandleError::Stopped)
    }

    fn attach(actor: Addr<DispatcherActor<C>>, router: Arc<Router<C>>, max_in_mailbox: usize) -> Self {
        let places = Arc::new(Semaphore::new(max_in_mailbox));
        Self(Arc::new(Shared { actor, router, places, max_in_mailbox }))
    }

    fn take_place(&self) -> Answer<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.0.places).try_acquire_owned();
        place.map_err(|_| HandleError::Overloaded { retry_after: SOONEST })
    }
}

impl<C: Clock> Drop for Waiting<'_, C> {
    fn drop(&mut self) {
        if let Some(spot) = self.spot.take() {
            self.actor.do_send(Cancel(spot));
        }
    }
}

impl<C: Clock> Clone for DispatcherHandle<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Clock> fmt::Debug for DispatcherHandle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatcherHandle").field("in_mailbox", &self.in_mailbox()).finish_non_exhaustive()
    }
}
