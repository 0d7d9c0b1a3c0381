//! When the settings are read again while the gateway runs: the table `[reload]`.

use std::time::Duration;

use serde::Deserialize;
use vtc_core::ConfigError;

use super::above_zero;

/// The table `[reload]`. SIGHUP has them read again whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReloadSetting {
    /// Whether the files are watched: that of the settings, and that of the keys. Default true.
    pub watch: bool,
    /// How often they are looked at. What has changed counts once it stands still for two looks. Default 2 s.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
}

// === impl ReloadSetting ===

impl ReloadSetting {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        above_zero("reload.every", self.every)
    }
}

impl Default for ReloadSetting {
    fn default() -> Self {
        Self { watch: true, every: Duration::from_secs(2) }
    }
}
