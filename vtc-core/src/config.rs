//! Configuration: plain fields with the built-in defaults, one place that says what is allowed.

mod env;

use std::time::Duration;

use crate::policy::{self, ScoringConfig, VtcBasic};
use crate::setting::{ConfigError, not_negative};
use crate::tokens::TokenWeights;
use crate::window::Window;

/// Everything the router needs: the tracker's configuration, the weights of `vtc-basic` and the policy
/// that decides when a request names none.
///
/// `Default` is the built-in defaults; [`VtcConfig::from_env`] is those, overridden by AIBrix's
/// environment variables.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct VtcConfig {
    /// The policy for requests that name none: one of [`policy::NAMES`].
    pub policy: String,
    /// The tracker: the window, the weights of tokens, the bounds.
    pub tracker: TrackerConfig,
    /// The weights of the score of `vtc-basic`.
    pub scoring: ScoringConfig,
}

/// Configuration of one tracker. It belongs to that tracker alone: nothing of it is process-wide.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct TrackerConfig {
    /// The window's length, in units of `time_unit`; at least 1. Default 5.
    pub window_size: u64,
    /// The unit of `window_size`. Default minutes.
    pub time_unit: TimeUnit,
    /// The width of a bucket, which is the window's precision: a charge counts for the window and up to
    /// one width more. At least 1 ms, at most the window. A user costs 8 bytes per bucket.
    ///
    /// Default (`None`): a sixtieth of the window in whole milliseconds, but at least 1 s, or 1 ms for a
    /// window in milliseconds. AIBrix's own precision is always 1 s, or 1 ms.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub bucket_width: Option<Duration>,
    /// Floor of the adaptive bucket, and the minimum that is reported while nobody has tokens. Default 1000.
    pub min_tokens: f64,
    /// The maximum that is reported while nobody has tokens. Default 8000.
    pub max_tokens: f64,
    /// What a token weighs. Default 1 for input, 2 for output.
    pub weights: TokenWeights,
    /// How old the extremes may be when they are read; 0 makes every read exact. Default 100 ms.
    #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
    pub staleness: Duration,
    /// How many users may have an account of their own at a time; at least 1. Newcomers beyond it share one
    /// account, so that nobody escapes fairness by inventing names. Default 1,000,000.
    pub max_users: usize,
}

/// The unit in which a window is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub enum TimeUnit {
    /// 1 ms; buckets can be as narrow as that.
    Milliseconds,
    /// 1 s.
    Seconds,
    /// 60 s.
    #[default]
    Minutes,
    /// 3,600 s.
    Hours,
}

/// More buckets than this are a mistake: 800 kB per user.
const MOST_BUCKETS: u128 = 100_000;
/// So many that their numbers fit 32 bits.
const MOST_USERS: usize = 4_000_000_000;
/// The longest window, a century: longer ones would not fit the clock.
const LONGEST_WINDOW: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

// === impl VtcConfig ===

impl VtcConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.tracker.validate()?;
        self.scoring.validate()?;
        policy::check_name(&self.policy).map_err(|unknown| unknown.of_field("policy"))
    }
}

impl Default for VtcConfig {
    fn default() -> Self {
        Self {
            policy: VtcBasic::NAME.to_owned(),
            tracker: TrackerConfig::default(),
            scoring: ScoringConfig::default(),
        }
    }
}

// === impl TrackerConfig ===

