//! The least and the most that any user has, and the adaptive bucket that follows from them.

use crate::clock::Tick;
use crate::tokens::Tokens;

/// The range of the users' counts at one moment: an immutable snapshot.
///
/// It is exact: every charge that had returned when its making began is in it, one that was in progress may be, and
/// nothing is that had expired by `as_of`.
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
    /// The moment for which all this holds: shortly after its making began.
    pub as_of: Tick,
}

/// The least and the most of some positive counts, if there are any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// Above `most` if there are none.
    least: Tokens,
    most: Tokens,
}

// === impl Extremes ===

impl Extremes {
    /// The extremes of `users` counts in that range; the configured `floor` and `ceiling` if there are none. The
    /// floor is the bucket's, too.
    pub(crate) fn new(range: Range, users: usize, floor: f64, ceiling: f64, as_of: Tick) -> Self {
        let min = range.least().map_or(floor, Tokens::as_f64);
        let max = range.most().map_or(ceiling, Tokens::as_f64);
        Self { min, max, users, bucket: f64::midpoint(min, max).max(floor), as_of }
    }
}

// === impl Range ===

impl Range {
    /// Of no counts.
    pub(crate) const EMPTY: Self = Self { least: Tokens::MAX, most: Tokens::ZERO };

    /// The range of these counts. One of zero does not count: that user has no tokens.
    pub(crate) fn of(counts: &[Tokens]) -> Self {
        let mut range = Self::EMPTY;
        counts.iter().for_each(|count| range.include(*count));
        range
    }

    /// Widens the range to hold that count, unless it is zero.
    #[inline]
    pub(crate) fn include(&mut self, count: Tokens) {
        if !count.is_zero() {
            self.least = self.least.min(count);
            self.most = self.most.max(count);
        }
    }

    /// The range that holds both.
    #[inline]
    pub(crate) fn and(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), most: self.most.max(other.most) }
    }

    /// Whether that count is at one of its ends.
    #[inline]
    pub(crate) fn is_end(self, count: Tokens) -> bool {
        count == self.least || count == self.most
    }

    pub(crate) fn least(self) -> Option<Tokens> {
        (!self.most.is_zero()).then_some(self.least)
    }

    pub(crate) fn most(self) -> Option<Tokens> {
        (!self.most.is_zero()).then_some(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_the_middle_of_the_range_but_not_below_its_floor() {
        let of = |counts: &[f64]| {
            let counts: Vec<_> = counts.iter().map(|count| Tokens::new(*count).unwrap()).collect();
            Extremes::new(Range::of(&counts), counts.len(), 1000.0, 8000.0, Tick::ZERO)
        };
        assert_eq!((of(&[]).min, of(&[]).max, of(&[]).bucket), (1000.0, 8000.0, 4500.0));
        assert_eq!((of(&[0.0]).min, of(&[0.0]).max), (1000.0, 8000.0));
        assert_eq!(of(&[2000.0, 6000.0]).bucket, 4000.0);
        assert_eq!((of(&[0.0, 10.0, 50.0]).min, of(&[10.0, 50.0]).bucket), (10.0, 1000.0));
    }
}
