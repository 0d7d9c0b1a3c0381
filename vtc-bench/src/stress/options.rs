//! The flags.

use std::fmt;
use std::time::Duration;

use clap::{Args, ValueEnum, value_parser};
use vtc_core::{ConfigError, TimeUnit, TrackerConfig, VtcConfig};

use super::skew::Skew;

/// What is run, for how long.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Threads that operate at the same time.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = value_parser!(u32).range(1..=256))]
    pub threads: u32,
    /// Users that are charged.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub users: u32,
    /// How long to operate, in all; the laws are checked between the rounds, and that time comes on top.
    #[arg(long, value_name = "N", default_value_t = 5.0, allow_negative_numbers = true, value_parser = seconds)]
    pub seconds: f64,
    /// How unevenly users are busy: `uniform`, or `zipf:` and the exponent.
    #[arg(long, value_name = "SKEW", default_value_t = Skew::Zipf(1.1))]
    pub skew: Skew,
    /// The same number, the same operations of each thread (how the threads interleave is another matter) [default: a
    /// random one, which the report names].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Pods to route to.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = value_parser!(u32).range(1..=10_000))]
    pub pods: u32,
    /// Where the time comes from.
    #[arg(long, value_enum, default_value_t = Time::Scripted)]
    pub clock: Time,
    /// The tracker's window, in whole milliseconds [default: 60ms of scripted time, 5m of real time].
    #[arg(long, value_name = "SPAN", value_parser = humantime::parse_duration)]
    pub window: Option<Duration>,
    /// How old the extremes may be; 0s makes every read of them visit every user.
    #[arg(long, value_name = "SPAN", default_value = "1ms", value_parser = humantime::parse_duration)]
    pub staleness: Duration,
    /// Accounts there may be at a time; fewer than the users, and newcomers share one account.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = value_parser!(u32).range(1..))]
    pub max_users: u32,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where the time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Time {
    /// A clock that stands still, or that one thread turns fast: windows pass many times a second.
    Scripted,
    /// The coarse clock of the operating system, as in production.
    Coarse,
}

fn seconds(text: &str) -> Result<f64, String> {
    let allowed = || "give a number of seconds above 0 and up to 86400, like 5 or 0.5".to_owned();
    let seconds = text.parse::<f64>().map_err(|_| allowed())?;
    if seconds > 0.0 && seconds <= 86_400.0 { Ok(seconds) } else { Err(allowed()) }
}

// === impl Options ===

impl Options {
    /// The configuration of the core that these make.
    ///
    /// # Errors
    /// The first setting that the core does not allow.
    pub fn config(&self) -> Result<VtcConfig, ConfigError> {
        let window = self.window.unwrap_or(match self.clock {
            Time::Scripted => Duration::from_millis(60),
            Time::Coarse => Duration::from_secs(300),
        });
        let window_size = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        if Duration::from_millis(window_size) != window {
            let value = humantime::format_duration(window).to_string();
            return Err(ConfigError {
                field: "window".to_owned(),
                value,
                allowed: "whole milliseconds".to_owned(),
            });
        }
        let config = VtcConfig {
            tracker: TrackerConfig {
                window_size,
                time_unit: TimeUnit::Milliseconds,
                staleness: self.staleness,
                max_users: usize::try_from(self.max_users).unwrap_or(usize::MAX),
                ..TrackerConfig::default()
            },
            ..VtcConfig::default()
        };
        config.validate()?;
        Ok(config)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scripted => write!(f, "scripted"),
            Self::Coarse => write!(f, "coarse"),
        }
    }
}
