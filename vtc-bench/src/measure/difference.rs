//! The difference of service among clients, at 19 moments of a run.

use super::share;
use crate::request::Served;

/// How long a window is, in seconds.
const WINDOW: f64 = 60.0;
/// What a run takes to warm up, in seconds.
const WARM_UP: f64 = 30.0;
/// The run is divided into so many parts, and looked at between them.
const PARTS: u32 = 20;

/// What each client asked for and got in each window.
#[derive(Debug)]
pub(super) struct Difference {
    windows: Vec<Window>,
}

#[derive(Debug)]
struct Window {
    from: f64,
    clients: Vec<Rates>,
}

/// Weighted tokens of one client in one window.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    asked: f64,
    got: f64,
}

// === impl Difference ===

impl Difference {
    pub(super) fn new(duration: f64) -> Self {
        let window = |part: u32| {
            let from = f64::from(part) * (duration - WARM_UP) / f64::from(PARTS);
            Window { from, clients: Vec::new() }
        };
        Self { windows: (1..PARTS).map(window).collect() }
    }

    pub(super) fn add(&mut self, client: usize, arrival: f64, served: Served, service: f64) {
        for window in &mut self.windows {
            let (from, to) = (window.from, window.from + WINDOW);
            let got = share(served, service, from, to);
            let asked = if (from..to).contains(&arrival) { service } else { 0.0 };
            if got > 0.0 || asked > 0.0 {
                if client >= window.clients.len() {
                    window.clients.resize(client + 1, Rates::default());
                }
                window.clients[client].got += got;
                window.clients[client].asked += asked;
            }
        }
    }

    /// The difference in each window, in weighted tokens per second.
    pub(super) fn diffs(&mut self, clients: usize) -> Vec<f64> {
        let diff = |window: &mut Window| {
            window.clients.resize(clients, Rates::default());
            let most = window.clients.iter().map(|rates| rates.got).fold(0.0, f64::max);
            let below = |rates: &Rates| (most - rates.got).min((rates.asked - rates.got).abs());
            window.clients.iter().map(below).sum::<f64>() / WINDOW
        };
        self.windows.iter_mut().map(diff).collect()
    }

    /// Those of the differences whose windows begin before the last request arrives.
    pub(super) fn while_arriving<'a>(&self, diffs: &'a [f64], last_arrival: f64) -> &'a [f64] {
        let until = self.windows.partition_point(|window| window.from <= last_arrival);
        &diffs[..until]
    }
}
