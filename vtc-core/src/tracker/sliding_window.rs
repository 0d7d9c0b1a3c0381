//! The lock-free tracker: a concurrent map of accounts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;

use super::account::Ledger;
use super::seat::Seats;
use super::upkeep::Upkeep;
use super::{Account, EmptyUser, TokenTracker, TrackerBuilder, UpdateError, UserHandle};
use crate::clock::{Clock, CoarseClock, Tick};
use crate::config::TrackerConfig;
use crate::extremes::{Extremes, Range};
use crate::setting::ConfigError;
use crate::sync::{Arc, Mutex, MutexGuard, SharedMap, Snapshot, snapshot};

/// Counts each user's tokens over a sliding window.
///
/// Charging and counting take no lock of their own; finding a user by name takes a shard's lock for the
/// time of a hash lookup, and [`SlidingWindowTracker::user`] gives a handle that spares even that. Share
/// it in an [`Arc`](std::sync::Arc).
///
/// What a concurrent reader may see is told in the [crate's documentation](crate#what-a-concurrent-reader-may-see).
///
/// ```
/// use std::time::Duration;
/// use vtc_core::{ManualClock, SlidingWindowTracker, TimeUnit, TokenTracker};
///
/// let clock = ManualClock::new();
/// let tracker = SlidingWindowTracker::builder()
///     .window_size(10)
///     .time_unit(TimeUnit::Seconds)
///     .clock(clock.clone())
///     .build()?;
/// tracker.update_token_count("alice", 100.0, 50.0)?; // 100 * 1 + 50 * 2
/// assert_eq!(tracker.token_count("alice"), 200.0);
/// clock.advance(Duration::from_secs(11));
/// assert_eq!(tracker.token_count("alice"), 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SlidingWindowTracker<C = CoarseClock> {
    ledger: Arc<Ledger<C>>,
    accounts: SharedMap<Account<C>>,
    seats: Seats<C>,
    /// The account that newcomers share while all other seats are taken. It does not stand in the map.
    overflow: Account<C>,
    extremes: Snapshot<Extremes>,
    upkeep: Mutex<Upkeep<C>>,
}

/// Shards of the map: so many that a shard which grows, some thousand of a million users, holds nobody up for a
/// millisecond, and newcomers seldom meet; so few that their locks, a kilobyte each, fit a core's cache.
const SHARDS: usize = 256;

// === impl SlidingWindowTracker ===

impl SlidingWindowTracker {
    /// Options, from the defaults.
    pub fn builder() -> TrackerBuilder {
        TrackerBuilder::new()
    }
}

impl<C: Clock> SlidingWindowTracker<C> {
    /// The name under which newcomers are counted together while there are
    /// [`max_users`](TrackerConfig::max_users) accounts. Who has chosen it as a name is counted with them.
    pub const OVERFLOW: &'static str = "(overflow)";

