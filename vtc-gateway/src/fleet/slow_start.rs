//! A pod that is new, or has come back, takes a growing share: its caches are cold, and it looks idle to everybody.
//!
//! With a queue its capacity grows. Without one, each decision sees it with the probability of its share: the policy is none
//! the wiser, and what it would have sent there goes elsewhere.

use std::time::Duration;

use vtc_actor::Capacity;
use vtc_core::Tick;

/// A pod's way up, from when to how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ramp {
    since: Tick,
    span: Duration,
}

/// The share that it begins with: with none it would never get anything that could show how it does.
const LEAST: f64 = 0.1;

// === impl Ramp ===

impl Ramp {
    pub(super) const fn new(since: Tick, span: Duration) -> Self {
        Self { since, span }
    }

    /// The share of now, from a tenth to 1: linear in time.
    pub(crate) fn share(&self, now: Tick) -> f64 {
        if self.is_over(now) {
            return 1.0;
        }
        (now.since(self.since).as_secs_f64() / self.span.as_secs_f64()).max(LEAST)
    }

    pub(super) fn is_over(&self, now: Tick) -> bool {
        now.since(self.since) >= self.span
    }

    /// When the share has grown by another tenth.
    pub(super) fn next_step(&self, now: Tick) -> Tick {
        now.saturating_add((self.span / 10).max(Duration::from_millis(1)))
    }
}

/// That share of a capacity: at least one request, and one token, which lets one request go alone.
pub(super) fn part_of(capacity: Capacity, share: f64) -> Capacity {
    Capacity {
        // The casts saturate.
        max_running: capacity
            .max_running
            .map(|most| ((most as f64 * share).ceil() as usize).clamp(1, most.max(1))),
        max_tokens: capacity
            .max_tokens
            .map(|most| ((most as f64 * share).ceil() as u64).clamp(1, most.max(1))),
        ..capacity
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Tick {
        Tick::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn the_share_grows_from_a_tenth_to_all() {
        let ramp = Ramp::new(at(1000), Duration::from_secs(10));
        let shares = [0, 1000, 2000, 6000, 11_000, 99_000].map(|ms| ramp.share(at(ms)));
        assert_eq!(shares, [0.1, 0.1, 0.1, 0.5, 1.0, 1.0]);
        assert!(!ramp.is_over(at(10_999)) && ramp.is_over(at(11_000)));
    }

    proptest! {
        #[test]
        fn a_part_is_never_nothing_never_more_and_grows(most in 1_usize..1000, a in 0.1..1.0_f64, b in 0.1..1.0_f64) {
            let capacity = Capacity { max_tokens: Some(most as u64 * 7), ..Capacity::of_requests(most) };
            let [less, more] = [a.min(b), a.max(b)].map(|share| part_of(capacity, share));
            prop_assert!(less.max_running >= Some(1) && less.max_tokens >= Some(1));
            prop_assert!(less.max_running <= more.max_running && less.max_tokens <= more.max_tokens);
            prop_assert!(more.max_running <= capacity.max_running && more.max_tokens <= capacity.max_tokens);
            prop_assert_eq!(part_of(capacity, 1.0), capacity);
        }
    }
}
