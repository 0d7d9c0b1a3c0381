//! When does a request go: at once, or when a pod has room and nobody comes before its user.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::Arbiter;
use vtc_actor::dispatcher::{DispatcherSnapshot, PodReport};
use vtc_actor::{Acquire, DispatcherHandle, Refusal};
use vtc_core::queue::Weight;
use vtc_core::{Clock, ConfigError, PodTable, Policy, RouteRequest, Router};

use crate::error::GatewayError;
use crate::estimate::{Estimate, Lengths, Lesson};
use crate::fleet::{ANY_MODEL, Fleet, Service};
use crate::metrics;
use crate::pass::Pass;
use crate::settings::{self, OutputSetting};

/// The one way in. Without a queue each request goes to a pod at once, and waits there if it must.
pub struct Admission {
    router: Arc<Router>,
    queue: Option<Queue>,
    /// How long answers were of late, if that is to be learned here and not by a queue.
    lengths: Option<Arc<Lengths>>,
}

struct Queue {
    dispatcher: DispatcherHandle,
    /// The dispatcher's thread, where nothing else holds it up.
    thread: Arbiter,
}

/// A request that wants to go.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// The pods that can serve it.
    pub(crate) service: Service<'a>,
    /// What chooses one of them.
    pub(crate) policy: &'a dyn Policy,
    /// The account it is charged to.
    pub(crate) user: &'a str,
    /// That account's share.
    pub(crate) weight: Weight,
    /// What it will probably cost.
    pub(crate) estimate: Estimate,
    /// How long its body is, which is kept while it waits.
    pub(crate) bytes: usize,
    /// How long it may wait; `None`: as long as was said at the start.
    pub(crate) longest_wait: Option<Duration>,
    /// Whether somebody wants to know how it went.
    pub(crate) explain: bool,
}

// === impl Admission ===

impl Admission {
    /// Starts it. Needs a running actix system.
    ///
    /// # Errors
    /// The first setting of the queue that is not allowed.
    pub fn start(
        router: Arc<Router>,
        queue: Option<settings::Queue>,
        output: OutputSetting,
    ) -> Result<Self, ConfigError> {
        let start = |settings::Queue { dispatcher, .. }| {
            let thread = Arbiter::new();
            let dispatcher = DispatcherHandle::start_in(&thread.handle(), Arc::clone(&router), dispatcher)?;
            Ok(Queue { dispatcher, thread })
        };
        let queue = queue.map(start).transpose()?;
        let lengths = (output == OutputSetting::Learned).then(Arc::default);
        Ok(Self { router, queue, lengths })
    }

    /// The owner of the queue, if there is one.
    #[must_use]
    pub fn dispatcher(&self) -> Option<&DispatcherHandle> {
        self.queue.as_ref().map(|queue| &queue.dispatcher)
    }

    /// Waits for the request's turn. Whoever drops this future leaves the queue at once.
    ///
    /// # Errors
    /// There is no pod, the queue is full, or the request has waited too long. Nobody was charged.
    pub(crate) async fn admit(&self, candidate: &Candidate<'_>) -> Result<Pass, GatewayError> {
        let Candidate { service, policy, user, estimate, .. } = *candidate;
        let Some(queue) = &self.queue else {
            let lesson = self.lengths.as_ref();
            let lesson = lesson.and_then(|lengths| Lesson::of(lengths, service.name(), user, &estimate));
            let learned = lesson.as_ref().and_then(Lesson::guess);
            let request = RouteRequest {
                user: Some(user),
                input_tokens: estimate.input_tokens,
                output_tokens: learned.unwrap_or(estimate.output_tokens),
            };
            if let Some(probe) = service.claim() {
                let pod = PodTable::new([Arc::clone(probe.pod())]);
                let ticket = self.router.route_among(&pod, policy, &request)?;
                return Ok(Pass::open(ticket, pod, service.pods(), Some(probe)).teaching(lesson));
            }
            let seen = service.seen(self.router.tracker().clock().now(), fastrand::f64);
            let ticket = self.router.route_among(&seen, policy, &request)?;
            return Ok(Pass::open(ticket, seen, service.pods(), None).teaching(lesson));
        };
        let permit = match queue.dispatcher.acquire(Queue::acquire(candidate)).await? {
            Ok(permit) => permit,
            Err(refusal) => {
                if let Refusal::Expired { waited, .. } = &refusal {
                    metrics::queue_wait(service.name(), *waited);
                }
                return Err(refusal.into());
            }
        };
        metrics::queue_wait(service.name(), permit.grant().waited);
        Ok(Pass::queued(permit))
    }