    /// A tracker without users.
    ///
    /// # Errors
    /// The first setting that is not allowed.
    pub fn new(config: TrackerConfig, clock: C) -> Result<Self, ConfigError> {
        config.validate()?;
        let now = clock.now();
        let nobody = Extremes::new(Range::EMPTY, 0, config.min_tokens, config.max_tokens, now);
        let (publisher, extremes) = snapshot(nobody);
        let ledger = Arc::new(Ledger::new(config, clock));
        let (bucket, buckets) = (ledger.window.bucket_of(now), ledger.window.buckets() as usize);
        // One more for the shared account.
        let seats = Seats::new(ledger.config.max_users + 1);
        let open = |seat| Account::open(Self::OVERFLOW, &ledger, seat, bucket);
        let Some(overflow) = seats.admit(open) else {
            return Err(ConfigError::new("max_users", ledger.config.max_users, "at least 1"));
        };
        Ok(Self {
            accounts: SharedMap::new(SHARDS.min(ledger.config.max_users)),
            seats,
            overflow,
            extremes,
            upkeep: Mutex::new(Upkeep::new(publisher, buckets, now, bucket)),
            ledger,
        })
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &TrackerConfig {
        &self.ledger.config
    }

    /// The clock that this tracker reads.
    #[must_use]
    pub fn clock(&self) -> &C {
        &self.ledger.clock
    }

    /// A handle to that user, whose account is opened if there is none.
    ///
    /// # Errors
    /// [`EmptyUser`] for the empty name.
    pub fn user(&self, name: &str) -> Result<UserHandle<C>, EmptyUser> {
        self.account_or_open(name).map(UserHandle)
    }

    /// Every user that has tokens, with its count; in no order. O(users).
    #[must_use]
    pub fn users(&self) -> Vec<(String, f64)> {
        let now = self.ledger.bucket();
        let mut users = Vec::with_capacity(self.account_count());
        self.for_each_account(|account| {
            let count = account.count(now);
            if !count.is_zero() {
                users.push((account.name().to_owned(), count.as_f64()));
            }
        });
        users
    }

    /// The users that have the most tokens, at most `limit` of them, most first; equals by name. O(users), and only
    /// the names that are given are copied.
    #[must_use]
    pub fn top_users(&self, limit: usize) -> Vec<(String, f64)> {
        let now = self.ledger.bucket();
        // What is least among the top comes first, since it is the first to go.
        let mut top = BinaryHeap::new();
        self.for_each_account(|account| {
            let count = account.count(now);
            let least = top.peek().filter(|_| top.len() >= limit).map(|Reverse((least, _))| *least);
            if !count.is_zero() && least.is_none_or(|least| count >= least) {
                top.push(Reverse((count, Reverse(account.name().to_owned()))));
                if top.len() > limit {
                    top.pop();
                }
            }
        });
        let most_first = top.into_sorted_vec().into_iter();
        most_first.map(|Reverse((count, Reverse(name)))| (name, count.as_f64())).collect()
    }

    /// The tokens of all users together. O(users).
    #[must_use]
    pub fn total_tokens(&self) -> f64 {
        let now = self.ledger.bucket();
        let mut total = 0.0;
        self.for_each_account(|account| total += account.count(now).as_f64());
        total
    }

    /// How many accounts are open, with and without tokens; the shared one for newcomers is not counted.
    #[must_use]
    pub fn account_count(&self) -> usize {
        self.seats.taken() - 1
    }

    /// The extremes, at most [`staleness`](TrackerConfig::staleness) old.
    ///
    /// If the last snapshot is older, one reader makes a new one, O(users that changed since), and the others go on with
    /// the old one meanwhile; nobody waits. With a staleness of 0 every reader makes its own and waits for its turn.
    /// Where somebody calls [`upkeep`](Self::upkeep) more often than that, no reader ever has to.
    #[must_use]
    pub fn extremes(&self) -> Extremes {
        self.extremes_at(self.ledger.clock.now())
    }

    /// [`SlidingWindowTracker::extremes`], for whoever just looked at the clock.
    #[inline]
    pub(crate) fn extremes_at(&self, now: Tick) -> Extremes {
        let last = self.last_extremes();
        if self.is_fresh(&last, now) { last } else { self.renewed_extremes(last, now) }
    }

    /// With a staleness of 0 none is ever fresh.
    #[inline]
    fn is_fresh(&self, extremes: &Extremes, now: Tick) -> bool {
        let age = now.as_nanos().saturating_sub(extremes.as_of.as_nanos());
        age <= self.ledger.staleness && self.ledger.staleness > 0
    }

    #[cold]
    fn renewed_extremes(&self, last: Extremes, now: Tick) -> Extremes {
        let turn = if self.ledger.staleness == 0 { Some(self.upkeep.lock()) } else { self.upkeep.try_lock() };
        match turn {
            // Whoever had the turn before may have done the work between the two looks.
            Some(mut upkeep) => match self.last_extremes() {
                renewed if self.is_fresh(&renewed, now) => renewed,
                _ => upkeep.run(self),
            },
            None => last,
        }
    }

    /// The extremes as last published, however old: a few nanoseconds.
    #[must_use]
    pub fn last_extremes(&self) -> Extremes {
        self.extremes.with(|extremes| *extremes)
    }

    /// Publishes the extremes of now and closes the accounts of idle users: the duty of whoever keeps a timer, so that
    /// no reader has to do it. O(users that changed, or of whom something expired, since it last ran), and one
    /// look at each 64 users; waits for nobody but another upkeep.
    pub fn upkeep(&self) -> Extremes {
        self.upkeep.lock().run(self)
    }

    /// The account of that user, or, if the tracker is full, the one that it would share; `None` if the user is
    /// unknown and there is room.
    #[inline]
    pub(crate) fn account(&self, name: &str) -> Option<Account<C>> {
        if name.is_empty() {
            return None;
        }
        self.accounts.with(name, Account::clone).or_else(|| self.shares(name).then(|| self.overflow.clone()))
    }

    /// The account of that user, opened if there is none; the shared one if there is no room.
    pub(crate) fn account_or_open(&self, name: &str) -> Result<Account<C>, EmptyUser> {
        if name.is_empty() {
            return Err(EmptyUser);
        }
        if let Some(account) = self.accounts.with(name, Account::clone) {
            return Ok(account);
        }
        if name == Self::OVERFLOW {
            return Ok(self.overflow.clone());
        }
        // The time is read before the shard is locked, as a clock may be anybody's.
        let now = self.ledger.bucket();
        self.make_room(now);
        let open = |seat| Account::open(name, &self.ledger, seat, now);
        let opened = self.accounts.get_or_insert(name, || self.seats.admit(open));
        Ok(opened.unwrap_or_else(|| self.overflow.clone()))
    }

    /// Closes that account, which is the caller's own pointer to it, if it has nothing left and only the
    /// map holds it beside the caller; else gives the pointer back.
    pub(super) fn close(&self, account: Account<C>) -> Result<(), Account<C>> {
        self.accounts.remove_unheld(account, |account| account.watch().is_zero())
    }

    /// The account of that user and no other, if there is one.
    pub(super) fn own_account(&self, name: &str) -> Option<Account<C>> {
        self.accounts.with(name, Account::clone)
    }

    /// The account that newcomers share while there is no room.
    pub(super) fn overflow(&self) -> &Account<C> {
        &self.overflow
    }

    pub(super) fn upkeep_lock(&self) -> MutexGuard<'_, Upkeep<C>> {
        self.upkeep.lock()
    }

