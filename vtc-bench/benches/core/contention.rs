//! Several threads at once, by the clock on the wall.
//!
//! A figure is the time from the first thread's start to the last one's end, divided by the charges of all of them: if
//! two threads did not disturb each other, it would be half of what it is with one. More threads than cores
//! take turns; what that shows is only that nothing collapses.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use criterion::Criterion;
use vtc_bench::users;
use vtc_core::{Clock, PreciseClock, SlidingWindowTracker, TokenTracker};

use crate::cpu_time::CpuTime;

/// How many users each thread has for itself.
const USERS_EACH: usize = 500;

/// The users of the two threads stand side by side in memory.
pub fn two_threads_on_distinct_users(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("two threads on distinct users");
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

/// So many operations, shared out to so many threads that begin together.
fn timed(threads: usize, operations: u64, work: impl Fn(usize, u64) + Sync) -> Duration {
    let (clock, barrier, work) = (PreciseClock::new(), Barrier::new(threads), &work);
    let each = operations.div_ceil(threads as u64);
    let one = |thread| {
        barrier.wait();
        let start = clock.now();
        work(thread, each);
        (start, clock.now())
    };
    let elapsed = thread::scope(|scope| {
        let one = &one;
        let workers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || one(thread))).collect();
        let times: Vec<_> = workers.into_iter().map(|worker| worker.join().expect("no panic")).collect();
        let start = times.iter().map(|(start, _)| *start).min().expect("a thread");
        times.iter().map(|(_, end)| end.since(start)).max().expect("a thread")
    });
    elapsed.mul_f64(operations as f64 / (each * threads as u64) as f64)
}

fn tracker() -> SlidingWindowTracker {
    SlidingWindowTracker::builder().build().expect("the default is allowed")
}