    /// Takes a request to another pod, after its own failed before it answered. Says whether there is one that it
    /// has not been to. Its user is charged once.
    pub(crate) async fn move_on(&self, pass: &mut Pass, candidate: &Candidate<'_>) -> bool {
        let choose =
            |untried: &_| self.router.choose(untried, candidate.policy, Some(candidate.user)).cloned();
        pass.move_on(choose).await
    }

    /// Has the queue know the pods of `now`. To be called whenever the pods were asked, changed or not; `before` is
    /// the fleet of the last time.
    pub(crate) async fn follow(&self, before: &Fleet, now: &Fleet) {
        let Some(Queue { dispatcher, .. }) = &self.queue else { return };
        let time = self.router.tracker().clock().now();
        let names: HashSet<_> = now.pools().map(|is| is.name()).collect();
        // What is not done of this is not needed any more: the dispatcher ends with the gateway.
        for was in before.pools().filter(|was| !names.contains(was.name())) {
            let pool = Arc::clone(was.name());
            // Of a model a pod that is away says that it is known still; nobody says it of those that list none.
            let _ = if &*pool == ANY_MODEL {
                dispatcher.set_pool(pool, []).await
            } else {
                dispatcher.forget_pool(pool).await
            };
        }
        for is in now.pools() {
            let _ = dispatcher.set_pool(Arc::clone(is.name()), is.queue_pods(now, time)).await;
        }
    }

    /// Puts the limits of these settings of the queue in force, if there is one.
    pub(crate) async fn set_limits(&self, settings: Option<&settings::Queue>) {
        if let (Some(Queue { dispatcher, .. }), Some(settings)) = (&self.queue, settings) {
            // It ends with the gateway.
            let _ = dispatcher.set_limits(settings.dispatcher.limits).await;
        }
    }

    /// Has the queue know what a pod says of itself.
    pub(crate) async fn report(&self, pod: &str, report: PodReport) {
        if let Some(Queue { dispatcher, .. }) = &self.queue {
            // It ends with the gateway.
            let _ = dispatcher.report_pod(pod, report).await;
        }
    }

    /// How the queue stands, with at most so many users of each model; nothing if there is none.
    pub(crate) async fn snapshot(&self, users: usize) -> Option<DispatcherSnapshot> {
        let Queue { dispatcher, .. } = self.queue.as_ref()?;
        dispatcher.queues(users).await.ok()
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dispatcher = self.queue.as_ref().map(|queue| &queue.dispatcher);
        f.debug_struct("Admission").field("dispatcher", &dispatcher).finish_non_exhaustive()
    }
}

// === impl Queue ===

impl Queue {
    fn acquire(candidate: &Candidate<'_>) -> Acquire {
        let Candidate { service, policy, user, weight, estimate, bytes, longest_wait, explain } = candidate;
        Acquire {
            pool: Arc::clone(service.name()),
            user: Some((*user).into()),
            weight: *weight,
            // The casts saturate.
            input_tokens: estimate.input_tokens.ceil() as u64,
            output_tokens: estimate.output_tokens.ceil() as u64,
            max_output: estimate.most_output.map(|most| most.ceil() as u64),
            bytes: *bytes as u64,
            longest_wait: *longest_wait,
            policy: Some(policy.name().into()),
            explain: *explain,
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.thread.stop();
    }
}
