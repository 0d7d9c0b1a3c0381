//! AIBrix's environment variables: exactly these ten, every mistake an error.

use std::str::FromStr;

use super::{TimeUnit, VtcConfig};
use crate::setting::ConfigError;

const WINDOW_SIZE: &str = "AIBRIX_ROUTER_VTC_TOKEN_TRACKER_WINDOW_SIZE";
const TIME_UNIT: &str = "AIBRIX_ROUTER_VTC_TOKEN_TRACKER_TIME_UNIT";
const MIN_TOKENS: &str = "AIBRIX_ROUTER_VTC_TOKEN_TRACKER_MIN_TOKENS";
const MAX_TOKENS: &str = "AIBRIX_ROUTER_VTC_TOKEN_TRACKER_MAX_TOKENS";
const MAX_POD_LOAD: &str = "AIBRIX_ROUTER_VTC_BASIC_MAX_POD_LOAD";
const INPUT_TOKEN_WEIGHT: &str = "AIBRIX_ROUTER_VTC_BASIC_INPUT_TOKEN_WEIGHT";
const OUTPUT_TOKEN_WEIGHT: &str = "AIBRIX_ROUTER_VTC_BASIC_OUTPUT_TOKEN_WEIGHT";
const FAIRNESS_WEIGHT: &str = "AIBRIX_ROUTER_VTC_BASIC_FAIRNESS_WEIGHT";
const UTILIZATION_WEIGHT: &str = "AIBRIX_ROUTER_VTC_BASIC_UTILIZATION_WEIGHT";
const ROUTING_ALGORITHM: &str = "ROUTING_ALGORITHM";

impl VtcConfig {
    /// The names of the environment variables that are read.
    pub const VARIABLES: [&'static str; 10] = [
        WINDOW_SIZE,
        TIME_UNIT,
        MIN_TOKENS,
        MAX_TOKENS,
        MAX_POD_LOAD,
        INPUT_TOKEN_WEIGHT,
        OUTPUT_TOKEN_WEIGHT,
        FAIRNESS_WEIGHT,
        UTILIZATION_WEIGHT,
        ROUTING_ALGORITHM,
    ];

    /// The defaults, overridden by the process's environment; an empty variable counts as absent.
    ///
    /// # Errors
    /// The first variable that cannot be read or whose value is not allowed, by its name.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::default().overridden_by(|name| match std::env::var(name) {
            Ok(value) => Some(value),
            Err(std::env::VarError::NotPresent) => None,
            // Whatever replaces the bytes that are no text, no value reads so: it becomes an error below.
            Err(std::env::VarError::NotUnicode(raw)) => Some(raw.to_string_lossy().into_owned()),
        })
    }

    /// `self`, overridden by the variables that `lookup` knows: [`VtcConfig::from_env`] for a given
    /// environment, and on top of a given configuration.
    ///
    /// ```
    /// use vtc_core::VtcConfig;
    ///
    /// let config = VtcConfig::default()
    ///     .overridden_by(|name| name.ends_with("WINDOW_SIZE").then(|| "10".to_owned()))?;
    /// assert_eq!(config.tracker.window_size, 10);
    /// # Ok::<(), vtc_core::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// As [`VtcConfig::from_env`].
    pub fn overridden_by(mut self, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let lookup =
            |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let (tracker, scoring) = (&mut self.tracker, &mut self.scoring);
        // Each variable is checked as it comes in, so that an error names it and not the field.
        read(
            &lookup,
            WINDOW_SIZE,
            "a whole number of at least 1",
            |n: &u64| *n > 0,
            &mut tracker.window_size,
        )?;
        read(
            &lookup,
            TIME_UNIT,
            "milliseconds, seconds, minutes or hours",
            |_| true,
            &mut tracker.time_unit,
        )?;
        read(&lookup, MIN_TOKENS, NUMBER, not_negative, &mut tracker.min_tokens)?;
        read(&lookup, MAX_TOKENS, NUMBER, not_negative, &mut tracker.max_tokens)?;
        read(&lookup, MAX_POD_LOAD, "a number above 0", positive, &mut scoring.max_pod_load)?;
        read(&lookup, INPUT_TOKEN_WEIGHT, NUMBER, not_negative, &mut tracker.weights.input)?;
        read(&lookup, OUTPUT_TOKEN_WEIGHT, NUMBER, not_negative, &mut tracker.weights.output)?;
        read(&lookup, FAIRNESS_WEIGHT, NUMBER, not_negative, &mut scoring.fairness_weight)?;
        read(&lookup, UTILIZATION_WEIGHT, NUMBER, not_negative, &mut scoring.utilization_weight)?;
        if let Some(name) = lookup(ROUTING_ALGORITHM) {
            crate::policy::check_name(&name).map_err(|unknown| unknown.of_field(ROUTING_ALGORITHM))?;
            self.policy = name;
        }
        // Each is allowed, but not both: the one that was given is at fault, the ceiling if both were.
        let tracker = &self.tracker;
        if tracker.max_tokens < tracker.min_tokens {
            let (min, max) = (tracker.min_tokens, tracker.max_tokens);
            if lookup(MAX_TOKENS).is_some() {
                return Err(ConfigError::new(MAX_TOKENS, max, format!("at least the {min} of {MIN_TOKENS}")));
            }
            if lookup(MIN_TOKENS).is_some() {
                return Err(ConfigError::new(MIN_TOKENS, min, format!("at most the {max} of {MAX_TOKENS}")));
            }
        }
        self.validate()?;
        Ok(self)
    }
}

