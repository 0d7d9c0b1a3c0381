//! What can be seen of a queue.

use super::FairQueue;
use super::counter::Counter;
use super::users::User;
use crate::predict::UserName;

/// How a user stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its virtual counter.
    pub counter: Counter,
    /// Its requests that wait.
    pub waiting: usize,
    /// Its requests that run.
    pub running: usize,
}

impl<R> FairQueue<R> {
    /// How many requests wait. O(1).
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.requests.len() - self.running()
    }

    /// How many requests run. O(1).
    #[must_use]
    pub fn running(&self) -> usize {
        self.ledger.running()
    }

    /// The bytes of the requests that wait. O(1).
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether somebody waits who may go: [`pop`](FairQueue::pop) would ask for a place. O(log users).
    #[must_use]
    pub fn has_next(&self) -> bool {
        self.ledger.next().is_some()
    }

    /// How many users are known: those with a request, and those whose counter still matters. O(1).
    #[must_use]
    pub fn known_users(&self) -> usize {
        self.ledger.users.len()
    }

    /// The discipline's name.
    #[must_use]
    pub fn discipline(&self) -> &'static str {
        self.ledger.discipline().name()
    }

    /// How the user stands; `None` if it is not known. A user that shares the account of those beyond the limit stands
    /// as they all do. O(1).
    #[must_use]
    pub fn standing(&self, user: &str) -> Option<Standing> {
        let index = self.ledger.users.find(UserName::new(user), self.limits.users)?;
        Some(self.standing_of(&self.ledger.users[index]))
    }

    /// How many users go before this one; `None` if it has nothing that waits, or as much running as it may.
    /// O(that number).
    #[must_use]
    pub fn ahead(&self, user: &str) -> Option<usize> {
        let index = self.ledger.users.find(UserName::new(user), self.limits.users)?;
        self.ledger.ahead(&self.ledger.users[index])
    }

    /// The users that are known, in no particular order; the shared account's name is empty.
    pub fn users(&self) -> impl Iterator<Item = (&str, Standing)> {
        self.ledger.users.iter().map(|(_, user)| (user.name().as_str(), self.standing_of(user)))
    }

    fn standing_of(&self, user: &User) -> Standing {
        let counter = self.ledger.counter(user);
        Standing { counter, waiting: user.line.len as usize, running: user.running as usize }
    }
}
