//! The windows at the ticks: who got and wanted how much in each, and how far that is from fair.

use serde::Serialize;

use super::setting::Setting;
use super::spread::Spread;

/// How many ticks there are.
pub const TICKS: usize = 19;

/// What was measured in one window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tick {
    /// When the window begins, in seconds.
    pub x_s: f64,
    /// The diff in it, in weighted tokens per second.
    pub diff: f64,
}

/// What one client got and wanted in each window, in weighted tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Windows {
    got: [f64; TICKS],
    wanted: [f64; TICKS],
}

/// When the windows begin, in seconds.
pub fn ticks(setting: &Setting) -> [f64; TICKS] {
    std::array::from_fn(|k| (k + 1) as f64 * (setting.duration - setting.warm_up) / (TICKS + 1) as f64)
}

/// The diff in each window.
pub fn diffs<'a>(setting: &Setting, clients: impl Iterator<Item = &'a Windows> + Clone) -> [Tick; TICKS] {
    let xs = ticks(setting);
    std::array::from_fn(|k| {
        let most = clients.clone().map(|client| client.got[k]).fold(0.0, f64::max);
        let diff = |client: &Windows| {
            let (got, wanted) = (client.got[k], client.wanted[k]);
            (most - got).min((wanted - got).abs())
        };
        Tick { x_s: xs[k], diff: clients.clone().map(diff).sum::<f64>() / setting.window }
    })
}

// === impl Windows ===

impl Windows {
    /// A served request that came then, and its service.
    pub fn add(&mut self, setting: &Setting, arrival: f64, service: &Spread) {
        for (k, from) in ticks(setting).into_iter().enumerate() {
            let to = from + setting.window;
            self.got[k] += service.within(from, to);
            if (from..to).contains(&arrival) {
                self.wanted[k] += service.amount;
            }
        }
    }
}
