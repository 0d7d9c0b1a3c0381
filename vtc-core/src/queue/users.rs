//! The users that the queue knows, found by name.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use slab::Slab;

use super::counter::Counter;
use super::ledger::{Key, Note};
use super::requests::Line;

/// Where a user is. Good while the user has a request, and while it is the one that left the order last.
pub(super) type UserIndex = usize;

/// A user's account.
#[derive(Debug)]
pub(super) struct User {
    /// None: the account of all for whom there is no account.
    pub(super) name: Option<Arc<str>>,
    /// What it was charged and lifted to. It counts as the ledger's floor, if that is higher.
    pub(super) counter: Counter,
    /// What waits.
    pub(super) line: Line,
    /// How many requests run.
    pub(super) running: usize,
    /// Where it stands in the order, if it does.
    pub(super) key: Option<Key>,
    /// What the requests that run have been charged so far.
    pub(super) charged: u128,
    /// What is noted of it, for the sake of forgetting.
    pub(super) noted: Option<Note>,
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
        Self { name, counter: Counter::ZERO, line, running: 0, key: None, charged: 0, noted: None }
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

    pub(super) fn iter(&self) -> impl Iterator<Item = (UserIndex, &User)> {
        self.slots.iter()
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
            let index = self.slots.insert(User::new(Some(Arc::clone(&name))));
            self.by_name.insert(name, index);
            index
        } else {
            let index = self.slots.insert(User::new(None));
            self.shared = Some(index);
            index
        }
    }

    pub(super) fn forget(&mut self, index: UserIndex) {
        match self.slots.remove(index).name {
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
        &self.slots[index]
    }
}

impl IndexMut<UserIndex> for Users {
    fn index_mut(&mut self, index: UserIndex) -> &mut User {
        &mut self.slots[index]
    }
}
