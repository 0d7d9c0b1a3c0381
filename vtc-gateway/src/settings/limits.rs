//! What a client may send, and how long.

use std::time::Duration;

use serde::Deserialize;
use vtc_core::ConfigError;

use super::{above_zero, at_least_one};

/// `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The longest body, in bytes. Default 32 MiB.
    pub body_bytes: usize,
    /// How long a body may take to arrive. Default 30 s.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// The longest head of a request, in bytes of its target and its headers. Default 32 KiB. Above 128 KiB, or 96 headers,
    /// the HTTP library itself refuses, with 431 and an empty body.
    pub header_bytes: usize,
    /// The most connections of clients at the same time, rounded up to a multiple of the workers; further ones wait to be
    /// accepted. Default 25,000 per worker.
    pub connections: Option<usize>,
    /// The most connections of one client; what comes over further ones is refused. Trusted proxies are not counted.
    /// Default: no limit.
    pub connections_per_client: Option<usize>,
}

// === impl Limits ===

impl Limits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        at_least_one("limits.body_bytes", self.body_bytes)?;
        above_zero("limits.body_timeout", self.body_timeout)?;
        at_least_one("limits.header_bytes", self.header_bytes)?;
        at_least_one("limits.connections", self.connections.unwrap_or(1))?;
        at_least_one("limits.connections_per_client", self.connections_per_client.unwrap_or(1))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 32 << 20,
            body_timeout: Duration::from_secs(30),
            header_bytes: 32 << 10,
            connections: None,
            connections_per_client: None,
        }
    }
}
