//! The users that the queue knows, found by name.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use slab::Slab;

use super::counter::Counter;
use super::requests::Line;

/// Where a user is. Good while the user has a request, and while it is the one that left the order last.
pub(super) type UserIndex = u32;

/// A user's account.
#[derive(Debug)]
pub(super) struct User {
    /// None: the account of all for whom there is no account.
    name: Option<Arc<str>>,
    /// What it was charged and lifted to. It counts as the ledger's floor, if that is higher.
    pub(super) counter: Counter,
    /// What the counter would be if all that runs were refunded.
    pub(super) base: Counter,
    /// The tie of its key in the order, if it stands there.
    pub(super) tie: Option<u64>,
    /// What waits.
    pub(super) line: Line,
    /// How many requests run.
    pub(super) running: u32,
    /// Whether it is among the active or among the idle, if it is anywhere yet.
    pub(super) noted: Option<Kind>,
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
    // Names are chosen by clients: the seed is random. Its order decides nothing.
    by_name: HashMap<Arc<str>, UserIndex, foldhash::fast::RandomState>,
    shared: Option<UserIndex>,
}

/// Room for so many is kept when the last user has left.
const KEPT: usize = 1024;

// === impl User ===

impl User {
    const fn new(name: Option<Arc<str>>) -> Self {
        let line = Line::EMPTY;
        Self { name, counter: Counter::ZERO, base: Counter::ZERO, tie: None, line, running: 0, noted: None }
    }

    /// What it is.
    pub(super) const fn kind(&self) -> Kind {
        if self.line.len == 0 && self.running == 0 { Kind::Idle } else { Kind::Active }
    }

    /// The name; empty for the shared account.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

// === impl Users ===

impl Users {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &User> {
        self.slots.iter().map(|(_, user)| user)
    }

    /// The account that a user of this name has, or would share as one more than `limit`.
    pub(super) fn find(&self, name: &str, limit: usize) -> Option<UserIndex> {
        let own = self.by_name.get(name).copied();
        own.or_else(|| self.shared.filter(|_| self.by_name.len() >= limit))
    }

    /// Opens the account that [`find`](Users::find) did not.
    pub(super) fn open(&mut self, name: &str, limit: usize) -> UserIndex {
        if self.by_name.len() < limit {
            let name: Arc<str> = name.into();
            let index = self.slots.insert(User::new(Some(Arc::clone(&name)))) as UserIndex;
            self.by_name.insert(name, index);
            index
        } else {
            let index = self.slots.insert(User::new(None)) as UserIndex;
            self.shared = Some(index);
            index
        }
    }

    pub(super) fn forget(&mut self, index: UserIndex) {
        match self.slots.remove(index as usize).name {
            Some(name) => {
                self.by_name.remove(&name);
            }
            None => self.shared = None,
        }
        if self.slots.is_empty() && self.slots.capacity() > KEPT {
            self.slots = Slab::new();
            self.by_name.shrink_to(0);
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