impl TrackerConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let span = self.span();
        if self.window_size == 0 || span > LONGEST_WINDOW {
            return Err(ConfigError::new(
                "window_size",
                self.window_size,
                "a window of at least 1 unit and at most 100 years",
            ));
        }
        let width = self.width();
        if width < Duration::from_millis(1) || width > span {
            return Err(ConfigError::new(
                "bucket_width",
                format!("{width:?}"),
                "at least 1 ms and at most the window",
            ));
        }
        if span.as_nanos().div_ceil(width.as_nanos()) > MOST_BUCKETS {
            return Err(ConfigError::new(
                "bucket_width",
                format!("{width:?}"),
                "a width of which at most 100,000 make the window",
            ));
        }
        not_negative("min_tokens", self.min_tokens)?;
        not_negative("max_tokens", self.max_tokens)?;
        if self.max_tokens < self.min_tokens {
            return Err(ConfigError::new("max_tokens", self.max_tokens, "at least min_tokens"));
        }
        not_negative("weights.input", self.weights.input)?;
        not_negative("weights.output", self.weights.output)?;
        if !(1..=MOST_USERS).contains(&self.max_users) {
            return Err(ConfigError::new(
                "max_users",
                self.max_users,
                "at least 1 and at most 4,000,000,000",
            ));
        }
        Ok(())
    }

    /// The window's length.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.time_unit.times(self.window_size)
    }

    /// The width of a bucket that is in force.
    #[must_use]
    pub fn width(&self) -> Duration {
        self.bucket_width.unwrap_or_else(|| {
            let sixtieth = self.span().as_millis().div_ceil(60);
            Duration::from_millis(u64::try_from(sixtieth).unwrap_or(u64::MAX)).max(self.time_unit.finest())
        })
    }

    pub(crate) fn window(&self) -> Window {
        Window::new(self.span(), self.width())
    }
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            window_size: 5,
            time_unit: TimeUnit::default(),
            bucket_width: None,
            min_tokens: 1000.0,
            max_tokens: 8000.0,
            weights: TokenWeights::default(),
            staleness: Duration::from_millis(100),
            max_users: 1_000_000,
        }
    }
}

// === impl TimeUnit ===

impl TimeUnit {
    fn times(self, count: u64) -> Duration {
        match self {
            Self::Milliseconds => Duration::from_millis(count),
            Self::Seconds => Duration::from_secs(count),
            Self::Minutes => Duration::from_secs(count.saturating_mul(60)),
            Self::Hours => Duration::from_secs(count.saturating_mul(3600)),
        }
    }

    /// The narrowest bucket that is taken by default.
    const fn finest(self) -> Duration {
        match self {
            Self::Milliseconds => Duration::from_millis(1),
            Self::Seconds | Self::Minutes | Self::Hours => Duration::from_secs(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_allowed_and_costs_61_buckets() {
        let config = VtcConfig::default();
        config.validate().unwrap();
        assert_eq!(config.tracker.width(), Duration::from_secs(5));
        assert_eq!(config.tracker.window().buckets(), 61);
    }

    #[test]
    fn the_default_width_is_a_sixtieth_but_never_finer_than_the_unit_allows() {
        let width =
            |window_size, time_unit| TrackerConfig { window_size, time_unit, ..Default::default() }.width();
        assert_eq!(width(10, TimeUnit::Seconds), Duration::from_secs(1));
        assert_eq!(width(1, TimeUnit::Hours), Duration::from_secs(60));
        assert_eq!(width(100, TimeUnit::Milliseconds), Duration::from_millis(2), "whole milliseconds");
        assert_eq!(width(30, TimeUnit::Milliseconds), Duration::from_millis(1));
    }

    #[test]
    fn each_bad_field_is_named_with_its_value_and_what_is_allowed() {
        type Spoil = fn(&mut VtcConfig);
        let cases: [(&str, Spoil); 14] = [
            ("window_size", |c| c.tracker.window_size = 0),
            ("window_size", |c| c.tracker.window_size = u64::MAX),
            ("bucket_width", |c| c.tracker.bucket_width = Some(Duration::ZERO)),
            ("bucket_width", |c| c.tracker.bucket_width = Some(Duration::from_secs(301))),
            ("bucket_width", |c| c.tracker.bucket_width = Some(Duration::from_millis(1))),
            ("min_tokens", |c| c.tracker.min_tokens = f64::NAN),
            ("max_tokens", |c| c.tracker.max_tokens = 1.0),
            ("weights.input", |c| c.tracker.weights.input = -1.0),
            ("weights.output", |c| c.tracker.weights.output = f64::INFINITY),
            ("max_users", |c| c.tracker.max_users = 0),
            ("max_users", |c| c.tracker.max_users = usize::MAX),
            ("max_pod_load", |c| c.scoring.max_pod_load = 0.0),
            ("fairness_weight", |c| c.scoring.fairness_weight = -0.5),
            ("policy", |c| c.policy = "fastest".to_owned()),
        ];
        for (field, spoil) in cases {
            let mut config = VtcConfig::default();
            spoil(&mut config);
            let error = config.validate().unwrap_err();
            assert_eq!(error.field, field);
            assert!(error.to_string().contains("; give "), "{error}");
        }
    }
}
