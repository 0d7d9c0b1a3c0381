//! Charging, beside what it cannot be cheaper than and beside the yardstick. One thread.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::hint::black_box;

use criterion::Criterion;
use crossbeam_utils::CachePadded;
use vtc_bench::{aibrix::AibrixTracker, users};
use vtc_core::{Clock, CoarseClock, SlidingWindowTracker, TokenTracker};

#[expect(clippy::disallowed_types, reason = "the physical limit: two atomics of its own")]
type Word = std::sync::atomic::AtomicU64;

/// "charge through a handle": the floor is two uncontended read-modify-writes and a look at the clock.
pub fn through_a_handle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("charge through a handle");
    let tracker = tracker();
    let user = tracker.user("alice").expect("a name");
    group
        .bench_function("vtc-core", |bencher| bencher.iter(|| user.charge(black_box(10.0), black_box(20.0))));

    let (clock, words) =
        (CoarseClock::new(), [CachePadded::new(Word::new(0)), CachePadded::new(Word::new(0))]);
    group.bench_function("floor", |bencher| {
        bencher.iter(|| {
            let now = clock.now().as_nanos();
            words[0].fetch_add(black_box(50), std::sync::atomic::Ordering::Relaxed);
            let seen = words[1].load(std::sync::atomic::Ordering::Acquire);
            let (success, failure) =
                (std::sync::atomic::Ordering::AcqRel, std::sync::atomic::Ordering::Acquire);
            (now, words[1].compare_exchange(seen, seen.wrapping_add(50), success, failure))
        });
    });
    group.finish();
}

/// "charge by name, 1,000 users".
pub fn by_name(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("charge by name, 1,000 users");
    let names = users::names(1000);
    let (tracker, yardstick) = (tracker(), AibrixTracker::new());
    for name in &names {
        tracker.update_token_count(name, 10.0, 0.0).expect("a charge");
        yardstick.update(name, 10.0);
    }
    let mut next = names.iter().cycle();
    group.bench_function("vtc-core", |bencher| {
        bencher.iter(|| {
            tracker.update_token_count(next.next().expect("a cycle"), black_box(10.0), black_box(20.0))
        });
    });
    group.bench_function("aibrix", |bencher| {
        bencher.iter(|| yardstick.update(next.next().expect("a cycle"), black_box(50.0)));
    });
    group.finish();
}

pub fn tracker() -> SlidingWindowTracker {
    SlidingWindowTracker::builder().build().expect("the default is allowed")
}
