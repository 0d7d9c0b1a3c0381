//! How far the client who got most is ahead of the one who got least, second by second.

use super::share;
use crate::request::Served;

/// From when on it is counted, in seconds.
const FROM: usize = 30;

/// The service of each client in each second since the warm-up.
#[derive(Debug, Default)]
pub(super) struct Gap {
    seconds: Vec<Vec<f64>>,
}

// === impl Gap ===

impl Gap {
    pub(super) fn add(&mut self, client: usize, served: Served, service: f64) {
        if client >= self.seconds.len() {
            self.seconds.resize_with(client + 1, Vec::new);
        }
        let seconds = &mut self.seconds[client];
        let last = served.end as usize;
        let since_warm_up = |second: usize| second.checked_sub(FROM);
        let Some(size) = since_warm_up(last + 1) else { return };
        if size > seconds.len() {
            seconds.resize(size, 0.0);
        }
        for second in (served.first_token as usize).max(FROM)..=last {
            seconds[second - FROM] += share(served, service, second as f64, second as f64 + 1.0);
        }
    }

    /// The largest gap from the warm-up until then, and what each client had got by then, divided by its weight.
    pub(super) fn largest(&self, weights: &[f64], until: f64) -> (f64, Vec<f64>) {
        let mut sums = vec![0.0; weights.len()];
        let mut largest = 0.0_f64;
        for second in 0..(until as usize).saturating_sub(FROM) {
            let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
            for (client, (sum, weight)) in sums.iter_mut().zip(weights).enumerate() {
                let got = self.seconds.get(client).and_then(|seconds| seconds.get(second));
                *sum += got.copied().unwrap_or(0.0) / weight;
                least = least.min(*sum);
                most = most.max(*sum);
            }
            largest = largest.max(most - least);
        }
        (largest, sums)
    }
}
