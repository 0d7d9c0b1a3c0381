//! How pods are spoken to.

use std::time::Duration;

use serde::Deserialize;
use vtc_core::ConfigError;

use super::{PodTlsSetting, Secret, above_zero, at_least_one};

/// `[upstream]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamSettings {
    /// How long it may take to reach a pod, and to agree on TLS with it. Default 3 s.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long it may take until a pod's answer begins. An answer that is no stream begins when all of it was
    /// generated. Default 10 min.
    #[serde(with = "humantime_serde")]
    pub first_byte_timeout: Duration,
    /// How long a pod's answer may stand still once it has begun. A stream may begin while its prompt waits in the
    /// pod. Default 5 min.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// How long a request may take from when it is sent to a pod, or the first of several, to the last byte of its
    /// answer. Default 1 h.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// How many other pods are tried when one fails before it answers. Default 2.
    pub retries: usize,
    /// The longest answer that is no stream, in bytes. Default 64 MiB.
    pub answer_bytes: usize,
    /// How often each pod is asked for its models, and so whether it is there. Default 2 s.
    #[serde(with = "humantime_serde")]
    pub poll_interval: Duration,
    /// The key that pods want to see which have none of their own.
    pub api_key: Option<Secret>,
    /// The variable of the environment that holds this key.
    pub api_key_env: Option<String>,
    /// TLS to pods with `https://`.
    pub tls: PodTlsSetting,
}

// === impl UpstreamSettings ===

impl UpstreamSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        above_zero("upstream.connect_timeout", self.connect_timeout)?;
        above_zero("upstream.first_byte_timeout", self.first_byte_timeout)?;
        above_zero("upstream.idle_timeout", self.idle_timeout)?;
        above_zero("upstream.request_timeout", self.request_timeout)?;
        at_least_one("upstream.answer_bytes", self.answer_bytes)?;
        above_zero("upstream.poll_interval", self.poll_interval)
    }
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            first_byte_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(300),
            request_timeout: Duration::from_secs(3600),
            retries: 2,
            answer_bytes: 64 << 20,
            poll_interval: Duration::from_secs(2),
            api_key: None,
            api_key_env: None,
            tls: PodTlsSetting::default(),
        }
    }
}
