//! The paper's moving average: per user, and over all of them.

use super::{Ask, OutputPredictor, RecentUsers};

/// Per user `(4 p + length) / 5`, the first observed length at first, nothing before.
///
/// Remembers at least the last `users` users it heard of. O(1).
///
/// Source: Sheng et al., OSDI'24, VTC with length prediction; the window of five is its artifact's.
#[derive(Clone, Debug)]
pub struct MovingAverage {
    users: RecentUsers<Average>,
}

/// The same average over the answers to all users: what a newcomer may expect.
#[derive(Clone, Copy, Debug, Default)]
pub struct OverAll {
    average: Option<Average>,
}

#[derive(Clone, Copy, Debug)]
struct Average(f64);

// === impl Average ===

impl Average {
    fn moved(average: Option<Self>, length: u64) -> Self {
        let length = length as f64;
        Self(average.map_or(length, |Self(p)| (4.0 * p + length) / 5.0))
    }

    fn tokens(self) -> u64 {
        (self.0 + 0.5) as u64
    }
}

// === impl MovingAverage ===

impl MovingAverage {
    /// Remembers at least the last `users` users.
    #[must_use]
    pub fn new(users: usize) -> Self {
        Self { users: RecentUsers::new(users) }
    }
}

impl OutputPredictor for MovingAverage {
    fn predict(&self, ask: &Ask<'_>) -> Option<u64> {
        self.users.get(ask.user).map(|average| average.tokens())
    }

    fn observe(&mut self, ask: &Ask<'_>, output: u64) {
        self.users.update(ask.user, |average| Average::moved(average, output));
    }
}

// === impl OverAll ===

impl OutputPredictor for OverAll {
    fn predict(&self, _ask: &Ask<'_>) -> Option<u64> {
        self.average.map(Average::tokens)
    }

    fn observe(&mut self, _ask: &Ask<'_>, output: u64) {
        self.average = Some(Average::moved(self.average, output));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::predict::UserName;

    const fn ask(user: UserName<'_>) -> Ask<'_> {
        Ask { user, input: 0, max_output: None }
    }

    proptest! {
        #[test]
        fn a_guess_lies_between_the_shortest_and_the_longest_answer(
            lengths in proptest::collection::vec(0..10_000u64, 1..50),
        ) {
            let mut predictor = MovingAverage::new(1);
            let ask = ask(UserName::new("alice"));
            for &length in &lengths {
                predictor.observe(&ask, length);
            }
            let guess = predictor.predict(&ask).unwrap();
            prop_assert!(lengths.iter().min().unwrap() <= &guess);
            prop_assert!(lengths.iter().max().unwrap() >= &guess);
        }
    }

    #[test]
    fn it_is_the_papers() {
        let mut predictor = MovingAverage::new(10);
        let (alice, bob) = (ask(UserName::new("alice")), ask(UserName::new("bob")));
        assert_eq!(predictor.predict(&alice), None);
        for (length, guess) in [(100, 100), (200, 120), (20, 100)] {
            predictor.observe(&alice, length);
            predictor.observe(&bob, 5000);
            assert_eq!(predictor.predict(&alice), Some(guess));
        }
    }
}
