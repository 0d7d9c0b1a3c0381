//! A yardstick: AIBrix's `vtc` package rendered in Rust, data structure by data structure.
//!
//! One lock over everything. Per user a list of buckets of one second, oldest first, and a map that finds a bucket by
//! its second. The users' totals in a map of their own, and an index from each distinct total to its users, which is
//! scanned when the last user leaves the least or the most of them.
//!
//! Where the rendering is not the same, it does less than the original, so that the yardstick is hard rather than soft:
//!
//! - each map is asked once per operation, where the original looks the same user up four to six times, and hashes
//!   with the hasher that `vtc-core` uses;
//! - the clock is read once per operation, and an update that drops buckets moves the user in the index once;
//! - the list is an array that wraps around, not links;
//! - a route gets the loads of its pods as a slice; the original filters the pods that are ready into a new list, then
//!   looks each pod's load up in a locked cache, sets a gauge and logs;
//! - its defects are not rendered.

use std::collections::{HashMap, HashSet, VecDeque};
#[expect(clippy::disallowed_types, reason = "the one lock is what is being compared with")]
use std::sync::RwLock;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;
use vtc_core::{Clock, PreciseClock};

/// The tracker, with the default window of five minutes.
#[derive(Debug, Default)]
pub struct AibrixTracker {
    clock: PreciseClock,
    #[expect(clippy::disallowed_types, reason = "the one lock is what is being compared with")]
    state: RwLock<State>,
}

/// A name, shared by all maps: the original's strings are shared, too.
type Name = Arc<str>;

#[derive(Debug)]
struct State {
    buckets: HashMap<Name, Buckets, RandomState>,
    totals: HashMap<Name, f64, RandomState>,
    /// Users by total, which is positive, as bits of the number.
    by_total: HashMap<u64, HashSet<Name, RandomState>, RandomState>,
    min: f64,
    max: f64,
}

/// One user's.
#[derive(Debug, Default)]
struct Buckets {
    seconds: VecDeque<u64>,
    tokens: HashMap<u64, f64, RandomState>,
}

const WINDOW: u64 = 300;
const NANOS: u64 = 1_000_000_000;
/// Floor of the adaptive bucket, and what is reported as the least and the most while nobody has tokens.
const MIN_TOKENS: f64 = 1000.0;
const MAX_TOKENS: f64 = 8000.0;

// === impl AibrixTracker ===

impl AibrixTracker {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Charges so many weighted tokens. Nobody is charged without a name.
    pub fn update(&self, user: &str, tokens: f64) {
        let mut state = self.write();
        let now = self.second();
        state.update(user, tokens.max(0.0), now);
    }

    /// The user's count; if its oldest bucket has expired, after dropping what has.
    #[must_use]
    pub fn count(&self, user: &str) -> f64 {
        let state = self.read();
        let Some(buckets) = state.buckets.get(user) else { return 0.0 };
        let now = self.second();
        if !buckets.has_expired(now) {
            return state.total(user);
        }
        drop(state);
        let mut state = self.write();
        state.update(user, 0.0, now);
        state.total(user)
    }

    /// The least that any user has.
    #[must_use]
    pub fn min(&self) -> f64 {
        let min = self.read().min;
        if min == f64::MAX { MIN_TOKENS } else { min }
    }

    /// The most that any user has.
    #[must_use]
    pub fn max(&self) -> f64 {
        let max = self.read().max;
        if max == 0.0 { MAX_TOKENS } else { max }
    }

    /// `vtc-basic` over pods with these numbers of running requests, by a full scan; charges the user.
    #[must_use]
    pub fn route(&self, user: &str, tokens: f64, running: &[f64]) -> Option<usize> {
        let (count, min, max) = (self.count(user), self.min(), self.max());
        let last = running.len() as f64 - 1.0;
        let mut best = (None, f64::MAX);
        for (pod, running) in running.iter().enumerate() {
            let bucket = f64::midpoint(min, max).max(MIN_TOKENS);
            let position = (count / bucket).min(last);
            let load = (running / 100.0).min(1.0);
            let score = (pod as f64 - position).abs() + load + fastrand::f64() * 0.1;
            if score < best.1 {
                best = (Some(pod), score);
            }
        }
        self.update(user, tokens);
        best.0
    }

