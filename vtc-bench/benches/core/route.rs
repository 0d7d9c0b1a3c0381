//! Routing, beside the yardstick. One thread; requests end before the next begins.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::hint::black_box;

use criterion::Criterion;
use vtc_bench::{aibrix::AibrixTracker, users};
use vtc_core::{RouteRequest, Router, VtcConfig};

/// "route over 8 pods, 1,000 users". The yardstick decides and charges. Ours also takes a place on the pod ("route"; the
/// tickets are dropped off the clock), and in the end gives it back and replaces the estimate by the true usage
/// ("route and settle").
pub fn over_8_pods(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route over 8 pods, 1,000 users");
    let names = users::names(1000);
    let router = Router::new(VtcConfig::default()).expect("the default is allowed");
    let pods: Vec<_> = (0..8).map(|pod| format!("pod-{pod}")).collect();
    router.pods().set(pods.iter().map(String::as_str));
    let (yardstick, running) = (AibrixTracker::new(), [0.0; 8]);
    let request = |user| RouteRequest {
        user: Some(user),
        input_tokens: black_box(10.0),
        output_tokens: black_box(20.0),
    };
    for name in &names {
        router.route(&request(name)).expect("a pod").close();
        yardstick.update(name, 10.0);
    }
    let mut next = names.iter().cycle();
    group.bench_function("vtc-core: route", |bencher| {
        bencher
            .iter_with_large_drop(|| router.route(&request(next.next().expect("a cycle"))).expect("a pod"));
    });
    group.bench_function("vtc-core: route and settle", |bencher| {
        bencher.iter(|| {
            router.route(&request(next.next().expect("a cycle"))).expect("a pod").settle(10.0, 15.0)
        });
    });
    group.bench_function("aibrix", |bencher| {
        bencher.iter(|| yardstick.route(next.next().expect("a cycle"), black_box(50.0), black_box(&running)));
    });
    group.finish();
}
