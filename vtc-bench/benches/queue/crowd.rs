//! A request in and a request out, while a crowd waits. One thread.

#![expect(clippy::expect_used, reason = "a benchmark")]

use std::collections::{BTreeSet, HashMap, VecDeque};
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
/// next goes. Each user sends its next one some time after one has gone, so it always has one or two that wait. In
/// "newcomers" the requests are of users who are not known: an account is opened, the user comes into the order, and
/// whoever goes may leave it.
pub fn push_and_pop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fair queue, push and pop, 100,000 users waiting");
    let names = users::names(2 * CROWD);
    let (waiting, newcomers) = names.split_at(CROWD);
    for name in discipline::NAMES {
        let mut queue = crowd(name, waiting);
        // Who sends next.
        let mut went = Vec::new();
        let mut senders: VecDeque<_> = (0..RUNNING as usize).collect();
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                timed(rounds, &mut queue, waiting, &mut went, |dispatched| {
                    senders.extend(dispatched.drain(..));
                    senders.pop_front().expect("as many as went")
                })
            });
        });
    }
    let mut queue = crowd("vtc-fair", waiting);
    let mut next = (0..CROWD).cycle();
    group.bench_function("vtc-fair, newcomers", |bencher| {
        bencher.iter_custom(|rounds| {
            timed(rounds, &mut queue, newcomers, &mut Vec::new(), |_| next.next().expect("a cycle"))
        });
    });
    group.bench_function("floor", floor(waiting));
    group.finish();
}

/// The time that so many rounds take. On the clock is nothing but push and pop: names are made ready before, as they come
/// off the wire, and what went is settled after. `sender` takes
/// who went, and says who is next to send.
fn timed(
    rounds: u64,
    queue: &mut FairQueue<usize>,
    names: &[String],
    went: &mut Vec<usize>,
    mut sender: impl FnMut(&mut Vec<usize>) -> usize,
) -> Duration {
    let (clock, mut spent) = (PreciseClock::new(), Duration::ZERO);
    let mut running = Vec::with_capacity(RUNNING as usize);
    for part in 0..rounds.div_ceil(RUNNING) {
        let size = RUNNING.min(rounds - part * RUNNING);
        let arrivals: Vec<_> =
            (0..size).map(|_| sender(went)).map(|user| (user, names[user].clone())).collect();
        let start = clock.now();
        for (user, name) in &arrivals {
            queue.push(Arrival::new(name, 100, *user)).expect("no limit");
            running.push(queue.pop(|_| Some(())).expect("somebody waits"));
        }
        spent += clock.now().since(start);
        for dispatched in running.drain(..) {
            queue.settle(dispatched.id, Usage::new(100, 20));
            went.push(dispatched.payload);
        }
    }
    spent
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
        let running: Vec<_> = names.iter().map(|_| pop(&mut queue)).collect();
        let mut next = running.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| queue.delivered(*next.next().expect("a cycle"), 1));
        });
    }
    group.finish();
}

/// A queue in which each of these users has two requests that wait, and their counters differ.
fn crowd(discipline: &str, users: &[String]) -> FairQueue<usize> {
    let discipline = discipline::by_name(discipline, &DisciplineOptions::default()).expect("a name");
    let mut queue = FairQueue::new(discipline).with_limits(QueueLimits::NONE);
    for (index, user) in users.iter().enumerate() {
        queue.push(Arrival::new(user, (index * 7919 % 1000) as u64, index)).expect("no limit");
        for _ in 0..2 {
            queue.push(Arrival::new(user, 100, index)).expect("no limit");
        }
    }
    // The first of each is served.
    for _ in users {
        let dispatched = queue.pop(|_| Some(())).expect("somebody waits");
        queue.settle(dispatched.id, Usage::new((dispatched.payload * 7919 % 1000) as u64, 20));
    }
    queue
}

fn pop(queue: &mut FairQueue<usize>) -> RequestId {
    queue.pop(|_| Some(())).expect("somebody waits").id
}
