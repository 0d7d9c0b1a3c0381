//! When a pod is trusted with requests.

use std::time::Duration;

use serde::Deserialize;
use vtc_core::ConfigError;

use super::above_zero;

/// The table `[health]`: when a pod is trusted with requests, and with how many.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthSetting {
    /// So many checks in a row that a pod does not answer take it off. A connection that it refuses to a request does so
    /// at once. Default 2.
    pub unhealthy_after: u32,
    /// So many checks in a row that it answers put it on. Default 1.
    pub healthy_after: u32,
    /// A path that has to answer with a status of 2xx besides, as `/health`; absent: only the models are asked for.
    pub path: Option<String>,
    /// Over how long a pod that comes, or comes back, while others serve its models takes a growing share. Default 30 s;
    /// 0 s gives it all at once.
    #[serde(with = "humantime_serde")]
    pub slow_start: Duration,
    /// Whether `/metrics` of pods is read. Default true.
    pub scrape: bool,
    /// When a pod that answers checks but fails requests gets none.
    pub breaker: BreakerSetting,
    /// How many requests may go to another pod after the first failed.
    pub retry_budget: RetryBudgetSetting,
}

/// The table `[health.breaker]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSetting {
    /// So many requests in a row that fail open it. Default 5.
    pub in_a_row: u32,
    /// The part of the requests in the window, above 0 to 1, that opens it if they fail. Default 0.5.
    pub ratio: f64,
    /// How many requests there must be in the window for that. Default 20.
    pub least: u32,
    /// The window. Default 30 s.
    #[serde(with = "humantime_serde")]
    pub window: Duration,
    /// How long it stays open the first time; doubled each time that the request it then lets through fails too. Default
    /// 1 s.
    #[serde(with = "humantime_serde")]
    pub back_off: Duration,
    /// The longest that it stays open. Default 60 s.
    #[serde(with = "humantime_serde")]
    pub longest_back_off: Duration,
}

/// The table `[health.retry_budget]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryBudgetSetting {
    /// The part of the requests of the last 10 s, 0 or more, that may be tried again. Default 0.2.
    pub share: f64,
    /// So many more per second, 0 or more, on average over these 10 s. Default 3.
    pub per_second: f64,
}

// === impl HealthSetting ===

impl HealthSetting {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        at_least_one("health.unhealthy_after", self.unhealthy_after)?;
        at_least_one("health.healthy_after", self.healthy_after)?;
        if let Some(path) = self.path.as_ref()
            && !(path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(ConfigError::new("health.path", path, "a path, as /health"));
        }
        self.breaker.check()?;
        self.retry_budget.check()
    }
}

impl Default for HealthSetting {
    fn default() -> Self {
        Self {
            unhealthy_after: 2,
            healthy_after: 1,
            path: None,
            slow_start: Duration::from_secs(30),
            scrape: true,
            breaker: BreakerSetting::default(),
            retry_budget: RetryBudgetSetting::default(),
        }
    }
}

fn at_least_one(field: &str, number: u32) -> Result<(), ConfigError> {
    if number == 0 { Err(ConfigError::new(field, 0, "at least 1")) } else { Ok(()) }
}

// === impl BreakerSetting ===

impl BreakerSetting {
    fn check(&self) -> Result<(), ConfigError> {
        at_least_one("health.breaker.in_a_row", self.in_a_row)?;
        at_least_one("health.breaker.least", self.least)?;
        if !(self.ratio > 0.0 && self.ratio <= 1.0) {
            return Err(ConfigError::new("health.breaker.ratio", self.ratio, "a part, above 0 to 1"));
        }
        above_zero("health.breaker.window", self.window)?;
        above_zero("health.breaker.back_off", self.back_off)?;
        if self.longest_back_off < self.back_off {
            let given = format!("{:?}", self.longest_back_off);
            return Err(ConfigError::new("health.breaker.longest_back_off", given, "at least back_off"));
        }
        Ok(())
    }
}

impl Default for BreakerSetting {
    fn default() -> Self {
        Self {
            in_a_row: 5,
            ratio: 0.5,
            least: 20,
            window: Duration::from_secs(30),
            back_off: Duration::from_secs(1),
            longest_back_off: Duration::from_secs(60),
        }
    }
}

// === impl RetryBudgetSetting ===

impl RetryBudgetSetting {
    fn check(&self) -> Result<(), ConfigError> {
        for (field, value) in
            [("health.retry_budget.share", self.share), ("health.retry_budget.per_second", self.per_second)]
        {
            if !(value.is_finite() && value >= 0.0) {
                return Err(ConfigError::new(field, value, "a number, 0 or more"));
            }
        }
        Ok(())
    }
}

impl Default for RetryBudgetSetting {
    fn default() -> Self {
        Self { share: 0.2, per_second: 3.0 }
    }
}
