//! A request in and a request out, while a crowd waits. One thread.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use criterion::{Bencher, Criterion};
use vtc_bench::users;
use vtc_core::queue::discipline::{self, DisciplineOptions};
use vtc_core::queue::{QueueLimits, RequestId};
use vtc_core::{Arrival, Clock, FairQueue, PreciseClock, Usage};

const CROWD: usize = 100_000;

/// So many requests run before they are ended, off the clock.
const RUNNING: u64 = 1000;

/// "fair queue, push and pop, 100,000 users waiting": a user who waits already sends one request more, and whoever is
/// next goes. In "newcomers" the request is of a user who is not known: it is opened an account and comes into the
/// order, and whoever goes leaves it.
pub fn push_and_pop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fair queue, push and pop, 100,000 users waiting");
    let names = users::names(2 * CROWD);
    let (waiting, newcomers) = names.split_at(CROWD);
    let mut cases: Vec<_> =
        discipline::NAMES.iter().map(|name| (*name, (*name).to_owned(), waiting)).collect();
    cases.push(("vtc-fair", "vtc-fair, newcomers".to_owned(), newcomers));
    for (name, title, comers) in cases {
        let mut queue = crowd(name, waiting);
        let mut next = comers.iter().cycle();
        group.bench_function(title, |bencher| {
            bencher.iter_custom(|rounds| {
                let (clock, mut spent) = (PreciseClock::new(), Duration::ZERO);
                let mut running = Vec::with_capacity(1000);
                for part in 0..rounds.div_ceil(RUNNING) {
                    let start = clock.now();
                    for _ in 0..RUNNING.min(rounds - part * RUNNING) {
                        push(&mut queue, next.next().expect("a cycle"));
                        running.push(pop(&mut queue));
                    }
                    spent += clock.now().since(start);
                    for id in running.drain(..) {
                        queue.settle(id, Usage::new(100, 20));
                    }
                }
                spent
            });
        });
    }
    group.bench_function("floor", floor(waiting));
    group.finish();
}

/// What it cannot be cheaper than, with what the standard library has: a name is looked up, and the least of the counters
/// is raised.
fn floor(names: &[String]) -> impl FnMut(&mut Bencher<'_>) {
    let by_name: HashMap<&str, u128> = names.iter().map(String::as_str).zip(1..).collect();
    let mut order: BTreeSet<_> = by_name.values().map(|index| (index * 7919 % 1000, *index)).collect();
    let mut next = names.iter().cycle();
    move |bencher| {
        bencher.iter(|| {
            let index = by_name.get(next.next().expect("a cycle").as_str());
            let (counter, user) = order.pop_first().expect("somebody waits");
            order.insert((counter + 100 + user * 7919 % 40, user));
            index.copied()
        });
    }
}

/// "fair queue, a token of a user who waits, 100,000 users waiting": the charge moves its user in the order.
pub fn a_token(criterion: &mut Criterion) {
    let mut group =
        criterion.benchmark_group("fair queue, a token of a user who waits, 100,000 users waiting");
    let names = users::names(CROWD);
    for name in ["vtc-fair", "drr"] {
        let mut queue = crowd(name, &names);
        let running: Vec<_> = names.iter().map(|user| (push(&mut queue, user), pop(&mut queue)).1).collect();
        let mut next = running.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| queue.delivered(*next.next().expect("a cycle"), 1));
        });
    }
    group.finish();
}

/// A queue in which each of these users has a request that waits, and their counters differ.
fn crowd(discipline: &str, users: &[String]) -> FairQueue<u64> {
    let discipline = discipline::by_name(discipline, &DisciplineOptions::default()).expect("a name");
    let mut queue = FairQueue::new(discipline).with_limits(QueueLimits::NONE);
    for (number, user) in users.iter().enumerate() {
        // Two requests each, of which one is served.
        for _ in 0..2 {
            let input = (number * 7919 % 1000) as u64;
            queue.push(Arrival::new(user, input, 0)).expect("no limit");
        }
    }
    for _ in users {
        let id = pop(&mut queue);
        queue.settle(id, Usage::new(id.arrival() * 7919 % 1000, 20));
    }
    queue
}

fn push(queue: &mut FairQueue<u64>, user: &str) {
    queue.push(Arrival::new(user, 100, 0)).expect("no limit");
}

fn pop(queue: &mut FairQueue<u64>) -> RequestId {
    queue.pop(|_| Some(())).expect("somebody waits").id
}
