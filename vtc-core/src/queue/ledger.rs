//! Counters, and the order that follows from them. It knows users, not requests.

use std::collections::BTreeSet;

use super::counter::Counter;
use super::discipline::{Discipline, Past, Tie};
use super::users::{User, UserIndex, Users};

/// Where a user stands in the order: by rank, then by the tie, which no two users share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    rank: Counter,
    tie: u64,
    user: UserIndex,
}

/// Among whom a user is noted, and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    idle: bool,
    /// What the counter would be if all that runs were refunded. It never falls: what is charged is charged for what
    /// runs.
    base: Counter,
}

#[derive(Debug)]
pub(super) struct Ledger {
    discipline: Box<dyn Discipline>,
    pub(super) users: Users,
    /// The users who may be chosen.
    order: BTreeSet<Key>,
    /// The users with something that waits or runs, by their base, the least first.
    active: BTreeSet<(Counter, UserIndex)>,
    /// The users with nothing that waits or runs, by their base, which is their counter.
    idle: BTreeSet<(Counter, UserIndex)>,
    last_left: LastLeft,
    past: Past,
    /// No counter counts as less.
    floor: Counter,
    /// How often a user came into the order.
    entries: u64,
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
        user.key.map(|key| self.order.range(..key).count())
    }

    /// The level at which users come in; `None` before anybody ever left the order.
    pub(super) fn level(&self) -> Option<Counter> {
        match (self.order.first(), self.last_left) {
            (Some(key), _) => Some(self.discipline.level(self.counter(&self.users[key.user]))),
            (None, LastLeft::Here(user)) => Some(self.counter(&self.users[user])),
            (None, LastLeft::Gone(counter)) => Some(counter.max(self.floor)),
            (None, LastLeft::Nobody) => None,
        }
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
            self.users[key.user].key = Some(raised);
        }
        self.forget();
    }

    /// One of the user's requests starts, and is charged this.
    pub(super) fn start(&mut self, index: UserIndex, charge: u64) {
        self.past.running += 1;
        self.past.last = self.counter(&self.users[index]);
        self.users[index].running += 1;
        self.charge(index, charge);
    }

    /// A running request of the user is charged.
    pub(super) fn charge(&mut self, index: UserIndex, charge: u64) {
        let counter = self.counter(&self.users[index]).plus(charge);
        let user = &mut self.users[index];
        user.counter = counter;
        user.charged += u128::from(charge);
        self.past.highest = self.past.highest.max(counter);
    }

    /// One of the user's requests ends. It was charged `charged` and should have been charged `due`.
    pub(super) fn end(&mut self, index: UserIndex, charged: u64, due: u64) {
        self.charge(index, due.saturating_sub(charged));
        let user = &mut self.users[index];
        user.counter = user.counter.minus(u128::from(charged.saturating_sub(due)));
        user.charged -= u128::from(charged.max(due));
        user.running -= 1;
        self.past.running -= 1;
    }

    /// Puts a user where it belongs after anything of it has changed: `head` is when the first of its waiting requests
    /// arrived, if it may be chosen. Comes after every change and before the next.
    pub(super) fn place(&mut self, index: UserIndex, head: Option<u64>) {
        match (self.users[index].key, head) {
            (None, None) => {}
            (None, Some(head)) => self.enter(index, head),
            (Some(key), None) => {
                self.order.remove(&key);
                self.users[index].key = None;
                self.last_left = LastLeft::Here(index);
            }
            (Some(key), Some(head)) => {
                let tie = self.tie(head, key.tie);
                let now = Key { rank: self.rank(self.users[index].counter), tie, user: index };
                if now != key {
                    self.order.remove(&key);
                    self.order.insert(now);
                    self.users[index].key = Some(now);
                }
            }
        }
        self.note(index);
        self.forget();
    }

    fn enter(&mut self, index: UserIndex, head: u64) {
        let level = self.level();
        self.entries += 1;
        let user = &mut self.users[index];
        if let Some(level) = level {
            user.counter = self.discipline.enter(user.counter, level);
        }
        self.past.highest = self.past.highest.max(user.counter);
        let key = Key {
            rank: self.rank(self.users[index].counter),
            tie: self.tie(head, self.entries),
            user: index,
        };
        self.order.insert(key);
        self.users[index].key = Some(key);
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

    /// Notes a user's base among those of its kind, if it has changed.
    fn note(&mut self, index: UserIndex) {
        let user = &mut self.users[index];
        let idle = user.line.len == 0 && user.running == 0;
        let note = Note { idle, base: user.counter.minus(user.charged) };
        let before = user.noted.replace(note);
        if before == Some(note) {
            return;
        }
        if let Some(before) = before {
            let among = if before.idle { &mut self.idle } else { &mut self.active };
            among.remove(&(before.base, index));
        }
        let among = if note.idle { &mut self.idle } else { &mut self.active };
        among.insert((note.base, index));
    }

    /// What no level will ever be below: [why](super#who-is-forgotten).
    fn lowest(&self) -> Option<Counter> {
        let active = self.active.first().map(|(base, _)| *base);
        let level = if self.order.is_empty() { self.level() } else { None };
        active.into_iter().chain(level).min().map(|counter| self.discipline.level(counter))
    }

    /// Forgets every idle user whose counter can no longer matter.
    fn forget(&mut self) {
        while let Some(&(counter, index)) = self.idle.first() {
            let matters = |lowest| counter > self.floor && !self.discipline.forgets(counter, lowest);
            if self.lowest().is_none_or(matters) {
                break;
            }
            self.idle.pop_first();
            if let LastLeft::Here(last) = self.last_left
                && last == index
            {
                self.last_left = LastLeft::Gone(counter);
            }
            self.users.forget(index);
        }
    }
}
