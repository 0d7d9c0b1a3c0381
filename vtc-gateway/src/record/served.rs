//! What one account has in flight, and what flowed to it.

use std::sync::Arc;
use std::time::Duration;

use vtc_core::queue::Weight;
use vtc_core::{Tick, TokenWeights};

use super::Recent;
use crate::lock::Lock;

/// One account, for all who note what it gets.
#[derive(Debug)]
pub(crate) struct Served {
    name: Arc<str>,
    numbers: Lock<Numbers>,
}

/// What is known of an account.
#[derive(Debug)]
pub struct Numbers {
    /// Its share, as of its last request.
    pub weight: Weight,
    /// Its requests that wait or run.
    pub in_flight: usize,
    /// Since when it has nothing in flight.
    idle_since: Tick,
    /// What flowed to it, pod by pod, in the order in which it came to them.
    pub pods: Vec<PodFlow>,
    /// Its times to first tokens.
    pub first_tokens: Recent,
    /// What the one who shows it keeps about it.
    pub(crate) sight: Sight,
}

/// What the one who shows accounts keeps about one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sight {
    /// Whether it is among those that have something in flight or had it since they were looked at last: see
    /// [`Record::stirred`](super::Record::stirred).
    pub(crate) is_listed: bool,
    /// The number of the look at which it was seen last.
    pub(crate) look: u64,
    /// Its service of late, as of that look.
    pub(crate) pace: f64,
}

/// What flowed from one pod to one account.
#[derive(Clone, Debug)]
pub struct PodFlow {
    /// The pod's name.
    pub pod: Arc<str>,
    /// All of it.
    pub total: Flow,
    /// As much of it as has been shown. Only the one who shows it changes it.
    pub shown: Flow,
}

/// Tokens that a pod has read and written. A correction takes back what was counted too much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Read.
    pub input: i64,
    /// Written.
    pub output: i64,
}

/// An account that had been served by more pods than that begins anew when it comes back.
const MOST_PODS: usize = 64;
/// How many times to first tokens are kept of each account.
const TIMES: usize = 64;

// === impl Served ===

impl Served {
    pub(super) const fn new(name: Arc<str>) -> Self {
        let numbers = Numbers {
            weight: Weight::ONE,
            in_flight: 0,
            idle_since: Tick::ZERO,
            pods: Vec::new(),
            first_tokens: Recent::new(TIMES),
            sight: Sight { is_listed: false, look: 0, pace: 0.0 },
        };
        Self { name, numbers: Lock::new(numbers) }
    }

    pub(crate) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Numbers) -> R) -> R {
        self.numbers.with(act)
    }
}

// === impl Numbers ===

impl Numbers {
    /// One more in flight. Says whether it is to be listed among those that stir, which it is from then on.
    pub(super) fn enter(&mut self, weight: Weight) -> bool {
        if self.in_flight == 0 && self.pods.len() > MOST_PODS {
            // Pods come and go, and nobody knows their places now.
            self.pods.clear();
        }
        self.weight = weight;
        self.in_flight += 1;
        !std::mem::replace(&mut self.sight.is_listed, true)
    }

    pub(super) const fn leave(&mut self, now: Tick) {
        self.in_flight -= 1;
        self.idle_since = now;
    }

    pub(super) fn is_idle(&self, now: Tick, span: Duration) -> bool {
        self.in_flight == 0 && now.since(self.idle_since) > span
    }

    /// Where that pod stands among the account's. They only become more while it is in flight.
    pub(super) fn pod(&mut self, name: &str) -> usize {
        if let Some(at) = self.pods.iter().position(|flow| *flow.pod == *name) {
            return at;
        }
        self.pods.push(PodFlow { pod: name.into(), total: Flow::default(), shown: Flow::default() });
        self.pods.len() - 1
    }
}

// === impl PodFlow ===

impl PodFlow {
    /// What has flowed since the last call.
    pub(crate) const fn advance(&mut self) -> Flow {
        let news = self.total.less(self.shown);
        self.shown = self.total;
        news
    }
}

// === impl Flow ===

impl Flow {
    /// So many tokens read and written. Saturates.
    #[must_use]
    pub fn of(input: u64, output: u64) -> Self {
        let count = |tokens| i64::try_from(tokens).unwrap_or(i64::MAX);
        Self { input: count(input), output: count(output) }
    }

    /// Both.
    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self { input: self.input.saturating_add(more.input), output: self.output.saturating_add(more.output) }
    }

    /// This without that.
    #[must_use]
    pub const fn less(self, part: Self) -> Self {
        Self { input: self.input.saturating_sub(part.input), output: self.output.saturating_sub(part.output) }
    }

    /// As one number, by those weights.
    #[must_use]
    pub fn weighted(self, weights: &TokenWeights) -> f64 {
        self.input as f64 * weights.input + self.output as f64 * weights.output
    }
}
