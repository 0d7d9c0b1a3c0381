//! What can be seen of a dispatcher at one moment.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use vtc_core::queue::{Counter, Standing, Weight};
use vtc_core::{Clock, SlidingWindowTracker, TokenTracker, jain_index};

use super::capacity::{Capacity, PodReport};
use super::fairness::gap;
use super::pool::Pool;

/// All pools and all pods, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct DispatcherSnapshot {
    /// The pools, in the order in which they were first named.
    pub pools: Vec<PoolSnapshot>,
    /// The pods, ordered by name: those that a pool lists, and those that something still runs on.
    pub pods: Vec<PodStanding>,
}

/// One pool.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolSnapshot {
    /// Its name.
    pub name: Arc<str>,
    /// The queue's discipline.
    pub discipline: &'static str,
    /// Requests that wait.
    pub waiting: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Whether one of them has a deadline.
    pub has_deadlines: bool,
    /// Requests that run.
    pub running: usize,
    /// Users with something that waits or runs.
    pub present_users: usize,
    /// Users with an account in the queue: those who are present, and those whose counter still matters.
    pub known_users: usize,
    /// Dispatches per second of late, while somebody waited; 0 before anybody who waited was dispatched.
    pub drain_rate: f64,
    /// What became of all requests so far.
    pub outcomes: Outcomes,
    /// Among the users who wait: the largest counter less the least.
    pub gap: f64,
    /// [Jain's index](jain_index) among the users who wait, of their service in the tracker's window, each divided
    /// by its weight. Whoever names nobody is left out.
    pub jain: f64,
    /// The users with the most requests that wait; of those with as many, the ones with the largest counter.
    pub users: Vec<UserStanding>,
}

/// What became of requests. Each adds one in each half.
///
/// - `taken = waiting + dispatched + cancelled + expired`, and
/// - `dispatched = running + settled + closed + abandoned + voided`,
///
/// where `waiting` and `running` are those of the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Taken into the queue.
    pub taken: u64,
    /// Not taken in: the queue was full.
    pub refused: u64,
    /// Left the queue with a permit.
    pub dispatched: u64,
    /// Left the queue because whoever asked has left.
    pub cancelled: u64,
    /// Left the queue because they had waited for as long as they may.
    pub expired: u64,
    /// Ended, and said what they took.
    pub settled: u64,
    /// Ended, and did not say what they took.
    pub closed: u64,
    /// Their permit was dropped.
    pub abandoned: u64,
    /// Were never served: nobody took the permit, or no pod could be reached.
    pub voided: u64,
}

/// One user in one pool.
#[derive(Clone, Debug, PartialEq)]
pub struct UserStanding {
    /// Its name; empty for whoever names nobody, and for the account of all users beyond the limit.
    pub user: Arc<str>,
    /// The weight of its last request; 1 for a user that is not present.
    pub weight: Weight,
    /// Its virtual counter.
    pub counter: Counter,
    /// Its requests that wait.
    pub waiting: usize,
    /// Its requests that run.
    pub running: usize,
}

/// One pod.
#[derive(Clone, Debug, PartialEq)]
pub struct PodStanding {
    /// Its name.
    pub name: Arc<str>,
    /// Requests that run on it, of all pools.
    pub running: usize,
    /// The tokens that they hold: input, and output as predicted or, where that is more, delivered.
    pub tokens: u64,
    /// Requests that other replicas run on it, as far as they have told.
    pub running_elsewhere: usize,
    /// The tokens that those hold.
    pub tokens_elsewhere: u64,
    /// How much it takes, of all replicas together.
    pub capacity: Capacity,
    /// What it last said of itself.
    pub report: PodReport,
    /// Whether a pool lists it. One that none does gets nothing new, and goes when nothing runs on it.
    pub listed: bool,
    /// Whether a request had to leave it since it was last listed: it gets nothing new until it is listed again.
    pub suspect: bool,
}

// === impl PoolSnapshot ===

impl PoolSnapshot {
    pub(super) fn of<C: Clock>(pool: &Pool<C>, tracker: &SlidingWindowTracker<C>, top: usize) -> Self {
        let weight = |user: &str| pool.present.get(user).map_or(Weight::ONE, |present| present.weight);
        let mut users: Vec<(&str, Standing)> = pool.queue.users().collect();
        let waiting = || users.iter().filter(|(_, standing)| standing.waiting > 0);
        let gap = gap(waiting().map(|(_, standing)| standing.counter.as_f64()));
        let named = waiting().map(|(user, _)| *user).filter(|user| !user.is_empty());
        let jain = jain_index(named.map(|user| tracker.token_count(user) / weight(user).as_f64()));
        if top < users.len() {
            users.select_nth_unstable_by(top, most_first);
            users.truncate(top);
        }
        users.sort_unstable_by(most_first);
        let standing = |(user, standing): (&str, Standing)| UserStanding {
            user: user.into(),
            weight: weight(user),
            counter: standing.counter,
            waiting: standing.waiting,
            running: standing.running,
        };
        Self {
            name: Arc::clone(&pool.name),
            discipline: pool.queue.discipline(),
            waiting: pool.queue.waiting(),
            bytes: pool.queue.bytes(),
            has_deadlines: pool.queue.next_deadline().is_some(),
            running: pool.queue.running(),
            present_users: pool.present.len(),
            known_users: pool.queue.known_users(),
            drain_rate: pool.drain.per_second(),
            outcomes: pool.outcomes,
            gap,
            jain,
            users: users.into_iter().map(standing).collect(),
        }
    }
}

/// Most requests that wait, then the largest counter; the name last, so that the same queue always shows the same.
fn most_first(a: &(&str, Standing), b: &(&str, Standing)) -> Ordering {
    let key = |standing: &Standing| (Reverse(standing.waiting), Reverse(standing.counter));
    key(&a.1).cmp(&key(&b.1)).then_with(|| a.0.cmp(b.0))
}
