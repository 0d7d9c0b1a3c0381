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
}

/// What a list that is searched from end to end, and kept in memory, may hold.
const MOST_REQUESTS: usize = 100_000;

// === impl RecordSetting ===

impl RecordSetting {
    pub(super) fn check(self) -> Result<(), ConfigError> {
        if self.requests > MOST_REQUESTS {
            let allowed = format!("at most {MOST_REQUESTS}");
            return Err(ConfigError::new("record.requests", self.requests, allowed));
        }
        Ok(())
    }
}

impl Default for RecordSetting {
    fn default() -> Self {
        Self { requests: 500 }
    }
}
