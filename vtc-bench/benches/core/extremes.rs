//! Reading the extremes of 1,000 users, with nobody refreshing them and with another thread that does, ever more often.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use criterion::Criterion;
use vtc_bench::users;
use vtc_core::{SlidingWindowTracker, TokenTracker};

use crate::cpu_time::CpuTime;

/// How often another thread refreshes them.
const RATES: [(&str, Duration); 4] = [
    ("refreshed each 10 ms", Duration::from_millis(10)),
    ("refreshed each 1 ms", Duration::from_millis(1)),
    ("refreshed each 100 us", Duration::from_micros(100)),
    ("refreshed without a pause", Duration::ZERO),
];

/// The last snapshot, whatever its age; and, at rest, one that is checked for its age, as a route reads it.
pub fn reading(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("reading the extremes");
    let tracker = SlidingWindowTracker::builder().build().expect("the default is allowed");
    users::open(&tracker, 1000);
    tracker.upkeep();
    group.bench_function("at rest", |bencher| bencher.iter(|| tracker.last_extremes()));
    group.bench_function("at rest, checked for their age", |bencher| bencher.iter(|| tracker.extremes()));
    for (label, pause) in RATES {
        let refreshes = thread::scope(|scope| {
            let (stop, stopped) = channel::<()>();
            let tracker = &tracker;
            let refresher = scope.spawn(move || {
                let mut refreshes = 0;
                while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                    // One user changes each time: there is something to refresh.
                    tracker.update_token_count("user-0000000", 1.0, 0.0).expect("a charge");
                    tracker.upkeep();
                    refreshes += 1;
                }
                refreshes
            });
            group.bench_function(label, |bencher| bencher.iter(|| tracker.last_extremes()));
            drop(stop);
            refresher.join().expect("no panic")
        });
        // On a busy machine the other thread does not always get a core.
        eprintln!("({label}: {refreshes} times in fact)");
    }
    group.finish();
}
