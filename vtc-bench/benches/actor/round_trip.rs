//! Message round trips: an empty one, the tracker's through the handle and through the raw address, 64 of them in
//! one, and the direct call. One caller, who sends the next message when the answer is there.
//!
//! A route's ticket is dropped on the clock, as it is in the direct call beside it.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, System, SystemRunner};
use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use vtc_actor::{Batch, GetTokenCount, HandleConfig, Request, Route, TrackerHandle, Update};
use vtc_core::{Clock, PreciseClock, RouteRequest, Router, TokenTracker, VtcConfig};

use crate::empty::{Empty, Nothing};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// Items of a batch.
const BATCH: usize = 64;

/// "message round trip over the actor, one thread": caller and actor are tasks of one thread.
pub fn in_one_thread(criterion: &mut Criterion) {
    let system = System::new();
    let (empty, handle) = system.block_on(async {
        (Empty.start(), TrackerHandle::start(router(), HandleConfig::default()).expect("the default"))
    });
    let mut group = criterion.benchmark_group("message round trip over the actor, one thread");
    directly(&mut group, &handle);
    round_trips(&mut group, &system, &empty, &handle);
    group.finish();
}

/// "message round trip over the actor, across threads": the actor has an arbiter of its own.
pub fn across_threads(criterion: &mut Criterion) {
    let system = System::new();
    let arbiter = system.block_on(async { Arbiter::new() });
    let empty = Empty::start_in_arbiter(&arbiter.handle(), |_| Empty);
    let handle = TrackerHandle::start_in(&arbiter.handle(), router(), HandleConfig::default());
    let handle = handle.expect("the default");
    let mut group = criterion.benchmark_group("message round trip over the actor, across threads");
    round_trips(&mut group, &system, &empty, &handle);
    group.finish();
    arbiter.stop();
}

/// The same operations without a message.
fn directly(group: &mut Group<'_>, handle: &TrackerHandle) {
    let router = handle.router();
    let request = RouteRequest { user: Some("alice"), input_tokens: 10.0, output_tokens: 20.0 };
    group.bench_function("GetTokenCount, direct call", |bencher| {
        bencher.iter(|| router.tracker().token_count("alice"));
    });
    group.bench_function("Update, direct call", |bencher| {
        bencher.iter(|| router.tracker().update_token_count("alice", 10.0, 20.0));
    });
    group.bench_function("Route, direct call", |bencher| bencher.iter(|| router.route(&request)));
}

fn round_trips(group: &mut Group<'_>, system: &SystemRunner, empty: &Addr<Empty>, handle: &TrackerHandle) {
    repeated(group, system, "empty message", 1, async || {
        empty.send(Nothing).await.expect("an answer");
    });
    let user: Arc<str> = "alice".into();
    let count = || GetTokenCount::new(Arc::clone(&user));
    let update = || Update::new(Arc::clone(&user), 10.0, 20.0);
    let route = || Route::new(Arc::clone(&user), 10.0, 20.0);
    both_ways(group, system, handle, "GetTokenCount", count);
    both_ways(group, system, handle, "Update", update);
    both_ways(group, system, handle, "Route", route);
}

/// One message and a batch of them through the handle, and one through the address.
fn both_ways<M: Request<vtc_core::CoarseClock> + Unpin>(
    group: &mut Group<'_>,
    system: &SystemRunner,
    handle: &TrackerHandle,
    what: &str,
    message: impl Fn() -> M,
) {
    repeated(group, system, &format!("{what}, handle"), 1, async || {
        handle.send(message()).await.expect("an answer");
    });
    repeated(group, system, &format!("{what}, address"), 1, async || {
        handle.addr().send(message()).await.expect("an answer");
    });
    repeated(group, system, &format!("{what}, batch of {BATCH}, each"), BATCH, async || {
        let batch = Batch((0..BATCH).map(|_| message()).collect());
        handle.send(batch).await.expect("an answer");
    });
}

/// Measures the time of one of the `items` that each round has.
fn repeated(group: &mut Group<'_>, system: &SystemRunner, what: &str, items: usize, round: impl AsyncFn()) {
    let clock = PreciseClock::new();
    group.bench_function(what, |bencher| {
        bencher.iter_custom(|iters| {
            let rounds = iters.div_ceil(items as u64);
            let elapsed: Duration = system.block_on(async {
                let start = clock.now();
                for _ in 0..rounds {
                    round().await;
                }
                clock.now().since(start)
            });
            elapsed.mul_f64(iters as f64 / (rounds * items as u64) as f64)
        });
    });
}

fn router() -> Arc<Router> {
    let router = Router::new(VtcConfig::default()).expect("the default is allowed");
    router.pods().set(["pod-0", "pod-1", "pod-2", "pod-3", "pod-4", "pod-5", "pod-6", "pod-7"]);
    router.tracker().update_token_count("alice", 10.0, 20.0).expect("a charge");
    Arc::new(router)
}