    fn second(&self) -> u64 {
        self.clock.now().as_nanos() / NANOS
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn total(&self, user: &str) -> f64 {
        self.totals.get(user).copied().unwrap_or(0.0)
    }

    fn update(&mut self, user: &str, tokens: f64, now: u64) {
        let (name, total) = match self.totals.get_key_value(user) {
            Some((name, total)) => (Arc::clone(name), *total),
            None => (Arc::from(user), 0.0),
        };
        if !self.buckets.contains_key(user) {
            self.buckets.insert(Arc::clone(&name), Buckets::default());
        }
        let Some(buckets) = self.buckets.get_mut(user) else { return };
        let expired = buckets.drop_expired(now);
        if tokens > 0.0 {
            buckets.add(now, tokens);
        }
        self.move_to(name, total, (total - expired + tokens).max(0.0));
    }

    /// Gives the user another total, in the index too.
    fn move_to(&mut self, name: Name, before: f64, after: f64) {
        if before == after {
            return;
        }
        let mut left_alone = false;
        if let Some(users) = self.by_total.get_mut(&before.to_bits()) {
            users.remove(&name);
            if users.is_empty() {
                self.by_total.remove(&before.to_bits());
                left_alone = true;
            }
        }
        if after > 0.0 {
            self.by_total.entry(after.to_bits()).or_default().insert(Arc::clone(&name));
        }
        self.totals.insert(name, after);
        let totals = || self.by_total.keys().map(|bits| f64::from_bits(*bits));
        if left_alone && before == self.min {
            self.min = totals().fold(f64::MAX, f64::min);
        } else if after > 0.0 {
            self.min = self.min.min(after);
        }
        if left_alone && before == self.max {
            self.max = totals().fold(0.0, f64::max);
        } else {
            self.max = self.max.max(after);
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            buckets: HashMap::default(),
            totals: HashMap::default(),
            by_total: HashMap::default(),
            min: f64::MAX,
            max: 0.0,
        }
    }
}

// === impl Buckets ===

impl Buckets {
    fn has_expired(&self, now: u64) -> bool {
        self.seconds.front().is_some_and(|second| second + WINDOW < now)
    }

    /// Drops the buckets that have expired; says what they held.
    fn drop_expired(&mut self, now: u64) -> f64 {
        let mut expired = 0.0;
        while self.has_expired(now) {
            let Some(second) = self.seconds.pop_front() else { break };
            expired += self.tokens.remove(&second).unwrap_or(0.0);
        }
        expired
    }

    fn add(&mut self, now: u64, tokens: f64) {
        let seconds = &mut self.seconds;
        *self.tokens.entry(now).or_insert_with(|| {
            seconds.push_back(now);
            0.0
        }) += tokens;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_right() {
        let tracker = AibrixTracker::new();
        assert_eq!((tracker.min(), tracker.max()), (MIN_TOKENS, MAX_TOKENS));
        for (user, tokens) in [("a", 5.0), ("b", 7.0), ("a", 10.0), ("c", 1.0), ("c", 30.0)] {
            tracker.update(user, tokens);
        }
        assert_eq!((tracker.count("a"), tracker.count("b"), tracker.count("nobody")), (15.0, 7.0, 0.0));
        assert_eq!((tracker.min(), tracker.max()), (7.0, 31.0));
        assert!(tracker.route("a", 1.0, &[0.0; 8]).is_some_and(|pod| pod < 8));
        assert_eq!((tracker.count("a"), tracker.route("a", 1.0, &[])), (16.0, None));
    }

    #[test]
    fn what_has_expired_leaves_the_totals_and_the_extremes() {
        let mut state = State::default();
        state.update("whale", 1e6, 0);
        state.update("whale", 5.0, 1);
        state.update("minnow", 10.0, 1);
        assert_eq!((state.min, state.max, state.by_total.len()), (10.0, 1_000_005.0, 2));
        state.update("whale", 1.0, WINDOW + 1);
        assert_eq!((state.min, state.max, state.total("whale")), (6.0, 10.0, 6.0));
        state.update("whale", 0.0, 3 * WINDOW);
        state.update("minnow", 0.0, 3 * WINDOW);
        assert_eq!((state.min, state.max, state.by_total.len()), (f64::MAX, 0.0, 0));
    }

    /// The running extremes against a look at every user.
    #[test]
    fn the_extremes_are_those_of_all_totals() {
        let (mut state, mut random) = (State::default(), fastrand::Rng::with_seed(7));
        for step in 0..20_000_u64 {
            let user = random.u8(..20).to_string();
            state.update(&user, f64::from(random.u8(..4)), step / 20);
            let positive = || state.totals.values().copied().filter(|total| *total > 0.0);
            assert_eq!(state.min, positive().fold(f64::MAX, f64::min));
            assert_eq!(state.max, positive().fold(0.0, f64::max));
        }
    }
}
