//! Routing, beside the yardstick and beside the core's own full scan. One thread.
//!
//! The users have different counts, so that they stand at different positions. The yardstick decides and charges.
//! Ours also takes a place on the pod ("route": the ticket is kept, and dropped off the clock), and in the end gives it
//! back and replaces the estimate by the true usage ("route and settle"). The full scan scores every pod, takes
//! the least and opens the same ticket: the same choice, exactly.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::cell::LazyCell;
use std::hint::black_box;

use criterion::{BatchSize, BenchmarkGroup, Criterion};
use vtc_bench::{aibrix::AibrixTracker, users};
use vtc_core::{RouteRequest, Router, Ticket, VtcConfig};

use crate::cpu_time::CpuTime;

/// As many tickets are out at a time, at most.
const IN_FLIGHT: u64 = 1000;

pub fn over_8_pods_with_1_000_users(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("route over 8 pods, 1,000 users");
    over(&mut group, 8, 1_000, "");
    group.finish();
}

pub fn over_8_pods_with_100_000_users(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("route over 8 pods, 100,000 users");
    over(&mut group, 8, 100_000, "");
    group.finish();
}

/// Over 8 and 64 pods too, to be compared with in the same run.
pub fn over_512_and_over_8_000_pods(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("route over 512 and over 8,000 pods");
    for (pods, label) in [(8, "8"), (64, "64"), (512, "512"), (8_000, "8,000")] {
        over(&mut group, pods, 1_000, &format!(", {label} pods"));
    }
    group.finish();
}

fn over(group: &mut BenchmarkGroup<'_, CpuTime>, pods: usize, users: usize, label: &str) {
    let names = users::names(users);
    let router = LazyCell::new(|| router(pods, users));
    let mut next = names.iter().cycle();
    let mut next = || next.next().expect("a cycle");

    group.bench_function(format!("vtc-core{label}"), |bencher| {
        let router = &*router;
        let mut route = || router.route(&request(next())).expect("a pod");
        bencher.iter_batched(|| (), |()| route(), BatchSize::NumIterations(IN_FLIGHT));
    });
    if label.is_empty() {
        group.bench_function("vtc-core, route and settle", |bencher| {
            let router = &*router;
            bencher.iter(|| router.route(&request(next())).expect("a pod").settle(10.0, 15.0));
        });
    }
    group.bench_function(format!("vtc-core, full scan{label}"), |bencher| {
        let (router, table) = (&*router, router.pods().table());
        let route = |user| -> Ticket {
            let scores = router.score_all(&table, Some(user));
            let scores = scores.into_iter().zip(table.pods());
            let (_, pod) = scores.min_by(|a, b| a.0.total_cmp(&b.0)).expect("a pod");
            router.assign(pod, &request(user)).expect("tokens")
        };
        bencher.iter_batched(|| (), |()| route(next()), BatchSize::NumIterations(IN_FLIGHT));
    });
    let yardstick = LazyCell::new(|| yardstick(users));
    let running = vec![0.0; pods];
    group.bench_function(format!("aibrix{label}"), |bencher| {
        let yardstick = &*yardstick;
        bencher.iter(|| yardstick.route(next(), black_box(50.0), black_box(&running)));
    });
}

fn request(user: &str) -> RouteRequest<'_> {
    RouteRequest { user: Some(user), input_tokens: black_box(10.0), output_tokens: black_box(20.0) }
}

fn router(pods: usize, users: usize) -> Router {
    let router = Router::new(VtcConfig::default()).expect("the default is allowed");
    let pods: Vec<_> = (0..pods).map(|pod| format!("pod-{pod:04}")).collect();
    router.pods().set(pods.iter().map(String::as_str));
    users::open(router.tracker(), users);
    router
}

fn yardstick(users: usize) -> AibrixTracker {
    let tracker = AibrixTracker::new();
    users::numbered(users).zip(users::tokens()).for_each(|(name, tokens)| tracker.update(&name, tokens));
    tracker
}
