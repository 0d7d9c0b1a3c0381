//! Counters, and the order that follows from them. It knows users, not requests.

mod forgetting;
mod shared;

use std::collections::BTreeSet;

use super::counter::Counter;
use super::discipline::{Discipline, Past, Tie};
use super::sharing::Sharing;
use super::users::{User, UserIndex, Users};

/// Where a user stands in the order: by rank, then by the tie, which no two users share. It follows from the user's
/// counter and tie, and the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    rank: Counter,
    tie: u64,
    user: UserIndex,
}

#[derive(Debug)]
pub(super) struct Ledger {
    discipline: Box<dyn Discipline>,
    pub(super) users: Users,
    /// The users who may be chosen.
    order: BTreeSet<Key>,
    /// The users with something that waits or runs, by the base they had when it was last looked at, the least first.
    active: BTreeSet<(Counter, UserIndex)>,
    /// The users with nothing that waits or runs, by their base, which is their counter.
    idle: BTreeSet<(Counter, UserIndex)>,
    last_left: LastLeft,
    past: Past,
    /// No counter counts as less.
    floor: Counter,
    /// How often a user came into the order.
    entries: u64,
    /// What is known of other replicas, once the queue is shared.
    pub(super) sharing: Option<Box<Sharing>>,
}

/// The user who left the order last.
#[derive(Clone, Copy, Debug)]
enum LastLeft {
    Nobody,
    Here(UserIndex),
    /// It has been forgotten, with this counter.
    Gone(Counter),
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn new(discipline: Box<dyn Discipline>) -> Self {
        Self {
            discipline,
            users: Users::default(),
            order: BTreeSet::new(),
            active: BTreeSet::new(),
            idle: BTreeSet::new(),
            last_left: LastLeft::Nobody,
            past: Past::default(),
            floor: Counter::ZERO,
            entries: 0,
            sharing: None,
        }
    }

    pub(super) fn discipline(&self) -> &dyn Discipline {
        &*self.discipline
    }

    /// How many requests run.
    pub(super) const fn running(&self) -> usize {
        self.past.running
    }

    /// The user who goes next.
    pub(super) fn next(&self) -> Option<UserIndex> {
        self.order.first().map(|key| key.user)
    }

    /// What a user's counter counts as.
    pub(super) fn counter(&self, user: &User) -> Counter {
        user.counter.max(self.floor)
    }

    /// How many users stand before this one in the order; `None` if it does not stand there. O(that number).
    pub(super) fn ahead(&self, user: &User) -> Option<usize> {
        let tie = user.tie?;
        let key = Key { rank: self.rank(user.counter), tie, user: 0 };
        Some(self.order.range(..key).count())
    }

    /// The users in the order, the next first.
    pub(super) fn in_order(&self) -> impl Iterator<Item = UserIndex> {
        self.order.iter().map(|key| key.user)
    }

    /// The level at which users come in; `None` before anybody ever left the order. If the queue is shared, the users who
    /// wait elsewhere count like those here, and if nobody waits, the highest level that anybody knows.
    pub(super) fn level(&self) -> Option<Counter> {
        let here = self.order.first().map(|key| self.counter(&self.users[key.user]));
        let least = match &self.sharing {
            None => here,
            Some(sharing) => {
                let away = sharing.least_away().map(|counter| counter.max(self.floor));
                here.into_iter().chain(away).min()
            }
        };
        if let Some(least) = least {
            return Some(self.discipline.level(least));
        }
        let left = match self.last_left {
            LastLeft::Here(user) => Some(self.counter(&self.users[user])),
            LastLeft::Gone(counter) => Some(counter.max(self.floor)),
            LastLeft::Nobody => None,
        };
        left.max(self.sharing.as_ref().and_then(|sharing| sharing.highest_level()))
    }

    /// Raises all counters as the discipline has it. Each user is moved at most once per charge: one that stands at
    /// the floor, stays there until it is charged.
    pub(super) fn raise(&mut self) {
        let floor = self.discipline.floor(&self.past);
        if floor <= self.floor {
            return;
        }
        self.floor = floor;
        let above = |rank: Counter| Key { rank: rank.plus(1), tie: 0, user: 0 };
        while let Some(&key) = self.order.range(above(Counter::ZERO)..above(floor)).next() {
            let raised = Key { rank: Counter::ZERO, ..key };
            self.order.remove(&key);
            self.order.insert(raised);
        }
        self.forget_some(0);
    }

