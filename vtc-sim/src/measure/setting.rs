//! What a measurement depends on.

use vtc_core::{ConfigError, TokenWeights};

/// What a measurement depends on, besides the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// `T`, how long requests come, in seconds: above the warm-up and at most [`Setting::MAX_DURATION`].
    pub duration: f64,
    /// What at the beginning is left out of the gap and of Jain's index, in seconds: not negative. 30.
    pub warm_up: f64,
    /// How long a window is, in seconds: above 0. 60.
    pub window: f64,
    /// What a token that is read and one that is written weigh. 1 and 2.
    pub weights: TokenWeights,
    /// How far apart the points of the curves are, and so the moments at which the gap is looked at, in seconds: above
    /// 0, and at most a million in `T`. 1.
    pub bin: f64,
    /// `M`, the tokens that all pods together hold: where it is known, the gap is given beside its bound.
    pub batch_tokens: Option<u64>,
}

// === impl Setting ===

impl Setting {
    /// The longest `T`, in seconds: some 115 days.
    pub const MAX_DURATION: f64 = 1e7;

    /// The measures of the published tables, for a run in which requests come for `duration` seconds.
    ///
    /// # Errors
    /// A duration that is not above 30 and at most [`Setting::MAX_DURATION`].
    pub fn new(duration: f64) -> Result<Self, ConfigError> {
        let setting = Self {
            duration,
            warm_up: 30.0,
            window: 60.0,
            weights: TokenWeights::default(),
            bin: 1.0,
            batch_tokens: None,
        };
        // No more than a million points, however long it is.
        Self { bin: f64::max(1.0, duration / 1e6), ..setting }.validated()
    }

    /// The same with points of the curves so far apart that those of so many clients are at most 8 million, which take 64 MB.
    #[must_use]
    pub fn for_clients(self, clients: usize) -> Self {
        const POINTS: f64 = 8e6;
        Self { bin: self.bin.max(self.duration * clients as f64 / POINTS), ..self }
    }

    /// The same if every field is allowed.
    ///
    /// # Errors
    /// The first that is not.
    pub fn validated(self) -> Result<Self, ConfigError> {
        let Self { duration, warm_up, window, weights, bin, .. } = self;
        let check = |field: &str, value: f64, is_allowed: bool, allowed: String| {
            if is_allowed { Ok(()) } else { Err(ConfigError::new(field, value, allowed)) }
        };
        let span = |value: f64| value.is_finite() && value >= 0.0;
        check("warm_up", warm_up, span(warm_up), "seconds, 0 or more".to_owned())?;
        let is_long = duration > warm_up && duration <= Self::MAX_DURATION;
        let long = format!("seconds above {warm_up}, the warm-up, and up to {}", Self::MAX_DURATION);
        check("duration", duration, is_long, long)?;
        check("window", window, span(window) && window > 0.0, "seconds above 0".to_owned())?;
        let least = duration / 1e6;
        check("bin", bin, bin.is_finite() && bin > 0.0 && bin >= least, format!("{least} seconds or more"))?;
        for (field, weight) in [("weights.input", weights.input), ("weights.output", weights.output)] {
            check(field, weight, span(weight), "a finite number that is not negative".to_owned())?;
        }
        Ok(self)
    }

    /// The service of so many tokens, in weighted tokens.
    pub(super) fn service(&self, input: u64, output: u64) -> f64 {
        self.weights.input * input as f64 + self.weights.output * output as f64
    }

    /// How many whole bins there are up to `T`.
    pub(super) fn bins(&self) -> usize {
        // Twice 0.3 is in 0.6 also where the division says 1.9999999999999998.
        (self.duration / self.bin + 1e-9) as usize
    }

    /// `U`: what one client gets at most from when it is chosen until it is chosen again, in weighted tokens, with
    /// `most_input` the most input of one request. See [`vtc_core::queue::bounds`].
    pub(super) fn lead(&self, most_input: u64) -> Option<f64> {
        let TokenWeights { input, output } = self.weights;
        self.batch_tokens.map(|held| output * held as f64 + (input - output).max(0.0) * most_input as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_measured_is_refused_with_what_is_allowed() {
        for duration in [30.0, 0.0, -600.0, f64::NAN, f64::INFINITY, 2e7] {
            let error = Setting::new(duration).unwrap_err();
            assert_eq!(error.field, "duration", "{duration}");
            assert!(error.to_string().contains("above 30"), "{error}");
        }
        let good = Setting::new(600.0).unwrap();
        for (field, bad) in [
            ("warm_up", Setting { warm_up: -1.0, ..good.clone() }),
            ("duration", Setting { warm_up: 600.0, ..good.clone() }),
            ("window", Setting { window: 0.0, ..good.clone() }),
            ("bin", Setting { bin: 0.0, ..good.clone() }),
            ("bin", Setting { bin: 1e-5, ..good.clone() }),
            (
                "weights.output",
                Setting { weights: TokenWeights { input: 1.0, output: f64::NAN }, ..good.clone() },
            ),
        ] {
            assert_eq!(bad.validated().unwrap_err().field, field);
        }
        assert!(Setting::new(Setting::MAX_DURATION).unwrap().bins() <= 1_000_000);
    }

    #[test]
    fn many_clients_have_few_points_each() {
        let setting = Setting::new(50_000.0).unwrap();
        assert_eq!(setting.clone().for_clients(100).bin, 1.0);
        let crowd = setting.for_clients(10_000).validated().unwrap();
        assert!((700..=800).contains(&crowd.bins()), "{}", crowd.bins());
    }

    #[test]
    fn the_lead_is_twice_the_pool_with_the_default_weights() {
        let setting = Setting { batch_tokens: Some(10_000), ..Setting::new(600.0).unwrap() };
        assert_eq!(setting.lead(1_000), Some(20_000.0));
        let dear = Setting { weights: TokenWeights { input: 2.0, output: 1.0 }, ..setting };
        assert_eq!(dear.lead(1_000), Some(11_000.0));
        assert_eq!(Setting::new(600.0).unwrap().lead(1_000), None);
    }
}
