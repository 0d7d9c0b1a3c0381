//! The way to the actor: bounded, timed, cheap to clone.

mod config;
mod envelope;

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use actix::{Actor, Addr, ArbiterHandle};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use vtc_core::{Clock, CoarseClock, ConfigError, Extremes, Router, Ticket, UpdateError};

pub use self::config::HandleConfig;
use self::envelope::Envelope;
use crate::error::{HandleError, RouteRefusal};
use crate::messages::{GetExtremes, GetTokenCount, Request, Route, SetPods, Update};
use crate::tracker_actor::TrackerActor;

/// What a handle answers: the reply of the router, or why there is none.
pub type Answer<T> = Result<T, HandleError>;

/// Sends requests to a [`TrackerActor`] and waits for the answers. Clones share one bound.
///
/// Each method does nothing until its future is polled. From the first poll on the request is in the
/// mailbox, or was shed. A future that is dropped takes its request back if the actor has not
/// come to it; an [`Update`] stays.
pub struct TrackerHandle<C: Clock = CoarseClock>(Arc<Shared<C>>);

struct Shared<C: Clock> {
    actor: Addr<TrackerActor<C>>,
    router: Arc<Router<C>>,
    places: Arc<Semaphore>,
    config: HandleConfig,
}

// === impl TrackerHandle ===

impl<C: Clock> TrackerHandle<C> {
    /// Starts an actor for that router, on the current arbiter.
    ///
    /// # Errors
    /// The first setting that is not allowed; nothing was started then.
    ///
    /// # Panics
    /// Outside of an actix system.
    pub fn start(router: Arc<Router<C>>, config: HandleConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        let actor = TrackerActor::new(Arc::clone(&router)).start();
        Ok(Self::attach(actor, router, config))
    }

    /// Starts an actor for that router, on that arbiter: with one of its own the upkeep of very many users
    /// holds nobody up but other messages.
    ///
    /// # Errors
    /// The first setting that is not allowed; nothing was started then.
    pub fn start_in(
        arbiter: &ArbiterHandle,
        router: Arc<Router<C>>,
        config: HandleConfig,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let served = Arc::clone(&router);
        let actor = TrackerActor::start_in_arbiter(arbiter, move |_| TrackerActor::new(served));
        Ok(Self::attach(actor, router, config))
    }

    /// A handle, with a bound of its own, to an actor that runs already and serves that router.
    ///
    /// # Errors
    /// The first setting that is not allowed.
    pub fn from_addr(
        actor: Addr<TrackerActor<C>>,
        router: Arc<Router<C>>,
        config: HandleConfig,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self::attach(actor, router, config))
    }

    /// The router itself: the direct way, without a message. It may be called from every thread, whatever the
    /// actor does meanwhile.
    #[must_use]
    pub fn router(&self) -> &Arc<Router<C>> {
        &self.0.router
    }

    /// The address of the actor: for messages without this handle's bound and timeout.
    #[must_use]
    pub fn addr(&self) -> &Addr<TrackerActor<C>> {
        &self.0.actor
    }

    /// How many requests hold a place now: at most [`HandleConfig::max_in_flight`].
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.config.max_in_flight - self.0.places.available_permits()
    }

    /// Chooses a pod and charges the estimate: see [`Route`].
    ///
    /// # Errors
    /// Outside: there is no answer. Inside: the router refuses. In both cases no place on a pod is taken.
    pub async fn route(&self, request: Route<C>) -> Answer<Result<Ticket<C>, RouteRefusal>> {
        self.send(request).await
    }

    /// Charges so many tokens to a user. Never shed, and made even if this future is dropped after its first
    /// poll: see [`Update`].
    ///
    /// # Errors
    /// Outside: there is no answer; after [`HandleError::Timeout`] the charge is still made, so do not repeat
    /// it. Inside: the charge is refused and nothing was changed.
    pub async fn update(
        &self,
        user: impl Into<Arc<str>>,
        input_tokens: f64,
        output_tokens: f64,
    ) -> Answer<Result<(), UpdateError>> {
        self.send(Update::new(user, input_tokens, output_tokens)).await
    }

    /// How many weighted tokens that user has in the window; 0 for an unknown one.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn token_count(&self, user: impl Into<Arc<str>>) -> Answer<f64> {
        self.send(GetTokenCount::new(user)).await
    }

    /// The least and the most that any user has.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn extremes(&self) -> Answer<Extremes> {
        self.send(GetExtremes).await
    }

    /// Puts the pods of these names in force, instead of those before.
    ///
    /// # Errors
    /// There is no answer; to repeat it does no harm.
    pub async fn set_pods<N: Into<String>>(&self, names: impl IntoIterator<Item = N>) -> Answer<()> {
        self.send(SetPods::new(names)).await
    }

    /// Sends any request; [`Batch`](crate::Batch)es and those of the app too.
    ///
    /// # Errors
    /// There is no answer: the bound is reached, the actor took too long, or it has stopped.
    pub async fn send<M: Request<C>>(&self, request: M) -> Answer<M::Result> {
        let place = if M::SETTLES { None } else { Some(self.take_place()?) };
        let (envelope, mut reply) = Envelope::seal(request, place);
        // Not `Addr::send`: it would forget the message of a caller who leaves, a settling one too, and its
        // own bound lets everything pass. The bound is the place, so this may enqueue at once.
        self.0.actor.do_send(envelope);
        // An actor on this thread has answered by the second look. A timer would cost up to half as much
        // as the trip, so it is set only for those who must wait longer.
        let_others_run().await;
        let reply = match reply.try_recv() {
            Err(TryRecvError::Empty) => match timeout(self.0.config.timeout, reply).await {
                Ok(late) => late.ok(),
                Err(_) => return Err(HandleError::Timeout),
            },
            early => early.ok(),
        };
        // The actor drops unserved what it still has when it stops.
        reply.ok_or(HandleError::Stopped)
    }

    /// For a configuration that has been checked.
    fn attach(actor: Addr<TrackerActor<C>>, router: Arc<Router<C>>, config: HandleConfig) -> Self {
        let places = Arc::new(Semaphore::new(config.max_in_flight));
        Self(Arc::new(Shared { actor, router, places, config }))
    }

    fn take_place(&self) -> Answer<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.0.places).try_acquire_owned();
        place.map_err(|_| HandleError::Overloaded { retry_after: self.0.config.timeout })
    }
}

/// Comes back after the tasks of this thread that are ready now. (Tokio's `yield_now` looks for I/O before
/// that, which costs more than the trip to the actor.)
async fn let_others_run() {
    let mut has_let = false;
    poll_fn(|cx| {
        if has_let {
            return Poll::Ready(());
        }
        has_let = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<C: Clock> Clone for TrackerHandle<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Clock> fmt::Debug for TrackerHandle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackerHandle")
            .field("config", &self.0.config)
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