    /// One of the user's requests, which went next, starts, and is charged this.
    pub(super) fn start(&mut self, index: UserIndex, charge: u64, head: Option<u64>) {
        let counter = self.lift(index, self.floor);
        self.past.last = counter;
        self.past.running += 1;
        self.place(index, counter.plus(charge), head);
    }

    /// A running request of the user is charged.
    pub(super) fn charge(&mut self, index: UserIndex, charge: u64) {
        let counter = self.lift(index, self.floor).plus(charge);
        self.past.highest = self.past.highest.max(counter);
        let Some(tie) = self.users[index].tie else {
            self.users[index].counter = counter;
            return self.share(index, i128::from(charge));
        };
        let before = self.key(index, tie);
        self.users[index].counter = counter;
        self.move_to(before, self.key(index, tie));
        self.share(index, i128::from(charge));
    }

    /// One of the user's requests has ended. It was charged `charged` and should have been charged `due`.
    pub(super) fn end(&mut self, index: UserIndex, charged: u64, due: u64, head: Option<u64>) {
        self.past.running -= 1;
        let counter = self.lift(index, self.floor).plus(due.saturating_sub(charged));
        let user = &mut self.users[index];
        user.base = user.base.plus(due);
        self.place(index, counter.minus(u128::from(charged.saturating_sub(due))), head);
        self.forget_some(0);
    }

    /// What waits of the user has changed.
    pub(super) fn changed(&mut self, index: UserIndex, head: Option<u64>) {
        self.place(index, self.users[index].counter, head);
        if head.is_none() {
            self.forget_some(0);
        }
    }

    /// Gives a user its counter and puts it where it belongs: `head` is when the first of its waiting requests arrived,
    /// if it may be chosen.
    fn place(&mut self, index: UserIndex, counter: Counter, head: Option<u64>) {
        self.past.highest = self.past.highest.max(counter);
        let tie = self.users[index].tie;
        let before = tie.map(|tie| self.key(index, tie));
        let charge = counter.above(self.users[index].counter);
        self.users[index].counter = counter;
        self.share(index, charge);
        match (before, head) {
            (None, None) => {}
            (None, Some(head)) => self.enter(index, head),
            (Some(before), None) => {
                self.order.remove(&before);
                self.users[index].tie = None;
                self.last_left = LastLeft::Here(index);
                self.share(index, 0);
            }
            (Some(before), Some(head)) => {
                let tie = self.tie(head, before.tie);
                self.users[index].tie = Some(tie);
                self.move_to(before, self.key(index, tie));
            }
        }
        self.note(index);
    }

    fn enter(&mut self, index: UserIndex, head: u64) {
        self.entries += 1;
        let tie = self.tie(head, self.entries);
        if let Some(level) = self.level_for(index) {
            let lifted = self.lift(index, self.discipline.enter(self.users[index].counter, level));
            self.past.highest = self.past.highest.max(lifted);
        }
        self.order.insert(self.key(index, tie));
        self.users[index].tie = Some(tie);
        self.fold(index);
        self.share(index, 0);
    }

    /// Users at the floor are equal.
    fn rank(&self, counter: Counter) -> Counter {
        if counter <= self.floor { Counter::ZERO } else { self.discipline.rank(counter) }
    }

    fn tie(&self, head: u64, entry: u64) -> u64 {
        match self.discipline.tie() {
            Tie::Head => head,
            Tie::Entry => entry,
        }
    }

    fn key(&self, user: UserIndex, tie: u64) -> Key {
        Key { rank: self.rank(self.users[user].counter), tie, user }
    }

    fn move_to(&mut self, before: Key, now: Key) {
        if now != before {
            self.order.remove(&before);
            self.order.insert(now);
        }
    }

    /// Lifts a user's counter to this, if it is lower, and its base by as much. A user in the order stands at the floor
    /// or above it, and so stays where it is.
    fn lift(&mut self, index: UserIndex, to: Counter) -> Counter {
        let user = &mut self.users[index];
        if user.counter < to {
            let running = user.counter.minus(user.base.units());
            user.counter = to;
            user.base = to.minus(running.units());
            if let Some(sharing) = &mut self.sharing {
                sharing.begin(index, to);
            }
        }
        self.users[index].counter
    }

    /// No counter counts as less.
    pub(super) const fn floor(&self) -> Counter {
        self.floor
    }
}