    /// Visits every account, the shared one too.
    fn for_each_account(&self, mut visit: impl FnMut(&Account<C>)) {
        visit(&self.overflow);
        self.accounts.for_each(visit);
    }

    #[inline]
    pub(crate) fn ledger(&self) -> &Ledger<C> {
        &self.ledger
    }

    pub(super) fn seats(&self) -> &Seats<C> {
        &self.seats
    }

    /// Whether a user of that name, who has no account, would share one.
    fn shares(&self, name: &str) -> bool {
        self.seats.is_full() || name == Self::OVERFLOW
    }

    /// Before an account is opened: runs the upkeep, if nobody did since the last bucket began. So a tracker is
    /// bounded by its active users even if nobody ever asks it for the extremes.
    fn make_room(&self, now: u64) {
        if self.ledger.refreshed() < now
            && let Some(mut upkeep) = self.upkeep.try_lock()
        {
            upkeep.run(self);
        }
    }
}

impl<C: Clock> TokenTracker for SlidingWindowTracker<C> {
    fn token_count(&self, user: &str) -> f64 {
        let now = self.ledger.bucket();
        let count = self.accounts.with(user, |account| account.count(now));
        // An unknown user, or one without a name: the slow way.
        count.or_else(|| Some(self.account(user)?.count(now))).unwrap_or_default().as_f64()
    }

    fn update_token_count(
        &self,
        user: &str,
        input_tokens: f64,
        output_tokens: f64,
    ) -> Result<(), UpdateError> {
        let cost = self.ledger.config.weights.cost(input_tokens, output_tokens)?;
        let now = self.ledger.bucket();
        // A known user is charged where it stands: keeping the account would cost two more read-modify-writes.
        if self.accounts.with(user, |account| account.charge(now, cost)).is_none() {
            self.account_or_open(user)?.charge(now, cost);
        }
        Ok(())
    }

    fn min_token_count(&self) -> f64 {
        self.extremes().min
    }

    fn max_token_count(&self) -> f64 {
        self.extremes().max
    }
}

impl<C> fmt::Debug for SlidingWindowTracker<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlidingWindowTracker")
            .field("accounts", &(self.seats.taken() - 1))
            .finish_non_exhaustive()
    }
}
