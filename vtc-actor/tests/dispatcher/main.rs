//! The dispatcher, through its handle, in scripted time: the router's clock is the runtime's, which is paused.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]
#![expect(missing_docs, missing_debug_implementations, reason = "a test")]

mod capacity;
mod dispatching;
mod forgetting;
mod laws;
mod leaving;
mod refusing;
mod replicas;
mod retrying;
mod sharing;
mod sharing_laws;
mod threads;

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::task::yield_now;
use tokio::time::Instant;
use vtc_actor::dispatcher::{DispatcherSnapshot, PoolSnapshot};
use vtc_actor::{Acquire, Answer, Capacity, DispatcherConfig, DispatcherHandle, Permit, PoolPod, Refusal};
use vtc_core::queue::QueueLimits;
use vtc_core::{Clock, Pod, Router, Tick, Usage, VtcConfig};

pub const POOL: &str = "model";

/// The time of a runtime that is paused.
#[derive(Clone, Copy, Debug)]
pub struct PausedClock(Instant);

impl PausedClock {
    fn new() -> Self {
        // A runtime can be paused once.
        thread_local! {
            static PAUSED: Cell<Option<Id>> = const { Cell::new(None) };
        }
        let runtime = Some(Handle::current().id());
        if PAUSED.replace(runtime) != runtime {
            tokio::time::pause();
        }
        Self(Instant::now())
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Tick {
        Tick::after_origin(self.0.elapsed())
    }
}

pub type Ticking = PausedClock;
pub type Outcome = Answer<Result<Permit<Ticking>, Refusal>>;

/// A request under way, polled by hand: it goes on when the test says so, and leaves when it is dropped.
pub type Asking = Pin<Box<dyn Future<Output = Outcome>>>;

/// A dispatcher, and what it serves.
pub struct World {
    pub handle: DispatcherHandle<Ticking>,
    pub pods: Vec<Arc<Pod>>,
}

/// Exact counters: every token counts when somebody is chosen.
pub fn exact(discipline: &'static str) -> DispatcherConfig {
    DispatcherConfig { meter_age: Duration::ZERO, ..DispatcherConfig::with_discipline(discipline) }
}

pub fn limited(limits: QueueLimits) -> DispatcherConfig {
    DispatcherConfig { limits, ..exact("vtc-fair") }
}

impl World {
    /// A pool of so many pods, `pod-0` and so on, of that capacity each.
    pub async fn new(config: DispatcherConfig, pods: usize, capacity: Capacity) -> Self {
        let router = Arc::new(Router::with_clock(VtcConfig::default(), PausedClock::new()).unwrap());
        let handle = DispatcherHandle::start(router, config).unwrap();
        let pods: Vec<_> = (0..pods).map(|i| Pod::new(&format!("pod-{i}"))).collect();
        let world = Self { handle, pods };
        world.set_pods(&(0..world.pods.len()).collect::<Vec<_>>(), capacity).await;
        world
    }

    /// One pod with one place.
    pub async fn single(config: DispatcherConfig) -> Self {
        Self::new(config, 1, Capacity::of_requests(1)).await
    }

    /// The pods with these numbers are the pool.
    pub async fn set_pods(&self, which: &[usize], capacity: Capacity) {
        let pods = which.iter().map(|i| PoolPod::new(Arc::clone(&self.pods[*i]), capacity));
        self.handle.set_pool(POOL, pods).await.unwrap();
    }

    /// Asks, and lets the dispatcher see it.
    pub async fn ask(&self, request: Acquire) -> Asking {
        let asking = self.send(request);
        settle_down().await;
        asking
    }

    /// Asks; the dispatcher has not seen it.
    pub fn send(&self, request: Acquire) -> Asking {
        let handle = self.handle.clone();
        let mut asking: Asking = Box::pin(async move { handle.acquire(request).await });
        assert!(look(&mut asking).is_none(), "no answer before the dispatcher has seen it");
        asking
    }

    /// A permit that is there at once.
    pub async fn get(&self, request: Acquire) -> Permit<Ticking> {
        answer(&mut self.ask(request).await)
    }

    pub async fn snapshot(&self) -> DispatcherSnapshot {
        settle_down().await;
        self.handle.queues(10).await.unwrap()
    }

    pub async fn pool(&self) -> PoolSnapshot {
        self.snapshot().await.pools.swap_remove(0)
    }

    /// Nothing waits, runs or is held, and every request had one outcome.
    pub async fn assert_all_is_back(&self) {
        let snapshot = self.snapshot().await;
        for pool in &snapshot.pools {
            assert_eq!((pool.waiting, pool.bytes, pool.running, pool.present_users), (0, 0, 0, 0));
            assert!(!pool.has_deadlines);
            assert_balance(pool);
        }
        for pod in &snapshot.pods {
            assert_eq!((pod.running, pod.tokens), (0, 0), "on {}", pod.name);
        }
        for pod in &self.pods {
            assert_eq!(pod.in_flight(), 0, "on {}", pod.name());
        }
        assert_eq!(self.handle.in_mailbox(), 0);
    }
}

/// Each request has had exactly one of the outcomes, or is still there.
pub fn assert_balance(pool: &PoolSnapshot) {
    let outcomes = &pool.outcomes;
    let left = outcomes.dispatched + outcomes.cancelled + outcomes.expired;
    assert_eq!(outcomes.taken, left + pool.waiting as u64, "{outcomes:?}");
    let ended = outcomes.settled + outcomes.closed + outcomes.abandoned + outcomes.voided;
    assert_eq!(outcomes.dispatched, ended + pool.running as u64, "{outcomes:?}");
}

/// A request of that user with 10 tokens of input and an answer of 10.
pub fn of(user: &str) -> Acquire {
    Acquire::new(POOL, user, 10, 10)
}

/// What it took.
pub fn used() -> Usage {
    Usage::new(10, 10)
}

/// The outcome, if there is one.
pub fn look(asking: &mut Asking) -> Option<Outcome> {
    match asking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// The permit, which is there.
pub fn answer(asking: &mut Asking) -> Permit<Ticking> {
    look(asking).expect("an answer").unwrap().unwrap()
}

/// The refusal, which is there.
pub fn refusal(asking: &mut Asking) -> Refusal {
    look(asking).expect("an answer").unwrap().unwrap_err()
}

/// Lets everything run that can. The time stands still.
pub async fn settle_down() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Lets time go by.
pub async fn pass(span: Duration) {
    tokio::time::advance(span).await;
    settle_down().await;
}

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
