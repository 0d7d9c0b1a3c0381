//! Message round trips: an empty one, the tracker's through the handle and through the raw address, 64 of them in
//! one, and the direct call. One caller, who sends the next message when the answer is there.
//!
//! A route's ticket is dropped on the clock, as it is in the direct call beside it.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, System, SystemRunner};
use criterion::{BenchmarkGroup, Criterion};
use vtc_actor::{Batch, GetTokenCount, HandleConfig, Request, Route, TrackerHandle, Update};
use vtc_core::{Clock, CoarseClock, PreciseClock, RouteRequest, Router, Tick, TokenTracker, VtcConfig};

use crate::cpu_time::{self, CpuTime};
use crate::empty::{Empty, Nothing};

type Group<'a> = BenchmarkGroup<'a, CpuTime>;

/// A caller and the actors that it asks.
struct Caller {
    system: SystemRunner,
    empty: Addr<Empty>,
    handle: TrackerHandle,
    /// What says how late it is.
    now: Box<dyn Fn() -> Duration>,
}

/// Items of a batch.
const BATCH: usize = 64;

/// "message round trip over the actor, one thread": caller and actors are tasks of one thread.
pub fn in_one_thread(criterion: &mut Criterion<CpuTime>) {
    let system = System::new();
    let (empty, handle) = system.block_on(async {
        (Empty.start(), TrackerHandle::start(router(), HandleConfig::default()).expect("the default"))
    });
    let caller = Caller { system, empty, handle, now: Box::new(cpu_time::now) };
    let mut group = criterion.benchmark_group("message round trip over the actor, one thread");
    caller.calls(&mut group);
    caller.sends(&mut group);
    group.finish();
}

/// "message round trip over the actor, across threads": the actors have an arbiter of their own. By the clock on
/// the wall, since most of it is waiting.
pub fn across_threads(criterion: &mut Criterion<CpuTime>) {
    let system = System::new();
    let arbiter = system.block_on(async { Arbiter::new() });
    let empty = Empty::start_in_arbiter(&arbiter.handle(), |_| Empty);
    let handle = TrackerHandle::start_in(&arbiter.handle(), router(), HandleConfig::default());
    let handle = handle.expect("the default");
    let (clock, start) = (PreciseClock::new(), Tick::ZERO);
    let caller = Caller { system, empty, handle, now: Box::new(move || clock.now().since(start)) };
    let mut group = criterion.benchmark_group("message round trip over the actor, across threads");
    caller.sends(&mut group);
    group.finish();
    arbiter.stop();
}

// === impl Caller ===

impl Caller {
    /// The operations without a message.
    fn calls(&self, group: &mut Group<'_>) {
        let router = self.handle.router();
        let request = RouteRequest { user: Some("alice"), input_tokens: 10.0, output_tokens: 20.0 };
        group.bench_function("GetTokenCount, direct call", |bencher| {
            bencher.iter(|| router.tracker().token_count("alice"));
        });
        group.bench_function("Update, direct call", |bencher| {
            bencher.iter(|| router.tracker().update_token_count("alice", 10.0, 20.0));
        });
        group.bench_function("Route, direct call", |bencher| bencher.iter(|| router.route(&request)));
    }

    fn sends(&self, group: &mut Group<'_>) {
        self.repeats(group, "empty message", 1, async || {
            self.empty.send(Nothing).await.expect("an answer");
        });
        let user: Arc<str> = "alice".into();
        self.sends_each_way(group, "GetTokenCount", || GetTokenCount::new(Arc::clone(&user)));
        self.sends_each_way(group, "Update", || Update::new(Arc::clone(&user), 10.0, 20.0));
        self.sends_each_way(group, "Route", || Route::new(Arc::clone(&user), 10.0, 20.0));
    }

    /// One message through the handle, one through the address, and a batch through the handle.
    fn sends_each_way<M>(&self, group: &mut Group<'_>, what: &str, message: impl Fn() -> M)
    where
        M: Request<CoarseClock> + Unpin,
    {
        self.repeats(group, &format!("{what}, handle"), 1, async || {
            self.handle.send(message()).await.expect("an answer");
        });
        self.repeats(group, &format!("{what}, address"), 1, async || {
            self.handle.addr().send(message()).await.expect("an answer");
        });
        self.repeats(group, &format!("{what}, batch of {BATCH}, each"), BATCH as u64, async || {
            let batch = Batch((0..BATCH).map(|_| message()).collect());
            self.handle.send(batch).await.expect("an answer");
        });
    }

    /// Measures the time of one of the `items` that each round has.
    fn repeats(&self, group: &mut Group<'_>, what: &str, items: u64, round: impl AsyncFn()) {
        group.bench_function(what, |bencher| {
            bencher.iter_custom(|iters| {
                let rounds = iters.div_ceil(items);
                let elapsed = self.system.block_on(async {
                    let start = (self.now)();
                    for _ in 0..rounds {
                        round().await;
                    }
                    (self.now)().saturating_sub(start)
                });
                elapsed.mul_f64(iters as f64 / (rounds * items) as f64)
            });
        });
    }
}

fn router() -> Arc<Router> {
    let router = Router::new(VtcConfig::default()).expect("the default is allowed");
    router.pods().set(["pod-0", "pod-1", "pod-2", "pod-3", "pod-4", "pod-5", "pod-6", "pod-7"]);
    router.tracker().update_token_count("alice", 10.0, 20.0).expect("a charge");
    Arc::new(router)
}
