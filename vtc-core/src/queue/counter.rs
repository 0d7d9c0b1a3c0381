//! Virtual counters: service divided by weight, in fixed point.

use crate::setting::ConfigError;
use crate::tokens::Tokens;

/// A virtual counter: the service that a user was given, divided by its weight, and what it was lifted by.
///
/// The unit is a millionth of a weighted token at weight 1. A single charge is below 2^64 units, whatever it costs and
/// whatever the weight ([`Weight::charge`]), and a counter has 128 bits: to fill one takes more than 2^64 of the largest
/// charges, 500 years of them at one in a nanosecond. It saturates all the same: users at the ceiling are then equal
/// and go in the order of their arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Counter(u128);

/// A user's weight: of two users who always want more, one with twice the weight is served twice as much.
///
/// A number from 0.001 to 1000, exact to a thousandth; 1 by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight {
    thousandths: u32,
}

// === impl Counter ===

impl Counter {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Units per weighted token.
    const PER_TOKEN: u128 = 1_000_000;

    /// A counter of so many units.
    #[must_use]
    pub const fn from_units(units: u128) -> Self {
        Self(units)
    }

    /// The units, each a millionth of a weighted token.
    #[must_use]
    pub const fn units(self) -> u128 {
        self.0
    }

    /// The counter as weighted tokens at weight 1; rounded.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::PER_TOKEN as f64
    }

    /// This and so many units more.
    #[must_use]
    pub const fn plus(self, units: u64) -> Self {
        Self(self.0.saturating_add(units as u128))
    }

    /// This and so many units more or less, at least zero.
    #[must_use]
    pub const fn by(self, units: i128) -> Self {
        Self(self.0.saturating_add_signed(units))
    }

    /// How many units this is more than that; negative if it is less.
    #[must_use]
    pub const fn above(self, other: Self) -> i128 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// This and so many units less, at least zero.
    #[must_use]
    pub const fn minus(self, units: u128) -> Self {
        Self(self.0.saturating_sub(units))
    }
}

// === impl Weight ===

impl Weight {
    /// The weight of whoever has none of its own.
    pub const ONE: Self = Self { thousandths: 1000 };
    /// A cost's unit, a thousandth of a token, is so many thousandths of a counter's units.
    const UNITS: u64 = 1_000_000;

    /// The weight nearest to `weight`.
    ///
    /// # Errors
    /// What is not within 0.001 and 1000.
    pub fn new(weight: f64) -> Result<Self, ConfigError> {
        if (0.001..=1000.0).contains(&weight) {
            Ok(Self { thousandths: (weight * 1000.0 + 0.5) as u32 })
        } else {
            Err(ConfigError::new("weight", weight, "a number from 0.001 to 1000"))
        }
    }

    /// The weight as a number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.thousandths) / 1000.0
    }

    /// What a cost adds to the counter: the cost divided by the weight, in a counter's units, rounded down.
    ///
    /// Below 2^64: a cost is below 2^44 thousandths of a token and a weight at least 0.001, and 2^44 times a million is.
    #[must_use]
    pub fn charge(self, cost: Tokens) -> u64 {
        cost.units().saturating_mul(Self::UNITS) / u64::from(self.thousandths)
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::ONE
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_largest_charge_fits_and_the_ceiling_holds() {
        let heaviest = Weight::new(0.001).unwrap().charge(Tokens::MAX);
        assert!(heaviest < u64::MAX, "not cut off");
        assert_eq!(u128::from(heaviest), u128::from(Tokens::MAX.units()) * 1_000_000);
        let ceiling = Counter::from_units(u128::MAX);
        assert_eq!(ceiling.plus(heaviest), ceiling);
        assert_eq!(Counter::ZERO.minus(1), Counter::ZERO);
    }

    #[test]
    fn a_weight_is_within_its_range() {
        for bad in [0.0, -1.0, 0.000_9, 1000.1, f64::NAN, f64::INFINITY] {
            assert!(Weight::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Weight::new(1.0).unwrap(), Weight::ONE);
        assert_eq!(Weight::ONE.charge(Tokens::new(3.0).unwrap()), 3_000_000);
        assert_eq!(Counter::ZERO.plus(3_000_000).as_f64(), 3.0);
    }

    proptest! {
        #[test]
        fn a_charge_is_the_cost_divided_by_the_weight(tokens in 0.0..1e6f64, weight in 0.001..1000.0f64) {
            let (tokens, weight) = (Tokens::new(tokens).unwrap(), Weight::new(weight).unwrap());
            let exact = tokens.as_f64() / weight.as_f64() * 1e6;
            prop_assert!((weight.charge(tokens) as f64 - exact).abs() <= 1.0 + exact * 1e-12);
        }
    }
}
