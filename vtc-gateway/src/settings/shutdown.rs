//! What happens at SIGTERM before the gateway stops to accept.

use std::time::Duration;

use serde::Deserialize;

/// `[shutdown]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShutdownSetting {
    /// How long after SIGTERM it goes on to accept, while `/readyz` says that it is not ready: as long as load balancers
    /// take to notice. Default 0.
    #[serde(with = "humantime_serde")]
    pub delay: Duration,
}
