//! The linear cost: so much per token read, so much per token written.

use super::{ServiceCost, Usage, check_cached};
use crate::setting::{ConfigError, not_negative};
use crate::tokens::{TokenWeights, Tokens};

/// `w_p * input + w_q * output`: 1 and 2 by default, cached input at the full price.
#[derive(Clone, Copy, Debug)]
pub struct LinearCost {
    weights: TokenWeights,
    cached: f64,
}

impl LinearCost {
    /// The cost with these weights.
    ///
    /// # Errors
    /// A weight that is negative or not finite.
    pub fn new(weights: TokenWeights) -> Result<Self, ConfigError> {
        not_negative("weights.input", weights.input)?;
        not_negative("weights.output", weights.output)?;
        Ok(Self { weights, cached: 1.0 })
    }

    /// The same, with an input token from the cache at this fraction (0 to 1) of a token that is not.
    ///
    /// # Errors
    /// What is no such fraction.
    pub fn with_cached(self, cached: f64) -> Result<Self, ConfigError> {
        check_cached(cached)?;
        Ok(Self { cached, ..self })
    }
}

impl Default for LinearCost {
    fn default() -> Self {
        Self { weights: TokenWeights::default(), cached: 1.0 }
    }
}

impl ServiceCost for LinearCost {
    fn cost(&self, usage: Usage) -> Tokens {
        let input = usage.input_discounted(self.cached);
        // Both are finite, so this is never an error.
        self.weights.cost(input, usage.output as f64).unwrap_or(Tokens::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_counts_once_output_twice_and_what_is_cached_a_part() {
        let cost = LinearCost::default();
        assert_eq!(cost.cost(Usage::new(100, 50)).as_f64(), 200.0);
        let usage = Usage { input: 100, cached: 60, output: 50 };
        assert_eq!(cost.cost(usage).as_f64(), 200.0);
        assert_eq!(cost.with_cached(0.25).unwrap().cost(usage).as_f64(), 155.0);
        assert_eq!(cost.with_cached(0.0).unwrap().cost(Usage { cached: 500, ..usage }).as_f64(), 100.0);
        assert!(LinearCost::new(TokenWeights { input: -1.0, output: 2.0 }).is_err());
    }
}
