//! `least-request`: the pod that runs the fewest requests.

use super::{Policy, View};

/// The pod that runs the fewest requests; of several such, each equally likely, so that a burst of
/// decisions made from the same counts does not fall on one pod. O(pods).
#[derive(Clone, Copy, Debug)]
pub struct LeastRequest;

impl LeastRequest {
    /// The name in configuration and headers.
    pub const NAME: &'static str = "least-request";
}

impl Policy for LeastRequest {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn choose(&self, view: &View<'_>) -> Option<usize> {
        let order = |pod: usize| (view.running(pod), view.noise.unit(pod));
        let less = |(load, noise): (f64, f64), (other_load, other_noise): (f64, f64)| {
            load < other_load || (load == other_load && noise < other_noise)
        };
        let mut best = (!view.pods.is_empty()).then_some(0)?;
        let mut best_order = order(0);
        for pod in 1..view.pods.len() {
            let this = order(pod);
            if less(this, best_order) {
                (best, best_order) = (pod, this);
            }
        }
        Some(best)
    }
}
