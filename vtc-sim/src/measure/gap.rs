//! The accumulated gap: how far the services of clients drift apart.

use super::setting::Setting;
use super::summary::ClientSummary;

/// How far apart the services of clients were since the warm-up, each divided by its client's weight, in weighted tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gap {
    /// The largest, up to `T`.
    pub max: f64,
    /// When that was, in seconds.
    pub at: f64,
    /// `2 U` / least weight, where the tokens that the pods hold are known.
    pub bound: Option<f64>,
    /// `(seconds, gap)` at the end of each bin after the warm-up.
    pub curve: Vec<(f64, f64)>,
}

// === impl Gap ===

impl Gap {
    /// Among these clients. O(clients * bins).
    pub(super) fn new(setting: &Setting, clients: &[ClientSummary], most_input: u64) -> Self {
        let least_weight = clients.iter().map(|client| client.weight).fold(f64::INFINITY, f64::min);
        let bound = setting.lead(most_input).map(|lead| 2.0 * lead / least_weight);
        let mut gap = Self { bound, ..Self::default() };
        for bin in 0..=setting.bins() {
            let at = bin as f64 * setting.bin;
            if at <= setting.warm_up {
                continue;
            }
            let shares = clients.iter().map(|client| (client.curve[bin] - client.before) / client.weight);
            let none = (f64::INFINITY, f64::NEG_INFINITY);
            let (least, most) = shares.fold(none, |(least, most), x| (x.min(least), x.max(most)));
            let apart = (most - least).max(0.0);
            gap.curve.push((at, apart));
            if apart > gap.max {
                (gap.max, gap.at) = (apart, at);
            }
        }
        gap
    }
}
