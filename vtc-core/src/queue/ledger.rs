//! Counters, and the order that follows from them. It knows users, not requests.

use std::collections::{BTreeSet, HashMap};

use super::counter::Counter;
use super::discipline::{Discipline, Past, Tie};
use super::sharing::Sharing;
use super::users::{Kind, User, UserIndex, Users};

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

/// So many users at most are forgotten in one call: more than the one that it can have made idle, and few enough not to
/// be felt.
const AT_A_TIME: usize = 16;

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
        self.forget(AT_A_TIME);
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
        self.forget(AT_A_TIME);
    }

    /// What waits of the user has changed.
    pub(super) fn changed(&mut self, index: UserIndex, head: Option<u64>) {
        self.place(index, self.users[index].counter, head);
        if head.is_none() {
            self.forget(AT_A_TIME);
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

    /// The level to which this user is lifted as it comes in. Whoever waits elsewhere already is not lifted a second time.
    fn level_for(&self, index: UserIndex) -> Option<Counter> {
        let level = self.level()?;
        match &self.sharing {
            None => Some(level),
            Some(sharing) if sharing.account(index).waits() => None,
            Some(sharing) => Some(level.max(sharing.highest_forgotten)),
        }
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

    /// The user was charged, or something else of it has changed: for the other replicas, if there are any.
    pub(super) fn share(&mut self, index: UserIndex, charge: i128) {
        if let Some(sharing) = &mut self.sharing {
            let user = &self.users[index];
            sharing.touch(index, charge);
            sharing.place(index, user.counter, user.tie.is_some());
        }
    }

    /// The user's counter is this, by what others have told.
    pub(super) fn reckon(&mut self, index: UserIndex, counter: Counter) {
        let user = &mut self.users[index];
        let (tie, by) = (user.tie, counter.above(user.counter));
        if by == 0 {
            return;
        }
        let before = tie.map(|tie| self.key(index, tie));
        self.past.highest = self.past.highest.max(counter);
        let user = &mut self.users[index];
        (user.counter, user.base) = (counter, user.base.by(by));
        if let (Some(tie), Some(before)) = (tie, before) {
            self.move_to(before, self.key(index, tie));
        }
    }

    /// If the user has charges of which nobody keeps a row any more, its counter becomes the beginning of a new era: so
    /// that they do not depend on who remembers them. An idle user's need not.
    pub(super) fn fold(&mut self, index: UserIndex) {
        let kind = self.kind(index);
        if let Some(sharing) = &mut self.sharing
            && kind == Kind::Active
            && sharing.account(index).has_ghosts
        {
            sharing.begin(index, self.users[index].counter);
        }
    }

    /// All counters rise, or fall, by as much as a counter `from` has to, to become `to`.
    pub(super) fn shift(&mut self, from: Counter, to: Counter) {
        let by = to.above(from);
        let known: Vec<_> = self.users.iter().map(|(index, _)| index).collect();
        for index in known {
            let counter = self.users[index].counter.by(by);
            self.reckon(index, counter);
            if let Some(sharing) = &mut self.sharing {
                sharing.begin(index, counter);
            }
            self.share(index, 0);
            self.note_anew(index);
        }
        if let LastLeft::Gone(counter) = &mut self.last_left {
            *counter = counter.by(by);
        }
        if let Some(sharing) = &mut self.sharing {
            sharing.highest_forgotten = sharing.highest_forgotten.by(by);
        }
    }

    /// What the user is, here and elsewhere.
    fn kind(&self, index: UserIndex) -> Kind {
        let is_elsewhere =
            || self.sharing.as_ref().is_some_and(|sharing| sharing.account(index).is_present());
        if self.users[index].is_present() || is_elsewhere() { Kind::Active } else { Kind::Idle }
    }

    /// What the user's counter would be if all that runs were refunded, here and elsewhere.
    fn base(&self, index: UserIndex) -> Counter {
        let held = self.sharing.as_ref().map_or(0, |sharing| sharing.account(index).held);
        self.users[index].base.minus(held)
    }

    /// Notes a user among those of its kind.
    fn note(&mut self, index: UserIndex) {
        let kind = self.kind(index);
        match self.users[index].noted {
            Some((noted, _)) if noted == kind => {}
            _ => self.note_anew(index),
        }
    }

    /// Notes a user anew: by what others tell, a base may fall.
    pub(super) fn note_anew(&mut self, index: UserIndex) {
        let (kind, now) = (self.kind(index), self.base(index));
        let before = self.users[index].noted.replace((kind, now));
        if let Some((kind, base)) = before {
            self.among(kind).remove(&(base, index));
        }
        self.among(kind).insert((now, index));
    }

    const fn among(&mut self, kind: Kind) -> &mut BTreeSet<(Counter, UserIndex)> {
        match kind {
            Kind::Active => &mut self.active,
            Kind::Idle => &mut self.idle,
        }
    }

    /// What no level will ever be below: [why](super#who-is-forgotten).
    fn lowest(&mut self) -> Option<Counter> {
        // A base never falls, so what was noted is at most what it is: only the least has to be looked at again, until
        // it is still the least. Each time it has risen since, so this costs no more than following each rise would.
        while let Some(&(noted, index)) = self.active.first() {
            let base = self.base(index);
            if base == noted {
                break;
            }
            self.active.pop_first();
            self.active.insert((base, index));
            self.users[index].noted = Some((Kind::Active, base));
        }
        let active = self.active.first().map(|(base, _)| *base);
        let is_empty = self.order.is_empty()
            && self.sharing.as_ref().is_none_or(|sharing| sharing.least_away().is_none());
        let level = if is_empty { self.level() } else { None };
        active.into_iter().chain(level).min().map(|counter| self.discipline.level(counter))
    }

    /// Forgets idle users whose counter can no longer matter, at most so many.
    pub(super) fn forget(&mut self, most: usize) {
        for _ in 0..most {
            let Some(&(counter, index)) = self.idle.first() else { break };
            let lowest = self.lowest();
            let matters = |lowest| counter > self.floor && !self.discipline.forgets(counter, lowest);
            let is_fresh = self.sharing.as_ref().is_some_and(|sharing| sharing.is_fresh(index));
            if is_fresh || lowest.is_none_or(matters) {
                break;
            }
            self.idle.pop_first();
            if let LastLeft::Here(last) = self.last_left
                && last == index
            {
                self.last_left = LastLeft::Gone(counter);
            }
            if let Some(sharing) = &mut self.sharing {
                sharing.forget(index, self.users[index].own_name(), counter);
            }
            self.users.forget(index);
        }
    }

    /// Forgets as many as one call may, and so many more.
    pub(super) fn forget_some(&mut self, more: usize) {
        self.forget(AT_A_TIME.saturating_add(more));
    }

    /// No counter counts as less.
    pub(super) const fn floor(&self) -> Counter {
        self.floor
    }

    /// Gives back the room that a crowd took, if nobody waits or runs: then nothing else knows where accounts are.
    pub(super) fn compact(&mut self) {
        if !self.active.is_empty() || !self.users.are_sparse() {
            return;
        }
        let before = self.last_left;
        let mut moves = HashMap::new();
        self.users.compact(|old, new| {
            moves.insert(old, new);
            if let LastLeft::Here(last) = before
                && last == old
            {
                self.last_left = LastLeft::Here(new);
            }
        });
        if let Some(sharing) = &mut self.sharing {
            sharing.moved(&moves);
        }
        let noted = self.users.iter().filter_map(|(index, user)| Some((user.noted?.1, index)));
        self.idle = noted.collect();
    }
}
