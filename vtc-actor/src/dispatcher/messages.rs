//! What is sent to a dispatcher. The messages of an app are public; those of a handle and of a permit are not.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::Message;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use vtc_core::queue::{QueueLimits, RequestId, Weight};
use vtc_core::{Clock, Pod, Tick};

use super::capacity::PodReport;
use super::fleet::PoolPod;
use super::permit::{Ending, Permit, RunningKey};
use super::refusal::Refusal;
use super::snapshot::DispatcherSnapshot;

/// A request that wants a permit: what [`DispatcherHandle::acquire`](super::DispatcherHandle::acquire) is given.
#[derive(Clone, Debug)]
pub struct Acquire {
    /// The pool: the pods that can serve it.
    pub pool: Arc<str>,
    /// Who is charged. `None`: the request names nobody. All of those are one user to the queue.
    pub user: Option<Arc<str>>,
    /// The user's weight.
    pub weight: Weight,
    /// How many tokens the pod will read.
    pub input_tokens: u64,
    /// How many tokens the pod will write, probably: what the ticket reserves and, if the discipline predicts nothing,
    /// what the request holds on the pod.
    pub output_tokens: u64,
    /// The most tokens that the pod may write, if the request says so.
    pub max_output: Option<u64>,
    /// Its size, which counts against the queue's limit.
    pub bytes: u64,
    /// How long it may wait; `None`: as long as is [configured](super::DispatcherConfig::longest_wait). With zero it goes
    /// at once or not at all.
    pub longest_wait: Option<Duration>,
    /// The name of the policy that chooses the pod; `None`: the configured one.
    pub policy: Option<Cow<'static, str>>,
    /// Whether [`Grant::ahead`](super::Grant::ahead) is to be told, which costs O(users ahead).
    pub explain: bool,
}

/// Put these pods in force for a pool, instead of those before; the pool need not be known. To be sent whenever the app
/// has looked at its pods, changed or not: it clears those who are listed of suspicion.
///
/// A pod that is not listed any more gets nothing new, and what runs there runs on. Requests that wait for a pool without
/// pods go on waiting, until pods come or they expire; new ones are refused.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct SetPool {
    /// The pool's name. A pool is kept until it is [forgotten](ForgetPool), with pods or without: let the app choose the
    /// names and not its clients.
    pub pool: Arc<str>,
    /// Its pods; the order does not matter, and of several with one name the first counts.
    pub pods: Vec<PoolPod>,
}

/// Nobody will ask for that pool any more: it has no pods from now on, and what its users were served and what became of its
/// requests is forgotten once nothing waits or runs there. A [`SetPool`] that comes before keeps it.
///
/// A pool whose pods are only away for a while is better given no pods: what its users were served counts when they are back.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ForgetPool(pub Arc<str>);

/// Put these limits in force for all queues, but for that on users: see [`FairQueue::set_limits`](vtc_core::FairQueue::set_limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct SetLimits(pub QueueLimits);

/// What a pod says of itself. It holds until the next report: whoever cannot ask a pod any more should say so with an empty
/// one.
#[derive(Clone, Debug, PartialEq, Message)]
#[rtype(result = "()")]
pub struct ReportPod {
    /// The pod's name.
    pub pod: Arc<str>,
    /// What it says.
    pub report: PodReport,
}

/// How do the queues stand? O(users), and holds the dispatcher meanwhile: some milliseconds with tens of thousands. For
/// a dashboard, not for every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "DispatcherSnapshot")]
pub struct GetQueues {
    /// How many users of each pool are told of.
    pub top: usize,
}

/// A request comes to the queue.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Enqueue<C: Clock> {
    pub(super) waiter: Waiter<C>,
    /// Its place among the messages on their way. Given back when the message leaves the mailbox.
    pub(super) place: OwnedSemaphorePermit,
}

/// A request as it waits.
pub(super) struct Waiter<C: Clock> {
    pub(super) request: Acquire,
    /// When it was asked for.
    pub(super) asked: Tick,
    pub(super) reply: oneshot::Sender<Result<Permit<C>, Refusal>>,
    /// Where it waits, once it does: for whoever asked, to cancel it.
    pub(super) spot: Arc<OnceLock<Spot>>,
}

/// Where a request waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) pool: usize,
    pub(super) id: RequestId,
    /// How many users were to go before its user when it came, if that was asked for.
    pub(super) ahead: Option<usize>,
}

/// Whoever asked has left.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Cancel(pub(super) Arc<OnceLock<Spot>>);

/// A permit has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Ended {
    pub(super) key: RunningKey,
    pub(super) ending: Ending,
}

/// A request has to leave its pod: for which other?
#[derive(Message)]
#[rtype(result = "Option<Arc<Pod>>")]
pub(super) struct Move {
    pub(super) key: RunningKey,
    pub(super) avoid: Vec<Box<str>>,
}

// === impl Acquire ===

impl Acquire {
    /// A request of that user to that pool.
    #[must_use]
    pub fn new(
        pool: impl Into<Arc<str>>,
        user: impl Into<Arc<str>>,
        input_tokens: u64,
        output_tokens: u64,
    ) -> Self {
        Self { user: Some(user.into()), ..Self::anonymous(pool, input_tokens, output_tokens) }
    }

    /// A request that names nobody.
    #[must_use]
    pub fn anonymous(pool: impl Into<Arc<str>>, input_tokens: u64, output_tokens: u64) -> Self {
        Self {
            pool: pool.into(),
            user: None,
            weight: Weight::ONE,
            input_tokens,
            output_tokens,
            max_output: None,
            bytes: 0,
            longest_wait: None,
            policy: None,
            explain: false,
        }
    }

    /// The same of a user with that weight.
    #[must_use]
    pub fn weighing(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }

    /// The same, for which the policy of that name chooses.
    #[must_use]
    pub fn by(self, policy: impl Into<Cow<'static, str>>) -> Self {
        Self { policy: Some(policy.into()), ..self }
    }

    /// The same, which waits no longer than that.
    #[must_use]
    pub fn within(self, longest_wait: Duration) -> Self {
        Self { longest_wait: Some(longest_wait), ..self }
    }
}

// === impl SetPool ===

impl SetPool {
    /// These pods for that pool.
    #[must_use]
    pub fn new(pool: impl Into<Arc<str>>, pods: impl IntoIterator<Item = PoolPod>) -> Self {
        Self { pool: pool.into(), pods: pods.into_iter().collect() }
    }
}

// === impl ReportPod ===

impl ReportPod {
    /// What the pod of that name says.
    #[must_use]
    pub fn new(pod: impl Into<Arc<str>>, report: PodReport) -> Self {
        Self { pod: pod.into(), report }
    }
}
