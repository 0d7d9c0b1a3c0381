//! How much is remembered of requests.

use serde::Deserialize;
use vtc_core::ConfigError;

/// The table `[record]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordSetting {
    /// How many of the last requests are remembered, with what was decided about each: for `/v1/vtc/requests`,
    /// `/v1/vtc/explain` and the dashboard. Some kilobyte each; 0 remembers none. At most 100,000. Default 500.
    pub requests: usize,
    /// Of how many of the last requests it is remembered when they came, whose they were and what they took: for
    /// `/v1/vtc/whatif`, which replays them. 80 bytes each, in pieces of 1,024; 0 remembers none. At most 1,000,000.
    /// Default 50,000.
    pub arrivals: usize,
}

/// What a list that is searched from end to end, and kept in memory, may hold.
const MOST_REQUESTS: usize = 100_000;
/// 80 MB, and half a minute to replay.
const MOST_ARRIVALS: usize = 1_000_000;

// === impl RecordSetting ===

impl RecordSetting {
    pub(super) fn check(self) -> Result<(), ConfigError> {
        for (field, value, most) in [
            ("record.requests", self.requests, MOST_REQUESTS),
            ("record.arrivals", self.arrivals, MOST_ARRIVALS),
        ] {
            if value > most {
                return Err(ConfigError::new(field, value, format!("at most {most}")));
            }
        }
        Ok(())
    }
}

impl Default for RecordSetting {
    fn default() -> Self {
        Self { requests: 500, arrivals: 50_000 }
    }
}
