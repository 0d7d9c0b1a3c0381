//! Reading the extremes, with nobody writing and with a writer that never rests.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::ops::ControlFlow;
use std::sync::mpsc::{TryRecvError, channel};
use std::thread;

use criterion::Criterion;
use vtc_bench::users;
use vtc_core::TokenTracker;

use crate::charge::tracker;

/// "reading the extremes": the last snapshot, and one that is checked for its age.
pub fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reading the extremes");
    let tracker = tracker();
    for name in users::names(1000) {
        tracker.update_token_count(&name, 10.0, 0.0).expect("a charge");
    }
    group.bench_function("last_extremes", |bencher| bencher.iter(|| tracker.last_extremes()));
    group.bench_function("extremes", |bencher| bencher.iter(|| tracker.extremes()));
    thread::scope(|scope| {
        let (stop, stopped) = channel::<()>();
        let tracker = &tracker;
        let go_on = move || match stopped.try_recv() {
            Err(TryRecvError::Empty) => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        };
        scope.spawn(move || {
            while go_on().is_continue() {
                tracker.upkeep();
            }
        });
        group.bench_function("last_extremes, refreshed without a pause", |bencher| {
            bencher.iter(|| tracker.last_extremes());
        });
        drop(stop);
    });
    group.finish();
}
