//! Which paths there are.

use serde::Deserialize;

/// The table `[endpoints]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointsSetting {
    /// Whether requests for paths under `/v1/` that the gateway does not know go to pods. Default `true`. Servers may
    /// have more there than clients should reach: vLLM loads adapters by such a path, if it is told to.
    pub pass_unknown: bool,
}

// === impl EndpointsSetting ===

impl Default for EndpointsSetting {
    fn default() -> Self {
        Self { pass_unknown: true }
    }
}
