//! What a crowd leaves behind when it has gone: counted by the allocator, in bytes.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use actix::System;
use tokio::task::yield_now;
use vtc_actor::dispatcher::DispatcherSnapshot;
use vtc_actor::{Acquire, Capacity, DispatcherConfig, DispatcherHandle, Permit, PoolPod, Refusal};
use vtc_core::queue::{QueueLimits, discipline};
use vtc_core::{ManualClock, Pod, Router, Usage, VtcConfig};

const REQUESTS: usize = 100_000;
const USERS: usize = 10_000;
/// The pods' places.
const PLACES: usize = 8;
/// The most bytes that may be left, of more than 100 MB: a few nodes of trees, and what is known of those who are ahead.
const LEFT: i64 = 20_000;

type Asking = Pin<Box<dyn Future<Output = Result<Permit<ManualClock>, Refusal>>>>;

fn start(discipline: &'static str) -> DispatcherHandle<ManualClock> {
    let router = Arc::new(Router::with_clock(VtcConfig::default(), ManualClock::default()).unwrap());
    let limits = QueueLimits { requests: REQUESTS, ..QueueLimits::default() };
    let config = DispatcherConfig { limits, ..DispatcherConfig::with_discipline(discipline) };
    DispatcherHandle::start(router, config).unwrap()
}

fn ask(handle: &DispatcherHandle<ManualClock>, user: usize) -> Asking {
    let handle = handle.clone();
    let request = Acquire::new("model", format!("user-{user}"), 10, 10);
    let mut asking: Asking = Box::pin(async move { handle.acquire(request).await.unwrap() });
    assert!(look(&mut asking).is_none());
    asking
}

fn look(asking: &mut Asking) -> Option<Permit<ManualClock>> {
    match asking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome.unwrap()),
        Poll::Pending => None,
    }
}

async fn settle_down() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// The pods are full, so many requests wait, all their callers leave, and what runs ends.
async fn come_and_go(handle: &DispatcherHandle<ManualClock>, users: usize, requests: usize) {
    let mut first: Vec<_> = (0..PLACES).map(|user| ask(handle, user)).collect();
    settle_down().await;
    let running: Vec<_> = first.iter_mut().map(|asking| look(asking).unwrap()).collect();
    let mut crowd = Vec::with_capacity(requests);
    for number in 0..requests {
        crowd.push(ask(handle, number % users));
        if number % 1000 == 0 {
            settle_down().await;
        }
    }
    settle_down().await;
    let pool = &handle.queues(0).await.unwrap().pools[0];
    assert_eq!((pool.waiting, pool.running), (requests, PLACES));
    drop(crowd);
    settle_down().await;
    for (number, permit) in running.into_iter().enumerate() {
        permit.progress(10, 5);
        match number % 4 {
            0 => permit.settle(Usage::new(10, 10)),
            1 => permit.close(),
            2 => permit.void(),
            _ => drop(permit),
        }
    }
    settle_down().await;
}

#[test]
fn of_a_crowd_that_has_gone_nothing_is_left_on_the_heap() {
    for discipline in discipline::NAMES {
        let system = System::new();
        let handle = system.block_on(async {
            let handle = start(discipline);
            let pod = PoolPod::new(Pod::new("pod"), Capacity::of_requests(PLACES));
            handle.set_pool("model", [pod]).await.unwrap();
            // What is set up once is there: the tracker's accounts, the runtime's queues.
            come_and_go(&handle, PLACES, 100).await;
            handle
        });
        let counted = allocation_counter::measure(|| system.block_on(come_and_go(&handle, USERS, REQUESTS)));
        assert!(counted.bytes_max > 100_000_000, "{discipline} counts {}", counted.bytes_max);
        assert!(counted.bytes_current < LEFT, "{discipline} keeps {} bytes", counted.bytes_current);
        let DispatcherSnapshot { pools, pods } = system.block_on(handle.queues(0)).unwrap();
        let pool = &pools[0];
        assert_eq!(
            (pool.waiting, pool.bytes, pool.running, pool.present_users),
            (0, 0, 0, 0),
            "{discipline}"
        );
        assert!(!pool.has_deadlines);
        // Those who were served, and are ahead of whoever left last.
        assert!(pool.known_users <= PLACES, "{discipline} knows {}", pool.known_users);
        assert_eq!((pods[0].running, pods[0].tokens, handle.in_mailbox()), (0, 0, 0));
    }
}
