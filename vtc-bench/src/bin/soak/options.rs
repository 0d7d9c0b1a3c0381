//! The flags.

use std::time::Duration;

use clap::Parser;

/// Puts load and faults on a gateway, and checks that every request and every token is accounted for.
#[derive(Clone, Debug, Parser)]
#[command(name = "soak", version)]
pub struct Options {
    /// How long, in seconds.
    #[arg(long, value_name = "N", default_value_t = 10)]
    seconds: u64,
    /// After so many requests, however long it takes.
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    requests: Option<u64>,
    /// How many clients ask at the same time.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub clients: u64,
    /// How many connections beside them are open and idle.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub idle: u64,
    /// How many milliseconds a client rests between requests: without, the load is all that there is room for.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    rest: u64,
    /// How many pods there are.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub pods: u32,
    /// The gateway's queue.
    #[arg(long, value_name = "NAME", default_value = "none")]
    pub queue: String,
    /// The part of connections, clients and pods with which something is wrong, from 0 to 1.
    #[arg(long, value_name = "PART", default_value_t = 0.3)]
    pub faults: f64,
    /// Only requests of this course, as the table calls it: to find out whose tokens are wrong.
    #[arg(long, value_name = "COURSE")]
    pub only: Option<String>,
    /// What all draws follow from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Longer than anybody waits.
const HOUR: Duration = Duration::from_secs(3600);

// === impl Options ===

impl Options {
    /// For how long clients begin requests.
    pub fn length(&self) -> Duration {
        self.requests.map_or(Duration::from_secs(self.seconds), |_| HOUR)
    }

    /// How many they begin at most.
    pub fn requests(&self) -> u64 {
        self.requests.unwrap_or(u64::MAX)
    }

    /// How long a client rests between requests.
    pub fn pause(&self) -> Duration {
        Duration::from_millis(self.rest)
    }
}
