//! What serving a request costs: a function of the tokens it reads and writes.
//!
//! The fair queue charges a request `cost(input, 0)` when it is dispatched and the increments as tokens flow, so any
//! function will do that never shrinks when tokens are added. Which one describes the machine best decides what
//! "the same share" means; it changes no rule of the queue.
//!
//! Source: Sheng et al., *Fairness in Serving Large Language Models*, OSDI'24: the linear cost, the general cost
//! functions and the profiled quadratic one.

mod linear;
mod profiled;

use std::fmt;

pub use self::linear::LinearCost;
pub use self::profiled::ProfiledCost;
use crate::setting::ConfigError;
use crate::tokens::Tokens;

/// The tokens that a request has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read, those from the cache included.
    pub input: u64,
    /// Tokens read that the engine had in its cache; more than `input` counts as `input`.
    pub cached: u64,
    /// Tokens written.
    pub output: u64,
}

/// The cost of serving a request.
///
/// Must be monotone: more input or output never costs less, and more of the input from the cache never costs more.
pub trait ServiceCost: fmt::Debug + Send + Sync {
    /// The cost of so many tokens, at most [`Tokens::MAX`].
    fn cost(&self, usage: Usage) -> Tokens;
}

// === impl Usage ===

impl Usage {
    /// Tokens read and written, none of them from the cache.
    #[must_use]
    pub const fn new(input: u64, output: u64) -> Self {
        Self { input, cached: 0, output }
    }

    /// Tokens read, each cached one counted as a fraction of a token.
    fn input_discounted(self, cached: f64) -> f64 {
        let from_cache = self.cached.min(self.input);
        (self.input - from_cache) as f64 + from_cache as f64 * cached
    }
}

impl<C: ServiceCost + ?Sized> ServiceCost for Box<C> {
    fn cost(&self, usage: Usage) -> Tokens {
        (**self).cost(usage)
    }
}

/// Checks what a cached token counts.
fn check_cached(cached: f64) -> Result<(), ConfigError> {
    if (0.0..=1.0).contains(&cached) {
        Ok(())
    } else {
        Err(ConfigError::new("cached", cached, "a fraction from 0 to 1"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_cost_is_monotone(
            input in 0..100_000u64,
            cached in 0..100_000u64,
            output in 0..100_000u64,
            more in 0..1000u64,
            fraction in 0.0..=1.0f64,
        ) {
            let costs: [Box<dyn ServiceCost>; 2] = [
                Box::new(LinearCost::default().with_cached(fraction).unwrap()),
                Box::new(ProfiledCost::default().with_cached(fraction).unwrap()),
            ];
            for cost in costs {
                let usage = Usage { input, cached, output };
                let of = |usage| cost.cost(usage);
                prop_assert!(of(Usage { input: input + more, ..usage }) >= of(usage), "more input");
                prop_assert!(of(Usage { output: output + more, ..usage }) >= of(usage), "more output");
                prop_assert!(of(Usage { cached: cached + more, ..usage }) <= of(usage), "more of it cached");
            }
        }
    }

    #[test]
    fn a_fraction_is_a_fraction() {
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(LinearCost::default().with_cached(bad).is_err());
            assert!(ProfiledCost::default().with_cached(bad).is_err());
        }
    }
}
