//! What is known of one other replica.

use std::collections::HashMap;

use super::Sharing;
use crate::queue::counter::Counter;
use crate::queue::users::UserIndex;

/// What is known of another replica.
#[derive(Debug, Default)]
pub(in crate::queue) struct Replica {
    pub(super) rows: HashMap<UserIndex, Row>,
    revision: u64,
    level: Option<Counter>,
    /// How many requests it has dispatched.
    dispatched: u64,
    /// Whether it has dispatched any since room was last left to it.
    has_answered: bool,
    /// Whether who waits there does not count, as room that was left to it was not taken.
    pub(super) is_waived: bool,
}

/// A row of another replica.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    pub(super) era: u64,
    pub(super) charged: i128,
    pub(super) held: u128,
    pub(super) waiting: u32,
    pub(super) present: bool,
}

// === impl Sharing ===

impl Sharing {
    /// The highest level of the others.
    pub(in crate::queue) fn highest_level(&self) -> Option<Counter> {
        self.replicas.values().filter_map(|replica| replica.level).max()
    }

    /// The users of whom that replica has a row.
    pub(in crate::queue) fn users_of(&self, from: &str) -> Vec<UserIndex> {
        let mut users: Vec<_> =
            self.replicas.get(from).into_iter().flat_map(|replica| replica.rows.keys().copied()).collect();
        users.sort_unstable();
        users
    }

    /// No room was left to others: they have nothing to answer yet.
    pub(in crate::queue) fn ask_again(&mut self) {
        self.replicas.values_mut().for_each(|replica| replica.has_answered = false);
    }

    /// The replicas where somebody waits, though room was left to them, and who have dispatched nobody since.
    pub(in crate::queue) fn silent(&self) -> Vec<Box<str>> {
        let waits = |replica: &Replica| replica.rows.values().any(|row| row.waiting > 0);
        let silent = self.replicas.iter().filter(|(_, replica)| !replica.has_answered && waits(replica));
        silent.map(|(name, _)| name.clone()).collect()
    }

    /// Takes note of what a replica says of itself, unless that is old: then nothing else of it is to be read. Says whether it
    /// has dispatched anything that it had not before.
    pub(in crate::queue) fn hear_of(
        &mut self,
        from: &str,
        revision: u64,
        level: Option<Counter>,
        dispatched: u64,
    ) -> Option<bool> {
        if !self.replicas.contains_key(from) {
            self.replicas.insert(from.into(), Replica { dispatched, ..Replica::default() });
        }
        let replica = self.replicas.get_mut(from).filter(|replica| replica.revision <= revision)?;
        let has_moved = replica.dispatched != dispatched;
        (replica.revision, replica.level, replica.dispatched) = (revision, level, dispatched);
        replica.has_answered |= has_moved;
        Some(has_moved)
    }

    /// Whether who waits at that replica counts, from now on. Returns those for whom that makes a difference.
    pub(in crate::queue) fn waive(&mut self, from: &str, is_waived: bool) -> Vec<UserIndex> {
        let Some(replica) = self.replicas.get_mut(from).filter(|replica| replica.is_waived != is_waived)
        else {
            return Vec::new();
        };
        replica.is_waived = is_waived;
        let waiting: Vec<_> =
            replica.rows.iter().map(|(user, row)| (*user, u64::from(row.waiting))).collect();
        let mut users = Vec::new();
        for (user, waiting) in waiting.into_iter().filter(|(_, waiting)| *waiting > 0) {
            let account = self.account_mut(user);
            let after = |sum: u64| if is_waived { sum - waiting } else { sum + waiting };
            account.waiting = after(account.waiting);
            self.waiting = after(self.waiting);
            users.push(user);
        }
        users
    }
}
