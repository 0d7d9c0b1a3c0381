//! A quadratic cost, fitted to what an engine was measured to take.

use super::{ServiceCost, Usage, check_cached};
use crate::setting::{ConfigError, not_negative};
use crate::tokens::Tokens;

/// `2.1 p + q + 0.04 p q + 0.032 q^2 + 11.46` for p tokens read and q written: what a request took of an A10G that
/// served Llama-2-7B in full batches, in tenths of a millisecond.
///
/// Each token that is written looks back at all before it, which the two products are for; the constant is the price
/// of a request that hardly says anything. Cached input is cheaper to read, but to look back at it costs the same: the
/// discount is on the first term alone.
///
/// Source: Sheng et al., OSDI'24, the profiled cost function. The coefficients are those its artifact
/// ([VTC-artifact](https://github.com/Ying1123/VTC-artifact), `cost_func_profile` in `slora/server/router/req_queue.py`)
/// fits in milliseconds, 0.21001891, 0.10075395, 0.0039868, 0.00324733 and 1.14601454, ten times and rounded.
#[derive(Clone, Copy, Debug)]
pub struct ProfiledCost {
    terms: Terms,
    cached: f64,
}

/// The coefficients of a quadratic cost; each finite and not negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Per token read.
    pub input: f64,
    /// Per token written.
    pub output: f64,
    /// Per pair of a token read and one written.
    pub input_output: f64,
    /// Per square of the tokens written.
    pub output_squared: f64,
    /// Per request.
    pub request: f64,
}

// === impl ProfiledCost ===

impl ProfiledCost {
    /// A cost of one's own measuring.
    ///
    /// # Errors
    /// A coefficient that is negative or not finite: the cost would not be monotone.
    pub fn new(terms: Terms) -> Result<Self, ConfigError> {
        not_negative("terms.input", terms.input)?;
        not_negative("terms.output", terms.output)?;
        not_negative("terms.input_output", terms.input_output)?;
        not_negative("terms.output_squared", terms.output_squared)?;
        not_negative("terms.request", terms.request)?;
        Ok(Self { terms, cached: 1.0 })
    }

    /// The same, with reading an input token from the cache at this fraction (0 to 1) of reading one that is not.
    ///
    /// # Errors
    /// What is no such fraction.
    pub fn with_cached(self, cached: f64) -> Result<Self, ConfigError> {
        check_cached(cached)?;
        Ok(Self { cached, ..self })
    }
}

impl Default for ProfiledCost {
    /// The paper's fit.
    fn default() -> Self {
        Self { terms: Terms::default(), cached: 1.0 }
    }
}

impl Default for Terms {
    /// The paper's fit.
    fn default() -> Self {
        Self { input: 2.1, output: 1.0, input_output: 0.04, output_squared: 0.032, request: 11.46 }
    }
}

impl ServiceCost for ProfiledCost {
    fn cost(&self, usage: Usage) -> Tokens {
        let Terms { input, output, input_output, output_squared, request } = self.terms;
        let (p, q) = (usage.input as f64, usage.output as f64);
        let reading = input * usage.input_discounted(self.cached);
        let cost = reading + q * (output + input_output * p + output_squared * q) + request;
        // Finite coefficients can still have no finite sum.
        Tokens::new(cost).unwrap_or(Tokens::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_papers_and_near_its_artifacts() {
        let cost = |input, output| ProfiledCost::default().cost(Usage::new(input, output)).as_f64();
        assert_eq!(cost(0, 0), 11.46);
        assert_eq!(cost(10, 0), 32.46);
        assert_eq!(cost(10, 10), 49.66);
        // The fit in milliseconds, which the paper gives ten times and rounded.
        let fit = |x: f64, y: f64| {
            0.21001891 * x + 0.10075395 * y + 0.0039868 * x * y + 0.00324733 * y * y + 1.14601454
        };
        for (input, output) in [(8, 64), (64, 196), (256, 256), (512, 128)] {
            let ratio = cost(input, output) / (10.0 * fit(input as f64, output as f64));
            assert!((ratio - 1.0).abs() < 0.02, "{input}/{output}: {ratio}");
        }
    }

    #[test]
    fn looking_back_at_what_is_cached_costs_the_same() {
        let cost = ProfiledCost::default().with_cached(0.0).unwrap();
        let usage = Usage { input: 100, cached: 100, output: 0 };
        assert_eq!(cost.cost(usage).as_f64(), 11.46);
        let looking_back =
            |usage: Usage| cost.cost(Usage { output: 7, ..usage }).as_f64() - cost.cost(usage).as_f64();
        assert!((looking_back(usage) - looking_back(Usage { cached: 0, ..usage })).abs() < 1e-9);
    }

    #[test]
    fn what_would_not_be_monotone_is_refused_and_what_is_too_large_saturates() {
        assert!(ProfiledCost::new(Terms { output_squared: -0.1, ..Terms::default() }).is_err());
        assert!(ProfiledCost::new(Terms { request: f64::NAN, ..Terms::default() }).is_err());
        let steep = ProfiledCost::new(Terms { input: f64::MAX, ..Terms::default() }).unwrap();
        assert_eq!(steep.cost(Usage::new(u64::MAX, u64::MAX)), Tokens::MAX);
    }
}
