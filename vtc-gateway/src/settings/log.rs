//! What is logged, and how.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use vtc_core::ConfigError;

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSetting {
    /// How a line looks. Default `text`.
    pub format: LogFormat,
    /// From which level on, as `info`, or in the form of `RUST_LOG`, which goes before it. Default `info`.
    pub level: String,
    /// Whether each request that goes to pods gets a line when it has ended, at level `info`. Default no: at ten thousand
    /// requests a second they cost more than the rest of the gateway.
    pub requests: bool,
    /// Whether these lines name users. Default no.
    pub users: bool,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// To be read by people.
    #[default]
    Text,
    /// An object of JSON a line.
    Json,
}

// === impl LogSetting ===

impl LogSetting {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        const ALLOWED: &str = "error, warn, info, debug or trace, or levels by target as in RUST_LOG";
        let read = EnvFilter::builder().parse(&self.level);
        read.map(drop).map_err(|_| ConfigError::new("log.level", &self.level, ALLOWED))
    }
}

impl Default for LogSetting {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned(), requests: false, users: false }
    }
}
