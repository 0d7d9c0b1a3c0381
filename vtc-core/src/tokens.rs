//! Amounts of service: weighted tokens in fixed point.

/// An amount of weighted tokens, in thousandths of a token.
///
/// Fixed point, so that sums are exact in any order and under any interleaving, and decimal, so that
/// the weights people configure (0.1, 0.25) lose nothing. The range is 0 to [`Tokens::MAX`], some
/// 17.6 billion tokens; arithmetic saturates at both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tokens(u64);

/// A number of tokens that is not a number, or not finite. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{tokens} is not a number of tokens: it must be finite (negative counts as 0)")]
pub struct InvalidTokens {
    /// What was given.
    pub tokens: f64,
}

/// What a token of each kind weighs. The paper's cost of a request is `1 * input + 2 * output`.
///
/// Source: Sheng et al., *Fairness in Serving Large Language Models*, OSDI'24, section 4.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct TokenWeights {
    /// Weight of a token that is read; finite and not negative.
    pub input: f64,
    /// Weight of a token that is written; finite and not negative.
    pub output: f64,
}

// === impl Tokens ===

impl Tokens {
    /// No tokens.
    pub const ZERO: Self = Self(0);
    /// The largest amount: what one bucket of a window can hold.
    pub const MAX: Self = Self((1 << 44) - 1);
    /// Units per token.
    const PER_TOKEN: f64 = 1000.0;

    /// The amount nearest to `tokens`: negative becomes zero, too large becomes [`Tokens::MAX`].
    ///
    /// # Errors
    /// NaN and infinities are [`InvalidTokens`].
    pub fn new(tokens: f64) -> Result<Self, InvalidTokens> {
        if tokens.is_finite() { Ok(Self::rounded(tokens)) } else { Err(InvalidTokens { tokens }) }
    }

    /// The amount as a number of tokens: exact to a thousandth.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::PER_TOKEN
    }

    /// The sum, at most [`Tokens::MAX`].
    #[must_use]
    pub fn saturating_add(self, other: Self) -> Self {
        Self((self.0 + other.0).min(Self::MAX.0))
    }

    /// The difference, at least zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The amount in units of a thousandth: for whoever writes it down to be read by another process.
    #[must_use]
    pub const fn units(self) -> u64 {
        self.0
    }

    /// An amount of so many thousandths; at most [`Tokens::MAX`].
    #[must_use]
    pub const fn from_units(units: u64) -> Self {
        if units > Self::MAX.0 { Self::MAX } else { Self(units) }
    }

    /// For `tokens` that is not NaN. The cast rounds down and saturates, at zero for what is negative. (Not
    /// `round`, which is a function call on processors that are not assumed to have SSE 4.1.)
    #[inline]
    fn rounded(tokens: f64) -> Self {
        Self::from_units((tokens * Self::PER_TOKEN + 0.5) as u64)
    }
}

// === impl TokenWeights ===

impl TokenWeights {
    /// The cost of so many tokens read and written: `max(0, input) * w_in + max(0, output) * w_out`,
    /// rounded to a thousandth once.
    ///
    /// # Errors
    /// NaN and infinities are [`InvalidTokens`].
    #[inline]
    pub fn cost(&self, input: f64, output: f64) -> Result<Tokens, InvalidTokens> {
        for tokens in [input, output] {
            if !tokens.is_finite() {
                return Err(InvalidTokens { tokens });
            }
        }
        Ok(Tokens::rounded(input.max(0.0) * self.input + output.max(0.0) * self.output))
    }
}

impl Default for TokenWeights {
    /// 1 for input, 2 for output.
    fn default() -> Self {
        Self { input: 1.0, output: 2.0 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimal_weights_are_exact() {
        let weights = TokenWeights { input: 0.1, output: 0.25 };
        let cost = weights.cost(1.0, 1.0).unwrap();
        assert_eq!(cost.as_f64(), 0.35);
        assert_eq!((0..1000).fold(Tokens::ZERO, |sum, _| sum.saturating_add(cost)).as_f64(), 350.0);
    }

    #[test]
    fn what_is_not_a_number_is_refused_and_what_is_too_large_saturates() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Tokens::new(bad).is_err());
            assert!(TokenWeights::default().cost(bad, 0.0).is_err());
            assert!(TokenWeights::default().cost(0.0, bad).is_err());
        }
        assert_eq!(Tokens::new(-3.0).unwrap(), Tokens::ZERO);
        assert_eq!(Tokens::new(f64::MAX).unwrap(), Tokens::MAX);
        // Each is finite, the weighted sum is not.
        assert_eq!(TokenWeights::default().cost(f64::MAX, f64::MAX).unwrap(), Tokens::MAX);
        assert_eq!(Tokens::MAX.saturating_add(Tokens::MAX), Tokens::MAX);
    }

    proptest! {
        #[test]
        fn conversion_is_within_half_a_thousandth(tokens in 0.0..1e9f64) {
            let back = Tokens::new(tokens).unwrap().as_f64();
            prop_assert!((back - tokens).abs() <= 0.000_501, "{tokens} became {back}");
        }
    }
}
