//! What was decided about one request, and what became of it: plain data.

use std::sync::Arc;
use std::time::Duration;

use vtc_core::{ScoringConfig, Tick, Usage};

use crate::estimate::Estimate;

/// One request, from its head to its end.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Its name, which its client may have chosen.
    pub id: String,
    /// The name of the trace that it belongs to.
    pub trace_id: Option<String>,
    /// When it came.
    pub at: Tick,
    /// The path of its endpoint.
    pub endpoint: &'static str,
    /// Who is charged; `None`: it was refused before that was known.
    pub account: Option<Arc<str>>,
    /// How that was known.
    pub source: Option<&'static str>,
    /// The account's share, where others have 1.
    pub weight: f64,
    /// The model that it asked for, once that is known to be one.
    pub model: Option<String>,
    /// The queue that it was to wait in, or the pods that it could go to: a model, or `*`.
    pub pool: Option<Arc<str>>,
    /// What was to choose its pod.
    pub policy: &'static str,
    /// What it would probably cost.
    pub estimate: Option<Estimate>,
    /// How it came out of the queue; `None`: there is none, or it did not.
    pub turn: Option<Turn>,
    /// What its first pod was chosen from.
    pub look: Option<Look>,
    /// The pods that it went to, in that order.
    pub tries: Vec<Try>,
    /// The weighted tokens charged in advance.
    pub reserved: f64,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The tokens that flowed as it went, read and written.
    pub delivered: Option<(u64, u64)>,
    /// From its coming to the head of its pod's answer.
    pub head: Option<Duration>,
    /// From its coming to the first token that flowed.
    pub first_token: Option<Duration>,
    /// From its coming to its end.
    pub duration: Duration,
    /// Why it got no answer from a pod.
    pub refused: Option<Refused>,
    /// The code of the error with which its answer broke off.
    pub broken: Option<&'static str>,
    /// How it ended.
    pub ending: Ending,
}

/// How a request came out of the queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// The queue's discipline.
    pub discipline: &'static str,
    /// How long it waited.
    pub waited: Duration,
    /// How many users were to go before its own when it came. `None`: that was not counted, or its user had as much running
    /// as it may.
    pub ahead: Option<usize>,
    /// Whether it was counted.
    pub counted: bool,
    /// Its user's virtual counter when its turn came.
    pub counter: f64,
    /// The output that was charged to the counter in advance.
    pub prepaid: u64,
}

/// What the policy had before it, as it was right after the decision, without what that added: other requests may have come
/// between the two.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The user's weighted tokens in the window.
    pub tokens: f64,
    /// The adaptive bucket: tokens per step of position.
    pub bucket: f64,
    /// The weights of `vtc-basic`.
    pub scoring: ScoringConfig,
    /// How many pods there were.
    pub of: usize,
    /// The place of the first of the following among them.
    pub first: usize,
    /// The pods around the user's position, at most `MOST_PODS`.
    pub pods: Vec<Seen>,
}

/// A pod as a decision saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its name.
    pub name: Box<str>,
    /// Its requests in flight.
    pub running: u64,
}

/// A pod that a request went to.
#[derive(Clone, Debug, PartialEq)]
pub struct Try {
    /// Its name.
    pub pod: Box<str>,
    /// How it failed, if it did.
    pub failure: Option<String>,
}

/// Why a request got no answer from a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The word for programs.
    pub code: &'static str,
    /// The same for people; `None` where it might show what the client wrote.
    pub message: Option<String>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Ending {
    /// Whoever asked has left before the end.
    #[default]
    Left,
    /// It cost what its pod said.
    Settled(Usage),
    /// Nobody said what it cost: what was delivered, or else the estimate.
    Closed,
    /// It cost nothing.
    Voided,
}

/// The most pods that a look keeps.
pub const MOST_PODS: usize = 16;
/// The error of a request whose client did not wait for its end.
pub const CLIENT_LEFT: &str = "client_left";

// === impl Decision ===

impl Decision {
    /// The code of the error with which it ended, if it did not end well.
    #[must_use]
    pub fn error(&self) -> Option<&'static str> {
        let refused = self.refused.as_ref().map(|refused| refused.code);
        let left = (self.ending == Ending::Left).then_some(CLIENT_LEFT);
        refused.or(self.broken).or(left)
    }

    /// The tokens that it took: as its pod said at the end, else as they flowed.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        match self.ending {
            Ending::Settled(usage) => Some(usage),
            _ => self.delivered.map(|(input, output)| Usage { input, cached: 0, output }),
        }
    }
}

// === impl Look ===

impl Look {
    /// The user's position among the pods, as `vtc-basic` sees it.
    #[must_use]
    pub fn position(&self) -> f64 {
        position(self.tokens, self.bucket, self.of)
    }

    /// The terms of `vtc-basic`'s score of a pod, but for the noise below 0.1: fairness and utilisation. `index` is its place
    /// in [`Look::pods`].
    #[must_use]
    pub fn terms(&self, index: usize, running: u64) -> (f64, f64) {
        let ScoringConfig { max_pod_load, fairness_weight, utilization_weight } = self.scoring;
        let distance = ((self.first + index) as f64 - self.position()).abs();
        (fairness_weight * distance, utilization_weight * (running as f64 / max_pod_load).min(1.0))
    }

    /// Which of so many pods are kept.
    #[must_use]
    pub fn around(tokens: f64, bucket: f64, of: usize) -> std::ops::Range<usize> {
        // The cast saturates.
        let position = position(tokens, bucket, of) as usize;
        let first = position.saturating_sub(MOST_PODS / 2).min(of.saturating_sub(MOST_PODS));
        first..(first + MOST_PODS).min(of)
    }
}

fn position(tokens: f64, bucket: f64, of: usize) -> f64 {
    // `max` gives the other operand for NaN, as where a bucket of zero divides nothing.
    (tokens / bucket).max(0.0).min(of.saturating_sub(1) as f64)
}
