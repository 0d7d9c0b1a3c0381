//! Where traces go.

use serde::Deserialize;
use vtc_core::ConfigError;

/// `[traces]`. Needs a binary with the feature `otel`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TracesSetting {
    /// The collector that gets them by OTLP over HTTP, as `http://127.0.0.1:4318`; without a path, `/v1/traces` is
    /// meant. Without it there are none.
    pub endpoint: Option<String>,
    /// The share of traces that the gateway begins and that are kept, 0 to 1. Those that clients have begun are kept if
    /// they say so. Default 1.
    pub sample: f64,
    /// Whether they name users. Default no.
    pub users: bool,
    /// What the gateway is called in them. Default `vtc-gateway`.
    pub service: String,
}

// === impl TracesSetting ===

impl TracesSetting {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(0.0..=1.0).contains(&self.sample) {
            return Err(ConfigError::new("traces.sample", self.sample, "a share, 0 to 1"));
        }
        let Some(endpoint) = &self.endpoint else { return Ok(()) };
        let odd = |allowed| Err(ConfigError::new("traces.endpoint", endpoint, allowed));
        if cfg!(not(feature = "otel")) {
            return odd("none, or build the gateway with the feature `otel`");
        }
        let url = endpoint.parse::<http::Uri>();
        let is_url = |url: http::Uri| {
            matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|it| !it.is_empty())
        };
        if url.is_ok_and(is_url) { Ok(()) } else { odd("a URL, as http://127.0.0.1:4318") }
    }

    /// The URL to which they are sent.
    #[cfg(feature = "otel")]
    pub(crate) fn url(&self) -> Option<String> {
        let endpoint = self.endpoint.as_deref()?.trim_end_matches('/');
        let has_path = endpoint.splitn(4, '/').nth(3).is_some();
        Some(if has_path { endpoint.to_owned() } else { format!("{endpoint}/v1/traces") })
    }
}

impl Default for TracesSetting {
    fn default() -> Self {
        Self { endpoint: None, sample: 1.0, users: false, service: "vtc-gateway".to_owned() }
    }
}
