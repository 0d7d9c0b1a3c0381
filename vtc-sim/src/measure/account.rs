//! What is kept of one client while a run is recorded.

use super::setting::Setting;
use super::spread::Spread;
use super::summary::ClientSummary;
use super::times::Times;
use super::windows::Windows;
use crate::request::Outcome;

/// What is kept of one client.
#[derive(Clone, Debug, Default)]
pub struct Account {
    pub windows: Windows,
    /// Service before the warm-up was over, and from then to `T`.
    pub before: f64,
    pub during: f64,
    /// Service in each bin, up to the last in which there was some.
    bins: Vec<f64>,
    first_tokens: Vec<f64>,
    latencies: Vec<f64>,
    pub input: u64,
    pub output: u64,
    pub served: u64,
    pub refused: u64,
}

// === impl Account ===

impl Account {
    /// Whether it asked for anything at all.
    pub const fn has_asked(&self) -> bool {
        self.served + self.refused > 0
    }

    pub fn add(&mut self, setting: &Setting, outcome: &Outcome) {
        let Some(served) = outcome.served else {
            self.refused += 1;
            return;
        };
        let amount = setting.service(outcome.input, outcome.output);
        let service = Spread { from: served.first_token, to: served.end, amount };
        self.windows.add(setting, outcome.arrival, &service);
        self.before += service.within(f64::NEG_INFINITY, setting.warm_up);
        self.during += service.within(setting.warm_up, setting.duration);
        service.add_to(&mut self.bins, setting.bin, setting.bins());
        self.first_tokens.push(served.first_token - outcome.arrival);
        self.latencies.push(served.end - outcome.arrival);
        self.input += outcome.input;
        self.output += outcome.output;
        self.served += 1;
    }

    /// What it comes to, under that name and weight.
    pub fn finish(mut self, setting: &Setting, name: String, weight: f64) -> ClientSummary {
        self.bins.resize(setting.bins(), 0.0);
        let mut sum = 0.0;
        let sums = self.bins.into_iter().map(|bin| {
            sum += bin;
            sum
        });
        ClientSummary {
            client: name,
            weight,
            requests: self.served + self.refused,
            served: self.served,
            refused: self.refused,
            input_tokens: self.input,
            output_tokens: self.output,
            service: setting.service(self.input, self.output),
            first_token: Times::new(self.first_tokens),
            latency: Times::new(self.latencies),
            curve: std::iter::once(0.0).chain(sums).collect(),
            before: self.before,
        }
    }
}