const NUMBER: &str = "a number that is not negative";

fn not_negative(value: &f64) -> bool {
    value.is_finite() && *value >= 0.0
}

fn positive(value: &f64) -> bool {
    value.is_finite() && *value > 0.0
}

/// Reads one variable into its field, if it is there.
fn read<T: FromStr>(
    lookup: &impl Fn(&str) -> Option<String>,
    name: &str,
    allowed: &str,
    is_allowed: impl Fn(&T) -> bool,
    field: &mut T,
) -> Result<(), ConfigError> {
    let Some(text) = lookup(name) else { return Ok(()) };
    match text.parse() {
        Ok(value) if is_allowed(&value) => {
            *field = value;
            Ok(())
        }
        _ => Err(ConfigError::new(name, text, allowed)),
    }
}

impl FromStr for TimeUnit {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "milliseconds" => Ok(Self::Milliseconds),
            "seconds" => Ok(Self::Seconds),
            "minutes" => Ok(Self::Minutes),
            "hours" => Ok(Self::Hours),
            _ => Err(ConfigError::new("time_unit", text, "milliseconds, seconds, minutes or hours")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<VtcConfig, ConfigError> {
        VtcConfig::default().overridden_by(|asked| (asked == name).then(|| value.to_owned()))
    }

    #[test]
    fn each_of_the_ten_variables_reaches_its_field() {
        assert_eq!(with(WINDOW_SIZE, "7").unwrap().tracker.window_size, 7);
        assert_eq!(with(TIME_UNIT, "hours").unwrap().tracker.time_unit, TimeUnit::Hours);
        assert_eq!(with(MIN_TOKENS, "7").unwrap().tracker.min_tokens, 7.0);
        assert_eq!(with(MAX_TOKENS, "7e3").unwrap().tracker.max_tokens, 7000.0);
        assert_eq!(with(MAX_POD_LOAD, "7").unwrap().scoring.max_pod_load, 7.0);
        assert_eq!(with(INPUT_TOKEN_WEIGHT, "0.7").unwrap().tracker.weights.input, 0.7);
        assert_eq!(with(OUTPUT_TOKEN_WEIGHT, "7").unwrap().tracker.weights.output, 7.0);
        assert_eq!(with(FAIRNESS_WEIGHT, "7").unwrap().scoring.fairness_weight, 7.0);
        assert_eq!(with(UTILIZATION_WEIGHT, " 7 ").unwrap().scoring.utilization_weight, 7.0);
        assert_eq!(with(ROUTING_ALGORITHM, "random").unwrap().policy, "random");
    }

    #[test]
    fn no_variable_and_empty_variables_mean_the_defaults() {
        assert_eq!(VtcConfig::default().overridden_by(|_| None).unwrap(), VtcConfig::default());
        assert_eq!(
            VtcConfig::default().overridden_by(|_| Some(String::new())).unwrap(),
            VtcConfig::default()
        );
    }

    #[test]
    fn a_floor_above_the_ceiling_is_told_of_the_variable_that_was_given() {
        let floor = with(MIN_TOKENS, "9000").unwrap_err();
        assert_eq!((floor.field.as_str(), floor.value.as_str()), (MIN_TOKENS, "9000"));
        assert_eq!(floor.allowed, format!("at most the 8000 of {MAX_TOKENS}"));
        let ceiling = with(MAX_TOKENS, "900").unwrap_err();
        assert_eq!((ceiling.field.as_str(), ceiling.value.as_str()), (MAX_TOKENS, "900"));
        assert_eq!(ceiling.allowed, format!("at least the 1000 of {MIN_TOKENS}"));
    }

    #[test]
    fn every_variable_refuses_nonsense_and_says_what_is_allowed() {
        for name in VtcConfig::VARIABLES {
            let error = with(name, "whatever").unwrap_err();
            assert_eq!((error.field.as_str(), error.value.as_str()), (name, "whatever"));
            assert!(!error.allowed.is_empty());
        }
        for name in [MIN_TOKENS, MAX_TOKENS, MAX_POD_LOAD, INPUT_TOKEN_WEIGHT, FAIRNESS_WEIGHT] {
            for value in ["-1", "NaN", "inf"] {
                assert_eq!(with(name, value).unwrap_err().field, name, "{value}");
            }
        }
        for value in ["0", "-5", "2.5", "99999999999999999999"] {
            assert_eq!(with(WINDOW_SIZE, value).unwrap_err().field, WINDOW_SIZE, "{value}");
        }
        assert_eq!(with(MAX_POD_LOAD, "0").unwrap_err().field, MAX_POD_LOAD);
    }
}
