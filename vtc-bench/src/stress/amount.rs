//! How much is charged.

/// So many thousandths of tokens in and out; negative ones count as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    input: i32,
    output: i32,
}

// === impl Amount ===

impl Amount {
    /// Mostly some tens of tokens; at times none, a negative number, or a thousand.
    #[inline]
    #[must_use]
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        match rng.u8(..64) {
            0 => Self { input: 0, output: 0 },
            1 => Self { input: -rng.i32(0..5_000), output: rng.i32(0..5_000) },
            2 => Self { input: rng.i32(0..1_000_000), output: -rng.i32(0..5_000) },
            _ => Self { input: rng.i32(0..40_000), output: rng.i32(0..40_000) },
        }
    }

    /// One that costs at least so many thousandths.
    #[must_use]
    pub fn at_least(thousandths: u64, rng: &mut fastrand::Rng) -> Self {
        let input = i32::try_from(thousandths).unwrap_or(i32::MAX - 40_000);
        Self { input: input + rng.i32(0..20_000), output: rng.i32(0..10_000) }
    }

    /// Tokens in, as the core takes them.
    #[inline]
    #[must_use]
    pub fn input(self) -> f64 {
        f64::from(self.input) / 1000.0
    }

    /// Tokens out.
    #[inline]
    #[must_use]
    pub fn output(self) -> f64 {
        f64::from(self.output) / 1000.0
    }

    /// What it costs by the default weights, 1 and 2, in thousandths.
    #[inline]
    #[must_use]
    pub fn cost(self) -> u64 {
        u64::from(self.input.max(0).unsigned_abs()) + 2 * u64::from(self.output.max(0).unsigned_abs())
    }
}

/// A count that was read, in thousandths. What is negative, or no number, becomes more than anything charged.
#[must_use]
pub fn thousandths(count: f64) -> u64 {
    if count >= 0.0 { (count * 1000.0).round() as u64 } else { u64::MAX }
}

#[cfg(test)]
mod tests {
    use vtc_core::TokenWeights;

    use super::*;

    #[test]
    fn the_core_rounds_none_of_them() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..100_000 {
            let least = rng.u64(..1_000_000);
            for amount in [Amount::draw(&mut rng), Amount::at_least(least, &mut rng)] {
                let cost = TokenWeights::default().cost(amount.input(), amount.output()).unwrap();
                assert_eq!(thousandths(cost.as_f64()), amount.cost(), "{amount:?}");
            }
            assert!(Amount::at_least(least, &mut rng).cost() >= least);
        }
        assert_eq!((thousandths(-0.001), thousandths(f64::NAN)), (u64::MAX, u64::MAX));
    }
}
