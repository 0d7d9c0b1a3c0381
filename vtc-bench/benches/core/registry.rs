//! Charging and counting by name, beside other registries. One thread.
//!
//! Each visit is to another user, in an order that no prefetcher guesses: with 1,000 users all of them are in
//! the core's cache, with 1,000,000 each visit goes to memory, and nothing else matters. The names themselves are
//! at hand. `governor` decides whether the tokens may be had (GCRA, one number per user) and counts nothing that
//! could be read; its quota is so large that it always says yes. `papaya` holds handles to the same
//! accounts: the difference is the map.
//!
//! The window is sixty times as long as by default, its buckets too: they are as many, but none begins or ends
//! during a run, which whoever comes first would pay. "Each in a new bucket" is the other extreme, by scripted
//! time. (At a million users each visit to `aibrix` is in a new bucket, too: its are a second wide.)

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::cell::{Cell, LazyCell};
use std::hint::black_box;
use std::num::NonZeroU32;

use criterion::{BenchmarkGroup, Criterion};
use foldhash::fast::RandomState;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use vtc_bench::{aibrix::AibrixTracker, users};
use vtc_core::{Clock, CoarseClock, ManualClock, SlidingWindowTracker, TimeUnit, TokenTracker, UserHandle};

use crate::cpu_time::CpuTime;

type PapayaRegistry = papaya::HashMap<Box<str>, UserHandle, RandomState>;

pub fn of_1_000_users(criterion: &mut Criterion<CpuTime>) {
    by_name(criterion, "1,000 users", 1_000);
}

pub fn of_100_000_users(criterion: &mut Criterion<CpuTime>) {
    by_name(criterion, "100,000 users", 100_000);
}

pub fn of_1_000_000_users(criterion: &mut Criterion<CpuTime>) {
    by_name(criterion, "1,000,000 users", 1_000_000);
}

/// "charge by name" and "count by name". What is charged is made when it is first needed, and once.
fn by_name(criterion: &mut Criterion<CpuTime>, label: &str, count: usize) {
    let names = LazyCell::new(|| users::names(count));
    let tracker = LazyCell::new(|| self::tracker(count, CoarseClock::new()));
    let scripted = LazyCell::new(|| self::tracker(count, ManualClock::new()));
    let papaya = LazyCell::new(|| papaya(&tracker, count));
    let aibrix = LazyCell::new(|| aibrix(count));
    let governor = LazyCell::new(|| governor(count));

    let mut group = criterion.benchmark_group(format!("charge by name, {label}"));
    let tokens = || (black_box(10.0), black_box(20.0));
    visit(&mut group, "vtc-core", &names, || {
        let tracker = &*tracker;
        move |name| tracker.update_token_count(name, tokens().0, tokens().1)
    });
    let visits = Cell::new(0);
    visit(&mut group, "vtc-core, each in a new bucket", &names, || {
        let (tracker, width) = (&*scripted, scripted.config().width());
        let (visits, tokens) = (&visits, &tokens);
        move |name| {
            visits.set(visits.get() + 1);
            if visits.get() == count {
                visits.set(0);
                tracker.clock().advance(width);
            }
            tracker.update_token_count(name, tokens().0, tokens().1)
        }
    });
    visit(&mut group, "papaya", &names, || {
        let registry = &*papaya;
        move |name: &String| registry.pin().get(name.as_str()).map(|user| user.charge(tokens().0, tokens().1))
    });
    visit(&mut group, "governor", &names, || {
        let (limiter, tokens) = (&*governor, NonZeroU32::new(50).expect("not 0"));
        move |name: &String| limiter.check_key_n(name, black_box(tokens)).map(|answer| answer.is_ok())
    });
    visit(&mut group, "aibrix", &names, || {
        let tracker = &*aibrix;
        move |name| tracker.update(name, black_box(50.0))
    });
    group.finish();

    let mut group = criterion.benchmark_group(format!("count by name, {label}"));
    visit(&mut group, "vtc-core", &names, || {
        let tracker = &*tracker;
        move |name| tracker.token_count(name)
    });
    visit(&mut group, "papaya", &names, || {
        let registry = &*papaya;
        move |name: &String| registry.pin().get(name.as_str()).map(UserHandle::token_count)
    });
    visit(&mut group, "aibrix", &names, || {
        let tracker = &*aibrix;
        move |name| tracker.count(name)
    });
    group.finish();
}

/// Measures what `make` makes, on one name after the other.
fn visit<F: FnMut(&String) -> R, R>(
    group: &mut BenchmarkGroup<'_, CpuTime>,
    what: &str,
    names: &LazyCell<Vec<String>, impl FnOnce() -> Vec<String>>,
    make: impl Fn() -> F,
) {
    // Every sample goes on where the one before stopped: its first users would be in the cache still.
    let mut at = 0;
    group.bench_function(what, |bencher| {
        let (mut operation, names) = (make(), &**names);
        bencher.iter(|| {
            at = if at + 1 < names.len() { at + 1 } else { 0 };
            operation(&names[at])
        });
    });
}

fn tracker<C: Clock>(count: usize, clock: C) -> SlidingWindowTracker<C> {
    let tracker = SlidingWindowTracker::builder().time_unit(TimeUnit::Hours).clock(clock).build();
    let tracker = tracker.expect("five hours are allowed");
    users::open(&tracker, count);
    tracker
}

fn papaya(tracker: &SlidingWindowTracker, count: usize) -> PapayaRegistry {
    let registry = PapayaRegistry::with_capacity_and_hasher(count, RandomState::default());
    for name in users::numbered(count) {
        let user = tracker.user(&name).expect("a name");
        registry.pin().insert(name.into(), user);
    }
    registry
}

fn aibrix(count: usize) -> AibrixTracker {
    let tracker = AibrixTracker::new();
    users::numbered(count).zip(users::tokens()).for_each(|(name, tokens)| tracker.update(&name, tokens));
    tracker
}

fn governor(count: usize) -> DefaultKeyedRateLimiter<String> {
    let limiter = RateLimiter::keyed(Quota::per_second(NonZeroU32::MAX));
    users::numbered(count).for_each(|name| drop(limiter.check_key(&name)));
    limiter
}
