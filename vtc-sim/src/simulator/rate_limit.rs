//! So many requests a minute: the baseline that wastes.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::FixedState;

/// Refuses whoever had so many requests accepted in the last 60 s. O(1) per request, memory of those 60 s.
#[derive(Debug)]
pub(super) struct RateLimit {
    most: usize,
    /// When each client's last requests were accepted, in nanoseconds.
    accepted: HashMap<u32, VecDeque<u64>, FixedState>,
}

/// 60 s.
const SPAN: u64 = 60_000_000_000;

// === impl RateLimit ===

impl RateLimit {
    pub(super) fn new(most: usize) -> Self {
        Self { most, accepted: HashMap::default() }
    }

    pub(super) fn accepts(&mut self, client: u32, now: u64) -> bool {
        let accepted = self.accepted.entry(client).or_default();
        while accepted.pop_front_if(|at| *at + SPAN <= now).is_some() {}
        let accepts = accepted.len() < self.most;
        if accepts {
            accepted.push_back(now);
        }
        accepts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_does_not_count_and_what_is_a_minute_old_neither() {
        let mut limit = RateLimit::new(2);
        let second = |second: u64| second * 1_000_000_000;
        let answers = [0, 30, 59, 60, 61, 90].map(|at| limit.accepts(1, second(at)));
        assert_eq!(answers, [true, true, false, true, false, true]);
        assert!(limit.accepts(2, second(61)), "another client");
    }
}
