//! Charging without a lookup, beside what it cannot be cheaper than. One thread, one user: everything is in the core's
//! own cache, so this is the cost of the instructions.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::hint::black_box;
use std::sync::atomic::Ordering;

use criterion::Criterion;
use crossbeam_utils::CachePadded;
use vtc_core::{Clock, CoarseClock, SlidingWindowTracker};

use crate::cpu_time::CpuTime;

#[expect(clippy::disallowed_types, reason = "the physical limit: two atomics of its own")]
type Word = std::sync::atomic::AtomicU64;

/// The floor is two uncontended read-modify-writes and a look at the clock.
pub fn through_a_handle(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("charge through a handle");
    let tracker = SlidingWindowTracker::builder().build().expect("the default is allowed");
    let user = tracker.user("alice").expect("a name");
    group
        .bench_function("vtc-core", |bencher| bencher.iter(|| user.charge(black_box(10.0), black_box(20.0))));

    let (clock, words) =
        (CoarseClock::new(), [CachePadded::new(Word::new(0)), CachePadded::new(Word::new(0))]);
    group.bench_function("floor", |bencher| {
        bencher.iter(|| {
            let now = clock.now().as_nanos();
            words[0].fetch_add(black_box(50), Ordering::Relaxed);
            let seen = words[1].load(Ordering::Acquire);
            let then = seen.wrapping_add(50);
            (now, words[1].compare_exchange(seen, then, Ordering::AcqRel, Ordering::Acquire))
        });
    });
    group.finish();
}
