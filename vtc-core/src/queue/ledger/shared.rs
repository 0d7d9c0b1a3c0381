//! What becomes of counters when the queue is shared with other replicas.

use super::{LastLeft, Ledger};
use crate::queue::counter::Counter;
use crate::queue::users::{Kind, UserIndex};

impl Ledger {
    /// The level to which this user is lifted as it comes in. Whoever waits elsewhere already is not lifted a second time.
    pub(super) fn level_for(&self, index: UserIndex) -> Option<Counter> {
        let level = self.level()?;
        match &self.sharing {
            None => Some(level),
            Some(sharing) if sharing.account(index).waits() => None,
            Some(sharing) => Some(level.max(sharing.highest_forgotten)),
        }
    }

    /// The user was charged, or something else of it has changed: for the other replicas, if there are any.
    pub(in crate::queue) fn share(&mut self, index: UserIndex, charge: i128) {
        if let Some(sharing) = &mut self.sharing {
            let user = &self.users[index];
            sharing.touch(index, charge);
            sharing.place(index, user.counter, user.tie.is_some());
        }
    }

    /// The user's counter is this, by what others have told.
    pub(in crate::queue) fn reckon(&mut self, index: UserIndex, counter: Counter) {
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
    pub(in crate::queue) fn fold(&mut self, index: UserIndex) {
        let kind = self.kind(index);
        if let Some(sharing) = &mut self.sharing
            && kind == Kind::Active
            && sharing.account(index).has_ghosts
        {
            sharing.begin(index, self.users[index].counter);
        }
    }

    /// All counters rise, or fall, by as much as a counter `from` has to, to become `to`.
    pub(in crate::queue) fn shift(&mut self, from: Counter, to: Counter) {
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
}
