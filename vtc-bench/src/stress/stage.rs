//! What all threads share: the core under test, who its users are, and what the threads tell each other.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use crossbeam_utils::CachePadded;
use crossbeam_utils::atomic::AtomicCell;
use vtc_core::{Clock, ConfigError, Router, SlidingWindowTracker, UserHandle};

use super::announced::Announced;
use super::held::Held;
use super::ledger::{AccountNumber, Term};
use super::options::Options;
use crate::users;

/// The stage.
pub struct Stage<C: Clock> {
    /// The core.
    pub router: Router<C>,
    /// Every account's name, by number.
    pub names: Vec<String>,
    /// How many of them are users of all threads.
    pub users: u32,
    /// The names of the pods.
    pub pods: Vec<String>,
    /// What each thread says before it acts.
    pub announced: Announced,
    /// Tickets on their way from one thread to another.
    pub crossing: ArrayQueue<Arc<Held<C>>>,
    /// How long charges count.
    pub term: Term,
    /// Whether there are fewer accounts than names, so that newcomers may share one.
    pub is_capped: bool,
    /// Whether the round is over.
    pub is_over: CachePadded<AtomicCell<bool>>,
    numbers: HashMap<String, AccountNumber>,
}

/// Tickets on their way at most.
const CROSSING: usize = 256;

// === impl Stage ===

impl<C: Clock> Stage<C> {
    /// A router without users, on that clock.
    ///
    /// # Errors
    /// The first setting that the core does not allow.
    pub fn new(options: &Options, clock: C) -> Result<Self, ConfigError> {
        let router = Router::with_clock(options.config()?, clock)?;
        let mut names = users::names(options.users as usize);
        names.extend((0..options.threads).map(|thread| format!("thread-{thread}")));
        let is_capped = router.tracker().config().max_users < names.len();
        names.push(SlidingWindowTracker::<C>::OVERFLOW.to_owned());
        let pods: Vec<_> = (0..options.pods).map(|pod| format!("pod-{pod:04}")).collect();
        router.pods().set(pods.iter().map(String::as_str));
        Ok(Self {
            users: options.users,
            pods,
            // The threads, and the one that ends what they leave open.
            announced: Announced::new(options.threads as usize + 1, names.len()),
            crossing: ArrayQueue::new(CROSSING),
            term: Term::of(router.tracker().config()),
            is_capped,
            is_over: CachePadded::new(AtomicCell::new(false)),
            numbers: names.iter().cloned().zip(0..).collect(),
            names,
            router,
        })
    }

    /// The number of the account that thread has to itself.
    pub fn own(&self, thread: usize) -> AccountNumber {
        self.users + thread as AccountNumber
    }

    /// The number of the account that newcomers share.
    pub fn shared(&self) -> AccountNumber {
        self.names.len() as AccountNumber - 1
    }

    /// That account's name, if anybody may be on it.
    pub fn shared_name(&self) -> Option<&'static str> {
        self.is_capped.then_some(SlidingWindowTracker::<C>::OVERFLOW)
    }

    /// The number of the account of that name.
    pub fn number(&self, name: &str) -> Option<AccountNumber> {
        self.numbers.get(name).copied()
    }

    /// An account's name.
    pub fn name(&self, number: AccountNumber) -> &str {
        self.names.get(number as usize).map_or("", String::as_str)
    }

    /// The account that a handle for `meant` is on: that user's, or the shared one.
    pub fn account_of(&self, handle: &UserHandle<C>, meant: AccountNumber) -> AccountNumber {
        if handle.name() == self.name(meant) { meant } else { self.shared() }
    }
}

impl<C: Clock> fmt::Debug for Stage<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("users", &self.users).finish_non_exhaustive()
    }
}
