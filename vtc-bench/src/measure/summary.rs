//! What came of a run, as it is written.

use std::fmt;

use serde::Serialize;

use super::Account;
use crate::workload::Client;

/// What came of a run. The [module](super) says what each number is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Weighted tokens per second.
    pub max_diff: f64,
    /// Weighted tokens per second.
    pub avg_diff: f64,
    /// The square of weighted tokens per second.
    pub diff_var: f64,
    /// Weighted tokens per second.
    pub avg_diff_while_arriving: f64,
    /// Tokens per second.
    pub tokens_per_s: f64,
    /// Weighted tokens.
    pub gap: f64,
    /// What bounds the gap between clients who always want more, where it is known: 2 U, in weighted tokens.
    pub gap_bound: Option<f64>,
    /// From 1 divided by the number of clients, one has all, to 1, each has the same.
    pub jain_index: f64,
    /// For how long requests were sent, in seconds.
    pub duration_s: f64,
    /// When the last token came, in seconds.
    pub length_s: f64,
    /// Requests that came.
    pub requests: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Each client, in the order of their numbers.
    pub clients: Vec<ClientSummary>,
}

/// What a client got.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientSummary {
    /// Its name.
    pub client: String,
    /// Its weight.
    pub weight: f64,
    /// Requests that came.
    pub requests: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Weighted tokens.
    pub service: f64,
    /// From the arrival of a request to its first token.
    pub first_token: Percentiles,
    /// From the arrival of a request to its last token.
    pub latency: Percentiles,
}

/// Waits in seconds; all 0 if there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// The mean.
    pub mean: f64,
    /// The least that half of the waits do not exceed.
    pub p50: f64,
    /// The same of nine tenths.
    pub p90: f64,
    /// The same of 99 of a hundred.
    pub p99: f64,
}

// === impl Percentiles ===

impl Percentiles {
    pub(super) fn of(mut waits: Vec<f32>) -> Self {
        waits.sort_unstable_by(f32::total_cmp);
        let at = |percent: usize| {
            let rank = (waits.len() * percent).div_ceil(100);
            f64::from(waits.get(rank.saturating_sub(1)).copied().unwrap_or(0.0))
        };
        let sum: f64 = waits.iter().copied().map(f64::from).sum();
        Self { mean: sum / waits.len().max(1) as f64, p50: at(50), p90: at(90), p99: at(99) }
    }
}

// === impl ClientSummary ===

impl From<(Client, Account)> for ClientSummary {
    fn from((Client { name, weight }, account): (Client, Account)) -> Self {
        let Account { requests, refused, service, waits } = account;
        let (first_token, latency) = waits.percentiles();
        Self {
            client: name.to_string(),
            weight: weight.as_f64(),
            requests,
            refused,
            service,
            first_token,
            latency,
        }
    }
}

// === impl Summary ===

/// Of more clients than this a table shows those who got most.
const SHOWN: usize = 30;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Max Diff      {:>12.2} weighted tokens/s", self.max_diff)?;
        writeln!(f, "Avg Diff      {:>12.2} weighted tokens/s", self.avg_diff)?;
        writeln!(f, "  in arrivals {:>12.2} weighted tokens/s", self.avg_diff_while_arriving)?;
        writeln!(f, "Diff Var      {:>12.2}", self.diff_var)?;
        writeln!(f, "throughput    {:>12.1} tokens/s", self.tokens_per_s)?;
        write!(f, "largest gap   {:>12.0} weighted tokens", self.gap)?;
        match self.gap_bound {
            Some(bound) => writeln!(f, ", 2 U = {bound:.0}")?,
            None => writeln!(f)?,
        }
        writeln!(f, "Jain's index  {:>12.4}", self.jain_index)?;
        writeln!(f, "length        {:>12.1} s, requests sent for {:.0} s", self.length_s, self.duration_s)?;
        writeln!(f, "requests      {:>12}, of which refused {}", self.requests, self.refused)?;
        writeln!(f)?;
        writeln!(
            f,
            "{:>12} {:>7} {:>8} {:>8} {:>11}   first token, s: {:>7} {:>7} {:>7} {:>7}   latency, s: {:>7} {:>7}",
            "client", "weight", "requests", "refused", "service", "mean", "p50", "p90", "p99", "p50", "p99"
        )?;
        let mut clients: Vec<_> = self.clients.iter().collect();
        if clients.len() > SHOWN {
            clients.sort_by(|a, b| b.service.total_cmp(&a.service));
        }
        for client in clients.iter().take(SHOWN) {
            let (first, latency) = (client.first_token, client.latency);
            writeln!(
                f,
                "{:>12} {:>7.2} {:>8} {:>8} {:>11.0}   {:15} {:>7.2} {:>7.2} {:>7.2} {:>7.2}   {:11} {:>7.2} {:>7.2}",
                client.client,
                client.weight,
                client.requests,
                client.refused,
                client.service,
                "",
                first.mean,
                first.p50,
                first.p90,
                first.p99,
                "",
                latency.p50,
                latency.p99
            )?;
        }
        if clients.len() > SHOWN {
            writeln!(f, "{:>12} and {} more", "", clients.len() - SHOWN)?;
        }
        Ok(())
    }
}
