//! Who is forgotten: users with nothing that waits or runs, whose counter can no longer matter.
//! [Why that changes nothing](super::super#who-is-forgotten).

use std::collections::{BTreeSet, HashMap};

use super::{LastLeft, Ledger};
use crate::queue::counter::Counter;
use crate::queue::users::{Kind, UserIndex};

/// So many users at most are forgotten in one call: more than the one that it can have made idle, and few enough not to
/// be felt.
const AT_A_TIME: usize = 16;

impl Ledger {
    /// What the user is, here and elsewhere.
    pub(super) fn kind(&self, index: UserIndex) -> Kind {
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
    pub(super) fn note(&mut self, index: UserIndex) {
        let kind = self.kind(index);
        match self.users[index].noted {
            Some((noted, _)) if noted == kind => {}
            _ => self.note_anew(index),
        }
    }

    /// Notes a user anew: by what others tell, a base may fall.
    pub(in crate::queue) fn note_anew(&mut self, index: UserIndex) {
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

    /// What no level will ever be below: [why](super::super#who-is-forgotten).
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
    pub(in crate::queue) fn forget(&mut self, most: usize) {
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
    pub(in crate::queue) fn forget_some(&mut self, more: usize) {
        self.forget(AT_A_TIME.saturating_add(more));
    }

    /// Gives back the room that a crowd took, if nobody waits or runs: then nothing else knows where accounts are.
    pub(in crate::queue) fn compact(&mut self) {
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
