//! Takes what became of each request, one by one.

use std::sync::Arc;

use vtc_core::jain_index;
use vtc_core::queue::Weight;

use super::account::Account;
use super::gap::Gap;
use super::setting::Setting;
use super::summary::{ClientSummary, RunSummary};
use super::times::Times;
use super::windows::{TICKS, diffs};
use crate::request::Outcome;

/// Takes outcomes one by one, in any order, and says at the end what they come to.
///
/// The same outcomes in the same order give the same digits.
#[derive(Clone, Debug)]
pub struct Recorder {
    setting: Setting,
    names: Vec<(Arc<str>, Weight)>,
    accounts: Vec<Account>,
    last_arrival: f64,
    length: f64,
    most_input: u64,
}

// === impl Recorder ===

impl Recorder {
    /// Of clients that are called by their numbers and all have the weight 1.
    #[must_use]
    pub const fn new(setting: Setting) -> Self {
        Self {
            setting,
            names: Vec::new(),
            accounts: Vec::new(),
            last_arrival: 0.0,
            length: 0.0,
            most_input: 0,
        }
    }

    /// The same with names and weights: an outcome's client is an index into these. Those beyond them are called by
    /// their number and have the weight 1.
    #[must_use]
    pub fn with_clients(self, clients: impl IntoIterator<Item = (Arc<str>, Weight)>) -> Self {
        Self { names: clients.into_iter().collect(), ..self }
    }

    /// Takes one. O(ticks + bins from its first token to its end); memory for as many clients as the largest number.
    pub fn add(&mut self, outcome: &Outcome) {
        let client = outcome.client as usize;
        if self.accounts.len() <= client {
            self.accounts.resize_with(client + 1, Account::default);
        }
        self.accounts[client].add(&self.setting, outcome);
        self.last_arrival = self.last_arrival.max(outcome.arrival);
        let end = outcome.served.map_or(outcome.arrival, |served| served.end);
        self.length = self.length.max(outcome.arrival).max(end);
        self.most_input = self.most_input.max(outcome.input);
    }

    /// What they come to. Clients that never asked are left out. O(clients * bins + requests * log(requests)).
    #[must_use]
    pub fn finish(self) -> RunSummary {
        let Self { setting, names, accounts, last_arrival, length, most_input } = self;
        let asked: Vec<_> =
            accounts.into_iter().enumerate().filter(|(_, account)| account.has_asked()).collect();

        let ticks = diffs(&setting, asked.iter().map(|(_, account)| &account.windows));
        let mean = |diffs: &[f64]| diffs.iter().sum::<f64>() / diffs.len().max(1) as f64;
        let all = ticks.map(|tick| tick.diff);
        let avg_diff = mean(&all);
        let coming: Vec<_> =
            ticks.iter().filter(|tick| tick.x_s <= last_arrival).map(|tick| tick.diff).collect();

        let sum = |of: fn(&Account) -> u64| asked.iter().map(|(_, account)| of(account)).sum::<u64>();
        let (input_tokens, output_tokens) = (sum(|of| of.input), sum(|of| of.output));
        let (served, refused) = (sum(|of| of.served), sum(|of| of.refused));

        let named = |number: usize| match names.get(number) {
            Some((name, weight)) => (name.to_string(), weight.as_f64()),
            None => (number.to_string(), 1.0),
        };
        let jain = jain_index(asked.iter().map(|(number, account)| account.during / named(*number).1));
        let finish = |(number, account): (usize, Account)| {
            let (name, weight) = named(number);
            account.finish(&setting, name, weight)
        };
        let clients: Vec<ClientSummary> = asked.into_iter().map(finish).collect();
        let together = |of: fn(&ClientSummary) -> &Times| {
            Times::new(clients.iter().flat_map(|client| of(client).sorted()).copied().collect())
        };

        RunSummary {
            max_diff: all.iter().copied().fold(0.0, f64::max),
            avg_diff,
            diff_var: all.iter().map(|diff| (diff - avg_diff).powi(2)).sum::<f64>() / TICKS as f64,
            avg_diff_while_arriving: mean(&coming),
            tokens_per_s: if length > 0.0 { (input_tokens + output_tokens) as f64 / length } else { 0.0 },
            length_s: length,
            requests: served + refused,
            served,
            refused,
            input_tokens,
            output_tokens,
            jain,
            gap: Gap::new(&setting, &clients, most_input),
            first_token: together(|client| &client.first_token),
            latency: together(|client| &client.latency),
            ticks: ticks.to_vec(),
            clients,
            setting,
        }
    }
}
