//! The users that the queue knows, found by name.

use std::mem;
use std::ops::{Index, IndexMut};

use compact_str::CompactString;
use hashbrown::HashTable;
use slab::Slab;

use super::counter::Counter;
use super::requests::Line;
use crate::predict::UserName;

/// Where a user is. Good until it is forgotten, or until accounts move closer together, as they may when nobody has a
/// request.
pub(super) type UserIndex = u32;

/// A user's account.
#[derive(Debug)]
pub(super) struct User {
    /// None: the account of all for whom there is no account.
    name: Option<CompactString>,
    /// The name's key: it is hashed once, when a request comes.
    key: u64,
    /// What it was charged and lifted to. It counts as the ledger's floor, if that is higher.
    pub(super) counter: Counter,
    /// What the counter would be if all that runs were refunded. It never falls: what is charged is charged for what
    /// runs, and what stays charged when that has ended is added here.
    pub(super) base: Counter,
    /// The tie of its key in the order, if it stands there.
    pub(super) tie: Option<u64>,
    /// What waits.
    pub(super) line: Line,
    /// How many requests run.
    pub(super) running: u32,
    /// Whether it is among the active or among the idle, if it is anywhere yet, and with which base.
    pub(super) noted: Option<(Kind, Counter)>,
}

/// Whether a user has something that waits or runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Active,
    Idle,
}

#[derive(Debug, Default)]
pub(super) struct Users {
    slots: Slab<User>,
    /// Where each is, by the key of its name: names are in the accounts, up to 24 bytes in place, so that this is small
    /// enough to be cached. Its order decides nothing.
    by_name: HashTable<UserIndex>,
    shared: Option<UserIndex>,
}

/// Room for so many is kept when the last user has left.
const KEPT: usize = 1024;

// === impl User ===

impl User {
    const fn new(name: Option<CompactString>, key: u64) -> Self {
        let (counter, base, line) = (Counter::ZERO, Counter::ZERO, Line::EMPTY);
        Self { name, key, counter, base, tie: None, line, running: 0, noted: None }
    }

    /// Whether anything of it waits or runs.
    pub(super) const fn is_present(&self) -> bool {
        self.line.len > 0 || self.running > 0
    }

    /// The name; `None` for the shared account.
    pub(super) fn own_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The name; empty for the shared account.
    pub(super) fn name(&self) -> UserName<'_> {
        UserName::with_key(self.name.as_deref().unwrap_or_default(), self.key)
    }
}

// === impl Users ===

impl Users {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (UserIndex, &User)> {
        self.slots.iter().map(|(index, user)| (index as UserIndex, user))
    }

    /// The account that a user of this name has, or would share as one more than `limit`.
    pub(super) fn find(&self, name: UserName<'_>, limit: usize) -> Option<UserIndex> {
        self.find_own(name).or_else(|| self.shared.filter(|_| self.by_name.len() >= limit))
    }

    /// The account that a user of this name has for itself.
    pub(super) fn find_own(&self, name: UserName<'_>) -> Option<UserIndex> {
        let is_own = |index: &UserIndex| self[*index].name.as_deref() == Some(name.as_str());
        self.by_name.find(name.key(), is_own).copied()
    }

    /// Opens an account of its own for a user of this name, who has none, unless there are so many already.
    pub(super) fn open_own(&mut self, name: UserName<'_>, limit: usize) -> Option<UserIndex> {
        (self.by_name.len() < limit).then(|| self.open(name, limit))
    }

    /// Opens the account that [`find`](Users::find) did not.
    pub(super) fn open(&mut self, name: UserName<'_>, limit: usize) -> UserIndex {
        if self.by_name.len() < limit {
            let user = User::new(Some(name.as_str().into()), name.key());
            let index = self.slots.insert(user) as UserIndex;
            let Self { slots, by_name, .. } = self;
            by_name.insert_unique(name.key(), index, |index| slots[*index as usize].key);
            index
        } else {
            let user = User::new(None, UserName::new("").key());
            let index = self.slots.insert(user) as UserIndex;
            self.shared = Some(index);
            index
        }
    }

    pub(super) fn forget(&mut self, index: UserIndex) {
        let User { name, key, .. } = self.slots.remove(index as usize);
        if name.is_none() {
            self.shared = None;
        } else if let Ok(entry) = self.by_name.find_entry(key, |other| *other == index) {
            entry.remove();
        }
        if self.slots.is_empty() && self.slots.capacity() > KEPT {
            (self.slots, self.by_name) = (Slab::new(), HashTable::new());
        }
    }

    /// Whether a crowd took much more room than is needed now.
    pub(super) fn are_sparse(&self) -> bool {
        self.slots.capacity() > KEPT.max(4 * self.len())
    }

    /// Gives back the room that is not needed: accounts move. Says from where and to where.
    pub(super) fn compact(&mut self, mut moved: impl FnMut(UserIndex, UserIndex)) {
        let before = mem::take(&mut self.slots);
        self.slots.reserve_exact(before.len());
        self.by_name = HashTable::with_capacity(before.len());
        for (old, user) in before {
            let (key, is_shared) = (user.key, user.name.is_none());
            let index = self.slots.insert(user) as UserIndex;
            if is_shared {
                self.shared = Some(index);
            } else {
                let Self { slots, by_name, .. } = self;
                by_name.insert_unique(key, index, |index| slots[*index as usize].key);
            }
            moved(old as UserIndex, index);
        }
    }
}

impl Index<UserIndex> for Users {
    type Output = User;

    fn index(&self, index: UserIndex) -> &User {
        &self.slots[index as usize]
    }
}

impl IndexMut<UserIndex> for Users {
    fn index_mut(&mut self, index: UserIndex) -> &mut User {
        &mut self.slots[index as usize]
    }
}
