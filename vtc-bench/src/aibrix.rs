//! A yardstick: AIBrix's `vtc` package rendered in Rust, data structure by data structure.
//!
//! One lock over everything; per user a list and a map of buckets of one second; an index from each distinct
//! total to its users, which is scanned whenever the user with the least or the most moves. Its defects are not
//! rendered, since they would only make it do less.

use std::collections::{HashMap, HashSet, VecDeque};
#[expect(clippy::disallowed_types, reason = "the one lock is what is being compared with")]
use std::sync::RwLock;
use std::time::Duration;

use vtc_core::{Clock, PreciseClock};

/// The tracker, with the default window of five minutes.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "the one lock is what is being compared with")]
pub struct AibrixTracker {
    clock: PreciseClock,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    users: HashMap<String, User>,
    /// Users by total, in whole tokens as bits of the number.
    by_total: HashMap<u64, HashSet<String>>,
    min: f64,
    max: f64,
}

#[derive(Debug, Default)]
struct User {
    order: VecDeque<u64>,
    buckets: HashMap<u64, f64>,
    total: f64,
}

const WINDOW: Duration = Duration::from_secs(300);
const BUCKET: u64 = 1_000_000_000;

// === impl AibrixTracker ===

#[expect(clippy::disallowed_types, reason = "the one lock is what is being compared with")]
impl AibrixTracker {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self { clock: PreciseClock::new(), state: RwLock::new(State::default()) }
    }

    /// Charges so many weighted tokens.
    pub fn update(&self, user: &str, tokens: f64) {
        let now = self.clock.now().as_nanos() / BUCKET;
        let mut state = self.state.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.update(user, tokens, now);
    }

    /// The user's count, as it was left by its last update.
    pub fn count(&self, user: &str) -> f64 {
        let state = self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.users.get(user).map_or(0.0, |user| user.total)
    }

    /// The least and the most.
    pub fn extremes(&self) -> (f64, f64) {
        let state = self.state.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        (state.min, state.max)
    }

    /// `vtc-basic` over pods with these numbers of running requests, by a full scan; charges the user.
    pub fn route(&self, user: &str, tokens: f64, running: &[f64]) -> usize {
        let (count, (min, max)) = (self.count(user), self.extremes());
        let bucket = f64::midpoint(min, max).max(1000.0);
        let position = (count / bucket).min(running.len() as f64 - 1.0);
        let score = |(pod, load): (usize, &f64)| {
            let fairness = (pod as f64 - position).abs();
            (pod, fairness + (load / 100.0).min(1.0) + fastrand::f64() * 0.1)
        };
        let best = running.iter().enumerate().map(score).min_by(|a, b| a.1.total_cmp(&b.1));
        self.update(user, tokens);
        best.map_or(0, |(pod, _)| pod)
    }
}

impl Default for AibrixTracker {
    fn default() -> Self {
        Self::new()
    }
}

// === impl State ===

impl State {
    fn update(&mut self, name: &str, tokens: f64, now: u64) {
        if !self.users.contains_key(name) {
            self.users.insert(name.to_owned(), User::default());
        }
        let Some(user) = self.users.get_mut(name) else { return };
        let before = user.total;
        while user.order.front().is_some_and(|bucket| bucket + WINDOW.as_secs() < now) {
            if let Some(bucket) = user.order.pop_front() {
                user.total -= user.buckets.remove(&bucket).unwrap_or(0.0);
            }
        }
        if user.order.back() != Some(&now) {
            user.order.push_back(now);
        }
        *user.buckets.entry(now).or_default() += tokens;
        user.total += tokens;
        let after = user.total;
        self.reindex(name, before, after);
    }

    fn reindex(&mut self, name: &str, before: f64, after: f64) {
        if let Some(users) = self.by_total.get_mut(&before.to_bits()) {
            users.remove(name);
            if users.is_empty() {
                self.by_total.remove(&before.to_bits());
            }
        }
        self.by_total.entry(after.to_bits()).or_default().insert(name.to_owned());
        let moved_extreme = before == self.min || before == self.max || before == 0.0;
        if moved_extreme {
            let totals = || self.by_total.keys().map(|bits| f64::from_bits(*bits));
            (self.min, self.max) = (totals().fold(f64::INFINITY, f64::min), totals().fold(0.0, f64::max));
        } else {
            (self.min, self.max) = (self.min.min(after), self.max.max(after));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_yardstick_counts_right() {
        let tracker = AibrixTracker::new();
        for (user, tokens) in [("a", 5.0), ("b", 7.0), ("a", 10.0), ("c", 1.0), ("c", 30.0)] {
            tracker.update(user, tokens);
        }
        assert_eq!((tracker.count("a"), tracker.count("b"), tracker.count("nobody")), (15.0, 7.0, 0.0));
        assert_eq!(tracker.extremes(), (7.0, 31.0));
        assert!(tracker.route("a", 1.0, &[0.0; 8]) < 8);
        assert_eq!(tracker.count("a"), 16.0);
    }
}
