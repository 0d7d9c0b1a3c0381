//! Refreshing the extremes of a million users: what it costs in proportion to what changed.
//!
//! Time is scripted, so that nothing expires but on purpose. The charges are off the clock.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::cell::{Cell, LazyCell};
use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use vtc_bench::users;
use vtc_core::{ManualClock, SlidingWindowTracker, UserHandle};

use crate::cpu_time::{self, CpuTime};

const USERS: usize = 1_000_000;
const HUNDREDTH: usize = USERS / 100;

struct Million {
    clock: ManualClock,
    tracker: SlidingWindowTracker<ManualClock>,
    /// To each user, in another order than they have in memory.
    handles: Vec<UserHandle<ManualClock>>,
}

/// "refreshing the extremes, 1,000,000 users".
pub fn of_1_000_000_users(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("refreshing the extremes, 1,000,000 users");
    group.sample_size(20).sampling_mode(SamplingMode::Flat);
    let million = LazyCell::new(Million::open);

    group.bench_function("none changed", |bencher| {
        bencher.iter_custom(|iters| million.refreshed(iters, || {}));
    });
    let mut hundredth = 0;
    let mut charge_a_hundredth = || {
        let changed = million.handles.chunks(HUNDREDTH).nth(hundredth % 100).expect("a hundred of them");
        changed.iter().for_each(charge);
        hundredth += 1;
    };
    group.bench_function("1 % changed", |bencher| {
        bencher.iter_custom(|iters| million.refreshed(iters, &mut charge_a_hundredth));
    });
    group.bench_function("all changed", |bencher| {
        bencher.iter_custom(|iters| million.refreshed(iters, || million.handles.iter().for_each(charge)));
    });
    // The users of one bucket after the other change and, a window later, expire.
    let buckets = Cell::new(0);
    let mut charge_in_the_next_bucket = || {
        million.clock.advance(million.tracker.config().width());
        charge_a_hundredth();
        buckets.set(buckets.get() + 1);
    };
    group.bench_function("1 % changed and 1 % expired", |bencher| {
        while buckets.get() < 100 {
            charge_in_the_next_bucket();
        }
        bencher.iter_custom(|iters| million.refreshed(iters, &mut charge_in_the_next_bucket));
    });
    group.finish();
}

// === impl Million ===

impl Million {
    fn open() -> Self {
        let clock = ManualClock::new();
        let tracker = SlidingWindowTracker::builder().clock(clock.clone()).build();
        let tracker = tracker.expect("the default is allowed");
        users::open(&tracker, USERS);
        tracker.upkeep();
        let handles = users::names(USERS).iter().map(|name| tracker.user(name).expect("a name")).collect();
        Self { clock, tracker, handles }
    }

    /// How long so many refreshes take, each after a change.
    fn refreshed(&self, times: u64, mut change: impl FnMut()) -> Duration {
        let one = |_| {
            change();
            let start = cpu_time::now();
            self.tracker.upkeep();
            cpu_time::now().saturating_sub(start)
        };
        (0..times).map(one).sum()
    }
}

fn charge(user: &UserHandle<ManualClock>) {
    user.charge(10.0, 20.0).expect("a charge");
}
