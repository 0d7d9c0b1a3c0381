//! The least and the most that any user has, and the adaptive bucket that follows from them.

use crate::clock::Tick;
use crate::tokens::Tokens;

/// The range of the users' counts at one moment: an immutable snapshot.
///
/// It is exact for the additions that had returned by `as_of`, expiry included; one that was in progress
/// may be in it or not.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Extremes {
    /// The smallest positive count; the configured minimum while nobody has tokens.
    pub min: f64,
    /// The largest count; the configured maximum while nobody has tokens.
    pub max: f64,
    /// How many users have a positive count.
    pub users: usize,
    /// The adaptive bucket: how many tokens are one step of position. `max(min_tokens, (min + max) / 2)`.
    pub bucket: f64,
    /// The moment for which all this holds.
    pub as_of: Tick,
}

/// Collects counts, one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    min: Tokens,
    max: Tokens,
    users: usize,
}

// === impl Extremes ===

impl Extremes {
    /// What is reported while nobody has tokens: the configured least and most.
    pub(crate) fn of_nobody(least: f64, most: f64, as_of: Tick) -> Self {
        Range::default().extremes(least, most, as_of)
    }
}

// === impl Range ===

impl Range {
    /// A count of zero is not counted: that user has no tokens.
    pub(crate) fn include(&mut self, count: Tokens) {
        if !count.is_zero() {
            self.min = self.min.min(count);
            self.max = self.max.max(count);
            self.users += 1;
        }
    }

    /// The range; `least` and `most` while it is empty. `least` is the bucket's floor, too.
    pub(crate) fn extremes(&self, least: f64, most: f64, as_of: Tick) -> Extremes {
        let (min, max) = match self.users {
            0 => (least, most),
            _ => (self.min.as_f64(), self.max.as_f64()),
        };
        Extremes { min, max, users: self.users, bucket: f64::midpoint(min, max).max(least), as_of }
    }
}

impl Default for Range {
    fn default() -> Self {
        Self { min: Tokens::MAX, max: Tokens::ZERO, users: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_the_middle_of_the_range_but_not_below_its_floor() {
        let of = |counts: &[f64]| {
            let mut range = Range::default();
            counts.iter().for_each(|count| range.include(Tokens::new(*count).unwrap()));
            range.extremes(1000.0, 8000.0, Tick::ZERO)
        };
        assert_eq!((of(&[]).min, of(&[]).max, of(&[]).bucket), (1000.0, 8000.0, 4500.0));
        assert_eq!((of(&[0.0]).users, of(&[0.0]).max), (0, 8000.0));
        assert_eq!((of(&[2000.0, 6000.0]).users, of(&[2000.0, 6000.0]).bucket), (2, 4000.0));
        assert_eq!(of(&[10.0, 50.0]).bucket, 1000.0);
    }
}
