//! How fair a run was and how well it served, in the numbers by which papers compare.
//!
//! A [`Measure`] is told what became of each request, in any order, and sums up. It keeps a number per client for each
//! tick and each second of the run and two per request served, the waits, so that percentiles are exact.
//!
//! # The numbers
//!
//! The *service* of a request is what it cost: `input + 2 * output` tokens unless weights are given. It is spread evenly
//! from its first token to its last. T is the time for which requests were sent, in seconds.
//!
//! - **`max_diff`, `avg_diff`, `diff_var`** (weighted tokens per second; the last one squared): at 19 ticks `x = k (T - 30) / 20`,
//!   k = 1 to 19, look at the window from x to x + 60 s. With `y_i` the service that client i got in it, `r_i` the
//!   service of its requests that arrived in it (refused ones left out), both per second, and m the largest `y_i`, the
//!   difference is the sum over all clients of `min(m - y_i, |r_i - y_i|)`: what a client got less than the one who got most,
//!   unless it did not ask for more. They are the maximum, the mean and the population variance over the ticks.
//! - **`avg_diff_while_arriving`**: the mean over those ticks that are not after the last arrival, for runs in which that is
//!   long before T.
//! - **`gap`** (weighted tokens): the largest difference at any second, of those from 30 s to the last arrival, between the
//!   clients that had got most and least since then, each divided by its weight. For clients who always want more the
//!   bound is 2 U.
//! - **`jain_index`**: Jain's index of the clients' service in that time, each divided by its weight.
//! - **`tokens_per_s`**: input and output tokens served, unweighted, divided by the run's whole length: to its last token.
//!
//! Source of the difference: Sheng et al., *Fairness in Serving Large Language Models*, OSDI'24, section 5.1, and its artifact.

mod difference;
mod gap;
mod summary;
#[cfg(test)]
mod tests;
mod waits;

use vtc_core::TokenWeights;

use self::difference::Difference;
use self::gap::Gap;
pub use self::summary::{ClientSummary, Percentiles, Summary};
use self::waits::Waits;
use crate::request::{Outcome, Served};
use crate::workload::Client;

/// Sums up a run.
#[derive(Debug)]
pub struct Measure {
    duration: f64,
    weights: TokenWeights,
    difference: Difference,
    gap: Gap,
    clients: Vec<Account>,
    /// When the last request arrived, and when the last token came, in seconds.
    last_arrival: f64,
    last_token: f64,
    tokens: u64,
}

/// What a client has got.
#[derive(Debug, Default)]
struct Account {
    requests: u64,
    refused: u64,
    service: f64,
    waits: Waits,
}

// === impl Measure ===

impl Measure {
    /// The measure of a run to which requests are sent for so many seconds: more than 30.
    #[must_use]
    pub fn new(duration: f64) -> Self {
        Self::weighted(duration, TokenWeights::default())
    }

    /// The same with other weights of tokens.
    #[must_use]
    pub fn weighted(duration: f64, weights: TokenWeights) -> Self {
        Self {
            duration,
            weights,
            difference: Difference::new(duration),
            gap: Gap::default(),
            clients: Vec::new(),
            last_arrival: 0.0,
            last_token: 0.0,
            tokens: 0,
        }
    }

    /// One more request. O(ticks and seconds that its answer took).
    pub fn add(&mut self, outcome: &Outcome) {
        let client = outcome.client as usize;
        if client >= self.clients.len() {
            self.clients.resize_with(client + 1, Account::default);
        }
        let account = &mut self.clients[client];
        account.requests += 1;
        self.last_arrival = self.last_arrival.max(outcome.arrival);
        let Some(served) = outcome.served else {
            account.refused += 1;
            return;
        };
        let service = self.weights.input * outcome.input as f64 + self.weights.output * outcome.output as f64;
        account.service += service;
        account.waits.add(served.first_token - outcome.arrival, served.end - outcome.arrival);
        self.difference.add(client, outcome.arrival, served, service);
        self.gap.add(client, served, service);
        self.last_token = self.last_token.max(served.end);
        self.tokens += outcome.input + outcome.output;
    }

    /// What came of it all, for these clients, in the order of their numbers; any beyond them are named by their number.
    #[must_use]
    pub fn finish(mut self, clients: &[Client]) -> Summary {
        let count = self.clients.len().max(clients.len());
        self.clients.resize_with(count, Account::default);
        let clients: Vec<_> = (0..count)
            .map(|number| clients.get(number).cloned().unwrap_or_else(|| Client::new(number.to_string())))
            .collect();
        let weights: Vec<_> = clients.iter().map(|client| client.weight.as_f64()).collect();
        let (gap, shares) = self.gap.largest(&weights, self.last_arrival.min(self.duration));
        let jain_index = vtc_core::jain_index(shares);
        let diffs = self.difference.diffs(count);
        let arriving = self.difference.while_arriving(&diffs, self.last_arrival);
        let mean = |diffs: &[f64]| diffs.iter().sum::<f64>() / diffs.len().max(1) as f64;
        let avg_diff = mean(&diffs);
        let squares: Vec<_> = diffs.iter().map(|diff| (diff - avg_diff) * (diff - avg_diff)).collect();
        let sum = |count: fn(&Account) -> u64| self.clients.iter().map(count).sum();
        Summary {
            max_diff: diffs.iter().copied().fold(0.0, f64::max),
            avg_diff,
            diff_var: mean(&squares),
            avg_diff_while_arriving: mean(arriving),
            tokens_per_s: if self.last_token > 0.0 { self.tokens as f64 / self.last_token } else { 0.0 },
            gap,
            gap_bound: None,
            jain_index,
            duration_s: self.duration,
            length_s: self.last_token,
            requests: sum(|account| account.requests),
            refused: sum(|account| account.refused),
            clients: clients.into_iter().zip(self.clients).map(ClientSummary::from).collect(),
        }
    }
}

/// How much of a service that is spread over its answer falls between two moments.
fn share(served: Served, service: f64, from: f64, to: f64) -> f64 {
    let Served { first_token, end } = served;
    let span = end - first_token;
    if span > 0.0 {
        service * ((end.min(to) - first_token.max(from)) / span).max(0.0)
    } else if (from..to).contains(&end) {
        service
    } else {
        0.0
    }
}
