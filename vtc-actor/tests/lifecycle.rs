//! From start to stop: the duties come by themselves, and what comes after the end is told so.
//!
//! Time is paused: the runtime's clock, which the router reads too, moves only when everybody waits.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Context, Handler, Message};
use tokio::time::Instant;
use vtc_actor::{HandleConfig, HandleError, Route, TrackerActor, TrackerHandle, Update};
use vtc_core::{Clock, Router, Tick, TimeUnit, TokenTracker, VtcConfig};

const MILLI: Duration = Duration::from_millis(1);
const STALENESS: Duration = Duration::from_millis(100);

/// The time of a runtime that is paused.
#[derive(Clone, Copy, Debug)]
struct PausedClock(Instant);

impl PausedClock {
    fn new() -> Self {
        tokio::time::pause();
        Self(Instant::now())
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Tick {
        Tick::after_origin(self.0.elapsed())
    }
}

/// A window of 10 s in buckets of 1 s.
fn router(staleness: Duration) -> Arc<Router<PausedClock>> {
    let mut config = VtcConfig::default();
    config.tracker.window_size = 10;
    config.tracker.time_unit = TimeUnit::Seconds;
    config.tracker.staleness = staleness;
    Arc::new(Router::with_clock(config, PausedClock::new()).unwrap())
}

fn start(router: &Arc<Router<PausedClock>>) -> TrackerHandle<PausedClock> {
    TrackerHandle::start(Arc::clone(router), HandleConfig::default()).unwrap()
}

/// Lets time go by, step by step, and calls `look` after each.
async fn pass(span: Duration, step: Duration, mut look: impl FnMut()) {
    let end = Instant::now() + span;
    while Instant::now() < end {
        // Returns once everybody else has done what was due before.
        tokio::time::sleep(step).await;
        look();
    }
}

/// A message of the app's own that is more than a request: it stops the actor.
#[derive(Message)]
#[rtype(result = "()")]
struct Stop;

impl Handler<Stop> for TrackerActor<PausedClock> {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// How old the published extremes are.
fn age(router: &Router<PausedClock>) -> Duration {
    let tracker = router.tracker();
    tracker.clock().now().since(tracker.last_extremes().as_of)
}

#[actix::test]
async fn the_extremes_stay_fresh_with_nobody_asking() {
    let router = router(STALENESS);
    let _handle = start(&router);
    let tracker = router.tracker();
    pass(Duration::from_secs(2), MILLI, || assert!(age(&router) <= STALENESS)).await;

    tracker.update_token_count("alice", 100.0, 0.0).unwrap();
    tracker.update_token_count("bob", 900.0, 0.0).unwrap();
    pass(STALENESS, MILLI, || ()).await;
    let extremes = tracker.last_extremes();
    assert_eq!((extremes.min, extremes.max, extremes.users), (100.0, 900.0, 2));

    pass(Duration::from_secs(12), MILLI, || ()).await;
    assert_eq!(tracker.last_extremes().users, 0, "what left the window left the extremes");
}

#[actix::test]
async fn extremes_that_are_stale_at_the_start_are_refreshed_at_once() {
    let router = router(STALENESS);
    tokio::time::advance(Duration::from_secs(3600)).await;
    let _handle = start(&router);
    tokio::task::yield_now().await;
    assert_eq!(age(&router), Duration::ZERO);
}

#[actix::test]
async fn actors_that_share_a_router_share_its_upkeep() {
    let router = router(STALENESS);
    let mut handles = vec![start(&router)];
    for _ in 0..3 {
        pass(7 * MILLI, MILLI, || ()).await;
        handles.push(start(&router));
    }
    let mut published = Vec::new();
    pass(Duration::from_secs(1), MILLI, || {
        assert!(age(&router) <= STALENESS);
        let as_of = router.tracker().last_extremes().as_of;
        if published.last() != Some(&as_of) {
            published.push(as_of);
        }
    })
    .await;
    // One alone comes about every 50 ms; four that took no notice of each other would come 80 times.
    assert!((15..=21).contains(&published.len()), "{} times: {published:?}", published.len());
}

async fn an_idle_account_is_closed_within_two_windows(staleness: Duration) {
    let router = router(staleness);
    let _handle = start(&router);
    let tracker = router.tracker();
    tracker.update_token_count("idle", 100.0, 0.0).unwrap();
    let kept = tracker.user("kept").unwrap();
    assert_eq!(tracker.account_count(), 2);
    // A window here is 10 s, and up to two buckets more.
    pass(2 * Duration::from_secs(12) + STALENESS, STALENESS, || ()).await;
    assert_eq!(tracker.account_count(), 1);
    assert_eq!(kept.name(), "kept");
}

#[actix::test]
async fn accounts_of_idle_users_are_closed_by_the_refresh() {
    an_idle_account_is_closed_within_two_windows(STALENESS).await;
}

#[actix::test]
async fn accounts_of_idle_users_are_closed_without_a_refresh_too() {
    an_idle_account_is_closed_within_two_windows(Duration::ZERO).await;
}

#[actix::test]
async fn with_a_staleness_of_0_nothing_is_refreshed_between_windows() {
    let router = router(Duration::ZERO);
    let _handle = start(&router);
    let as_of = || router.tracker().last_extremes().as_of;
    pass(Duration::from_secs(11), STALENESS, || assert_eq!(as_of(), Tick::ZERO)).await;
    pass(Duration::from_secs(2), STALENESS, || ()).await;
    assert_ne!(as_of(), Tick::ZERO, "once per window it is");
}

#[actix::test]
async fn an_actor_ends_after_its_last_address() {
    let router = router(STALENESS);
    let handle = start(&router);
    let addr = handle.addr().clone();
    drop(handle);
    pass(Duration::from_secs(1), MILLI, || ()).await;
    assert!(addr.connected(), "an address is enough");

    let weak = Arc::downgrade(&router);
    drop((addr, router));
    pass(STALENESS, MILLI, || ()).await;
    assert!(weak.upgrade().is_none(), "and with the actor its router is gone");
}

#[actix::test]
async fn a_stopped_actor_answers_nothing_and_the_router_still_does() {
    let router = router(STALENESS);
    router.pods().set(["pod-0"]);
    let handle = start(&router);
    handle.update("alice", 1.0, 0.0).await.unwrap().unwrap();
    handle.addr().send(Stop).await.unwrap();

    assert_eq!(handle.route(Route::new("alice", 1.0, 0.0)).await.unwrap_err(), HandleError::Stopped);
    assert_eq!(handle.update("alice", 1.0, 0.0).await.unwrap_err(), HandleError::Stopped);
    assert_eq!(handle.token_count("alice").await.unwrap_err(), HandleError::Stopped);
    assert_eq!(handle.in_flight(), 0, "and no place is lost");
    assert_eq!(handle.router().tracker().token_count("alice"), 1.0);

    let successor = start(&router);
    assert_eq!(successor.token_count("alice").await.unwrap(), 1.0);
}

#[actix::test]
async fn whoever_waits_when_the_actor_stops_is_told_so() {
    let router = router(STALENESS);
    let handle = start(&router);
    handle.addr().do_send(Stop);
    let after_the_stop = handle.send(Update::new("alice", 1.0, 0.0)).await;
    assert_eq!(after_the_stop.unwrap_err(), HandleError::Stopped);
    assert_eq!(router.tracker().token_count("alice"), 0.0);
}

#[actix::test]
async fn an_actor_on_an_arbiter_of_its_own_ends_with_it() {
    // In real time: another thread has a runtime of its own, which is not paused with this one.
    let router = Arc::new(Router::new(VtcConfig::default()).unwrap());
    let arbiter = actix::Arbiter::new();
    let patient = HandleConfig { timeout: Duration::from_secs(600), ..HandleConfig::default() };
    let handle = TrackerHandle::start_in(&arbiter.handle(), Arc::clone(&router), patient).unwrap();
    handle.update("alice", 2.0, 0.0).await.unwrap().unwrap();
    assert!(arbiter.stop());
    arbiter.join().unwrap();
    assert_eq!(handle.token_count("alice").await.unwrap_err(), HandleError::Stopped);
    assert_eq!(router.tracker().token_count("alice"), 2.0);
}

#[actix::test]
async fn a_bad_configuration_starts_nothing() {
    let router = router(STALENESS);
    let config = HandleConfig { max_in_flight: 0, ..HandleConfig::default() };
    let error = TrackerHandle::start(Arc::clone(&router), config).unwrap_err();
    assert_eq!(error.field, "max_in_flight");
    assert_eq!(Arc::strong_count(&router), 1);
    let actor = TrackerActor::new(Arc::clone(&router)).start();
    assert!(TrackerHandle::from_addr(actor, router, config).is_err());
}
