//! A quantile of a user's last answers.

use super::{Ask, OutputPredictor, RecentUsers};
use crate::setting::ConfigError;

/// The length that a fraction of the user's last 16 answers did not pass: with 0.5 the median, with 0.9 a guess that
/// is rarely too short.
///
/// Remembers at least the last `users` users it heard of, 80 bytes each. O(1).
#[derive(Clone, Debug)]
pub struct Quantile {
    fraction: f64,
    users: RecentUsers<Last>,
}

/// How many answers a quantile is taken over.
const LAST: usize = 16;

/// A ring of the last lengths.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    lengths: [u32; LAST],
    /// How many there are.
    count: u8,
    /// Where the next one goes.
    next: u8,
}

// === impl Quantile ===

impl Quantile {
    /// The quantile at `fraction`, from 0 to 1, for at least the last `users` users.
    ///
    /// # Errors
    /// What is no such fraction.
    pub fn new(users: usize, fraction: f64) -> Result<Self, ConfigError> {
        if (0.0..=1.0).contains(&fraction) {
            Ok(Self { fraction, users: RecentUsers::new(users) })
        } else {
            Err(ConfigError::new("fraction", fraction, "a fraction from 0 to 1"))
        }
    }
}

impl OutputPredictor for Quantile {
    fn predict(&self, ask: &Ask<'_>) -> Option<u64> {
        self.users.get(ask.user).and_then(|last| last.quantile(self.fraction))
    }

    fn observe(&mut self, ask: &Ask<'_>, output: u64) {
        self.users.update(ask.user, |last| last.unwrap_or_default().and(output));
    }
}

// === impl Last ===

impl Last {
    fn and(mut self, length: u64) -> Self {
        if let Some(place) = self.lengths.get_mut(usize::from(self.next)) {
            *place = u32::try_from(length).unwrap_or(u32::MAX);
        }
        self.next = (self.next + 1) % LAST as u8;
        self.count = (self.count + 1).min(LAST as u8);
        self
    }

    /// The least length that at least the fraction does not pass.
    fn quantile(&self, fraction: f64) -> Option<u64> {
        let mut sorted = self.lengths;
        let sorted = sorted.get_mut(..usize::from(self.count))?;
        sorted.sort_unstable();
        let rank = (fraction * f64::from(self.count)).ceil() as usize;
        sorted.get(rank.max(1) - 1).map(|length| u64::from(*length))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::predict::UserName;

    proptest! {
        #[test]
        fn the_fraction_does_not_pass_it_and_it_is_the_least_such(
            lengths in proptest::collection::vec(0..1000u64, 1..40),
            fraction in 0.0..=1.0f64,
        ) {
            let mut predictor = Quantile::new(1, fraction).unwrap();
            let ask = Ask { user: UserName::new("alice"), input: 0, max_output: None };
            for &length in &lengths {
                predictor.observe(&ask, length);
            }
            let guess = predictor.predict(&ask).unwrap();
            let last = &lengths[lengths.len().saturating_sub(LAST)..];
            let share = |most: u64| last.iter().filter(|length| **length <= most).count() as f64 / last.len() as f64;
            prop_assert!(last.contains(&guess));
            prop_assert!(share(guess) >= fraction);
            prop_assert!(guess == *last.iter().min().unwrap() || share(guess - 1) < fraction);
        }
    }

    #[test]
    fn of_nothing_nothing_follows() {
        let ask = Ask { user: UserName::new("alice"), input: 0, max_output: None };
        assert_eq!(Quantile::new(1, 0.5).unwrap().predict(&ask), None);
        assert!(Quantile::new(1, f64::NAN).is_err() && Quantile::new(1, 1.1).is_err());
    }
}
