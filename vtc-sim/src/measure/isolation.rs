//! What a client loses by not being alone.

use serde::Serialize;

use super::summary::{ClientSummary, RunSummary};

/// What a client waits beside others, and what it waits alone: 99th percentiles, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Isolation {
    /// Its name.
    pub client: String,
    /// To the first token, beside the others.
    pub first_token_p99_s: f64,
    /// To the first token, alone.
    pub first_token_p99_alone_s: f64,
    /// To the end, beside the others.
    pub latency_p99_s: f64,
    /// To the end, alone.
    pub latency_p99_alone_s: f64,
}

// === impl Isolation ===

impl Isolation {
    /// Of the client of that name, in a run with others and in one without. `None` if either served it nothing.
    #[must_use]
    pub fn of(client: &str, together: &RunSummary, alone: &RunSummary) -> Option<Self> {
        let find = |run: &RunSummary| {
            let ClientSummary { first_token, latency, .. } = run.client(client)?;
            Some((first_token.quantile(0.99)?, latency.quantile(0.99)?))
        };
        let (first_token_p99_s, latency_p99_s) = find(together)?;
        let (first_token_p99_alone_s, latency_p99_alone_s) = find(alone)?;
        Some(Self {
            client: client.to_owned(),
            first_token_p99_s,
            first_token_p99_alone_s,
            latency_p99_s,
            latency_p99_alone_s,
        })
    }

    /// How many times as long the first token takes as alone: 1 is perfect isolation.
    #[must_use]
    pub fn first_token_ratio(&self) -> f64 {
        self.first_token_p99_s / self.first_token_p99_alone_s
    }
}
