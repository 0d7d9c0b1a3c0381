//! `vtc-basic`: a user's position follows from what it has been served, and pods near it are favoured.

use std::ops::ControlFlow;

use super::{Policy, View};
use crate::setting::{ConfigError, not_negative, positive};

/// AIBrix's policy. For the ready pods 0 to n - 1 and the user's count `u` before this request:
///
/// ```text
/// position = min(u / bucket, n - 1)
/// score_i  = fairness_weight * |i - position|
///          + utilization_weight * min(running_i / max_pod_load, 1)
///          + uniform [0, 0.1)
/// ```
/// and the smallest score wins. What a user has been served moves it along the pods, so users with much
/// service and users with little meet on different pods; that spreads users, it does not by itself make
/// shares equal.
///
/// A request without a user goes to a random pod.
///
/// Source: AIBrix, `pkg/plugins/gateway/algorithms/vtc`.
#[derive(Clone, Copy, Debug)]
pub struct VtcBasic {
    scoring: ScoringConfig,
}

/// The weights of `vtc-basic`'s score.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct ScoringConfig {
    /// Running requests at which a pod's utilization term is 1; positive. Default 100.
    pub max_pod_load: f64,
    /// Weight of the fairness term; not negative. Default 1.
    pub fairness_weight: f64,
    /// Weight of the utilization term; not negative. Default 1.
    pub utilization_weight: f64,
}

/// Which end of a list of scores is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// The smallest score is the best.
    Least,
    /// The largest score is the best.
    Most,
}

/// The noise that separates equal scores.
const NOISE_SPAN: f64 = 0.1;

// === impl ScoringConfig ===

impl ScoringConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        positive("max_pod_load", self.max_pod_load)?;
        not_negative("fairness_weight", self.fairness_weight)?;
        not_negative("utilization_weight", self.utilization_weight)
    }
}

impl Default for ScoringConfig {
    fn default() -> Self {
        Self { max_pod_load: 100.0, fairness_weight: 1.0, utilization_weight: 1.0 }
    }
}

// === impl VtcBasic ===

impl VtcBasic {
    /// The name in configuration and headers.
    pub const NAME: &'static str = "vtc-basic";
    /// The smallest score is the best.
    pub const POLARITY: Polarity = Polarity::Least;
    /// What it needs to know of each pod, by the name that vLLM's metrics give it.
    pub const SUBSCRIBED_METRICS: [&'static str; 1] = ["num_requests_running"];

    /// The policy with these weights.
    #[must_use]
    pub const fn new(scoring: ScoringConfig) -> Self {
        Self { scoring }
    }

    /// The score of every pod, in the view's order; the least is the best. A request without a user is
    /// scored like a user without tokens. O(pods).
    #[must_use]
    pub fn score_all(&self, view: &View<'_>) -> Vec<f64> {
        let position = position(view);
        (0..view.pods.len()).map(|pod| self.score(view, position, pod)).collect()
    }

    #[inline]
    fn score(&self, view: &View<'_>, position: f64, pod: usize) -> f64 {
        self.least_score(view, position, pod) + view.noise.unit(pod) * NOISE_SPAN
    }

    /// The score but for the noise, which only adds to it.
    #[inline]
    fn least_score(&self, view: &View<'_>, position: f64, pod: usize) -> f64 {
        let load = (view.running(pod) / self.scoring.max_pod_load).min(1.0);
        self.distance_term(position, pod) + self.scoring.utilization_weight * load
    }

    #[inline]
    fn distance_term(&self, position: f64, pod: usize) -> f64 {
        self.scoring.fairness_weight * (pod as f64 - position).abs()
    }
}

impl Policy for VtcBasic {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// Exactly the first minimum of [`VtcBasic::score_all`], found near the position: from there outwards on
    /// both sides, and no further on a side where the distance alone costs more than the best score
    /// so far. Load and noise together span at most `utilization_weight + 0.1`, so with the default weights
    /// some five pods are looked at, however many there are.
    fn choose(&self, view: &View<'_>) -> Option<usize> {
        if view.user_tokens.is_none() {
            return view.any_pod();
        }
        let pods = view.pods.len();
        let last = pods.checked_sub(1)?;
        let position = position(view);
        let start = (position as usize).min(last);
        let (mut best, mut best_score) = (start, self.score(view, position, start));
        // Of equal scores the first pod wins, as in a scan from the left.
        let mut consider = |pod: usize| {
            if self.distance_term(position, pod) > best_score {
                return ControlFlow::Break(());
            }
            if self.least_score(view, position, pod) <= best_score {
                let score = self.score(view, position, pod);
                if score < best_score || (score == best_score && pod < best) {
                    (best, best_score) = (pod, score);
                }
            }
            ControlFlow::Continue(())
        };
        // That one side has nothing more to offer says nothing about the other.
        let _ = (start + 1..pods).try_for_each(&mut consider);
        let _ = (0..start).rev().try_for_each(&mut consider);
        Some(best)
    }
}

/// Where the user stands among the pods, in `[0, n - 1]`.
fn position(view: &View<'_>) -> f64 {
    let last = view.pods.len().saturating_sub(1) as f64;
    // A bucket of zero (a configured floor of zero, and users with almost nothing) puts whoever has
    // anything last, and whoever has nothing (0 / 0, which `max` turns into 0) first.
    (view.user_tokens.unwrap_or(0.0) / view.extremes.bucket).max(0.0).min(last)
}
