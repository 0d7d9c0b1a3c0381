//! Several threads at once, by the clock on the wall.
//!
//! A figure is the time until the last thread is through, divided by the charges of all of them: if two threads did not
//! disturb each other, it would be half of what it is with one. It is put together from short rounds; one
//! in which the kernel did not let them run at once says nothing, and is repeated.
//! More threads than cores take turns anyway: what that shows is only that nothing collapses.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use criterion::Criterion;
use vtc_bench::{core_wait, users};
use vtc_core::{Clock, PreciseClock, SlidingWindowTracker, Tick, TokenTracker};

use crate::cpu_time::CpuTime;

#[expect(clippy::disallowed_types, reason = "threads that begin at once")]
type Count = std::sync::atomic::AtomicUsize;

/// How many users each thread has for itself.
const USERS_EACH: usize = 500;
/// Charges of a thread in a round: part of a millisecond, which the kernel often lets pass undisturbed.
const ROUND: u64 = 20_000;
/// Charges of a thread before it: each of its users more than once.
const WARM_UP: u64 = 2_000;
/// The share of a round in which all threads must be at work.
const OVERLAP: f64 = 0.9;
/// Rounds of a sample that may be repeated.
const MOST_REPEATS: usize = 100;

/// The users of the two threads stand side by side in memory.
pub fn two_threads_on_distinct_users(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("two threads on distinct users");
    group.sample_size(30);
    let tracker = tracker();
    let names = users::names(2 * USERS_EACH);
    users::open(&tracker, names.len());
    let handles: Vec<_> = names.iter().map(|name| tracker.user(name).expect("a name")).collect();
    for (threads, label) in [(1, "1 thread"), (2, "2 threads")] {
        group.bench_function(format!("by handle, {label}"), |bencher| {
            bencher.iter_custom(|iters| {
                timed(threads, iters, |thread, iters| {
                    let mine = handles.chunks(USERS_EACH).nth(thread).expect("a share").iter().cycle();
                    mine.zip(0..iters).for_each(|(user, _)| user.charge(10.0, 20.0).expect("a charge"));
                })
            });
        });
    }
    for (threads, label) in [(1, "1 thread"), (2, "2 threads")] {
        group.bench_function(format!("by name, {label}"), |bencher| {
            bencher.iter_custom(|iters| {
                timed(threads, iters, |thread, iters| {
                    let mine = names.chunks(USERS_EACH).nth(thread).expect("a share").iter().cycle();
                    let charge = |name: &String| tracker.update_token_count(name, 10.0, 20.0);
                    mine.zip(0..iters).for_each(|(name, _)| charge(name).expect("a charge"));
                })
            });
        });
    }
    group.finish();
}

pub fn one_hot_user_from_many_threads(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("one hot user from many threads");
    group.sample_size(30);
    let tracker = tracker();
    let user = tracker.user("alice").expect("a name");
    for (threads, label) in [(1, "1 thread"), (2, "2 threads"), (4, "4 threads")] {
        group.bench_function(format!("by handle, {label}"), |bencher| {
            bencher.iter_custom(|iters| {
                timed(threads, iters, |_, iters| {
                    (0..iters).for_each(|_| user.charge(10.0, 20.0).expect("a charge"));
                })
            });
        });
    }
    for (threads, label) in [(1, "1 thread"), (2, "2 threads"), (4, "4 threads")] {
        group.bench_function(format!("by name, {label}"), |bencher| {
            bencher.iter_custom(|iters| {
                timed(threads, iters, |_, iters| {
                    let charge = || tracker.update_token_count("alice", 10.0, 20.0);
                    (0..iters).for_each(|_| charge().expect("a charge"));
                })
            });
        });
    }
    group.finish();
}

/// The time that so many operations take, shared out to so many threads.
fn timed(threads: usize, operations: u64, work: impl Fn(usize, u64) + Sync) -> Duration {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (mut elapsed, mut done, mut repeats) = (Duration::ZERO, 0, 0);
    while done < operations {
        let (time, at_once) = round(threads, &work);
        if at_once || threads > cores || repeats == MOST_REPEATS {
            elapsed += time;
            done += ROUND * threads as u64;
        } else {
            repeats += 1;
        }
    }
    elapsed.mul_f64(operations as f64 / done as f64)
}

/// How long all threads took together, and whether they ran at once: none waited for a core, and the first to end ended
/// well after the last had begun.
fn round(threads: usize, work: &(impl Fn(usize, u64) + Sync)) -> (Duration, bool) {
    let (clock, arrived) = (PreciseClock::new(), &Count::new(0));
    let one = move |thread| {
        // What another core has in its cache is not what is being measured.
        work(thread, WARM_UP);
        // Not a `Barrier`: whom it wakes begins too late.
        arrived.fetch_add(1, Ordering::Relaxed);
        while arrived.load(Ordering::Relaxed) < threads {
            thread::yield_now();
        }
        let (waited, start) = (core_wait::waited().expect("Linux"), clock.now());
        work(thread, ROUND);
        let end = clock.now();
        (start, end, core_wait::waited().expect("Linux") == waited)
    };
    let times: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || one(thread))).collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
    });
    let starts = || times.iter().map(|(start, ..)| *start);
    let ends = || times.iter().map(|(_, end, _)| *end);
    let since = |end: Option<Tick>, start: Option<Tick>| {
        end.zip(start).map_or(Duration::ZERO, |(end, start)| end.since(start))
    };
    let (elapsed, shared) = (since(ends().max(), starts().min()), since(ends().min(), starts().max()));
    (elapsed, times.iter().all(|(.., ran)| *ran) && shared.as_secs_f64() >= OVERLAP * elapsed.as_secs_f64())
}

fn tracker() -> SlidingWindowTracker {
    SlidingWindowTracker::builder().build().expect("the default is allowed")
}
