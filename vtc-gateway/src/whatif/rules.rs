//! What is in force, as the simulator understands it.

use std::time::Duration;

use vtc_core::VtcConfig;
use vtc_core::queue::QueueLimits;
use vtc_core::queue::discipline::VtcPred;
use vtc_sim::simulator::{Capacity, Policy, Profile, Setup};

use super::change::{Change, NO_QUEUE};
use super::{Fit, WhatIfError};

/// The rules by which requests of one pool go.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The discipline of the queue; `None`: there is none.
    pub queue: Option<String>,
    /// What chooses pods.
    pub policy: String,
    /// The window, what tokens weigh, the score.
    pub vtc: VtcConfig,
    /// How much a queue takes in.
    pub limits: QueueLimits,
    /// How long a request may wait in it.
    pub longest_wait: Option<Duration>,
    /// What a token from a pod's cache counts in it.
    pub cached_input: f64,
    /// What `drr` serves in a round.
    pub quantum: f64,
    /// What each pod is given, where that is known; `None` where it is not limited. One for each pod.
    pub capacities: Vec<[Option<u64>; 2]>,
}

// === impl Rules ===

impl Rules {
    /// How much the queue gives each pod, on average: requests and tokens. `None` without a queue.
    #[must_use]
    pub fn capacity(&self) -> Option<Capacity> {
        self.queue.as_ref()?;
        let mean = |which: usize| {
            let known = self.capacities.iter().map(|of| of[which]).collect::<Option<Vec<u64>>>()?;
            let sum: u64 = known.iter().fold(0, |sum, it| sum.saturating_add(*it));
            (!known.is_empty()).then(|| (sum / known.len() as u64).max(1))
        };
        let running = mean(0).map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        Some(Capacity { running, tokens: mean(1).unwrap_or(u64::MAX) })
    }

    /// Whether pods differ in what they are given: the replay knows one kind only.
    #[must_use]
    pub fn are_uneven(&self) -> bool {
        self.queue.is_some() && self.capacities.windows(2).any(|pair| pair[0] != pair[1])
    }

    /// How many pods there are, at least 1.
    #[must_use]
    pub fn pods(&self) -> usize {
        self.capacities.len().max(1)
    }

    /// The same with that change. Weights are not of the rules but of those who ask.
    #[must_use]
    pub fn with(&self, change: &Change) -> Self {
        let mut rules = self.clone();
        match change.queue.as_deref() {
            None => {}
            Some(NO_QUEUE) => rules.queue = None,
            Some(name) => rules.queue = Some(name.to_owned()),
        }
        if let Some(policy) = &change.policy {
            rules.policy.clone_from(policy);
        }
        if let Some(pods) = change.pods {
            // New pods are as the first.
            let one = self.capacities.first().copied().unwrap_or_default();
            rules.capacities.resize(pods.of(self.pods()), one);
        }
        rules
    }

    /// What the simulator is told. A queue that limits nothing, as one that there was none of, gives a pod as many requests
    /// as were seen on one at a time.
    ///
    /// # Errors
    /// The simulator does not know such a rule.
    pub(super) fn setup(&self, fit: &Fit) -> Result<Setup, WhatIfError> {
        let order = match self.queue.as_deref() {
            None => NO_QUEUE.to_owned(),
            // The dispatcher's own.
            Some(VtcPred::NAME) => format!("{}:moving-average-or-all", VtcPred::NAME),
            Some(name) => name.to_owned(),
        };
        let cap = match self.limits.running_per_user {
            most if self.queue.is_some() && most < usize::MAX => format!("@{most}"),
            _ => String::new(),
        };
        let policy = format!("{order}{cap},{}", self.policy);
        let policy: Policy = policy.parse().map_err(|error| WhatIfError::Failed(format!("{error}")))?;
        let mut setup = Setup::new(policy).on(self.pods(), Profile::Paged(fit.profile.clone()));
        if let Some(capacity) = self.capacity() {
            let is_limited = capacity.running < usize::MAX || capacity.tokens < u64::MAX;
            let seen =
                Capacity { running: fit.profile.max_running.min(fit.most_running.max(1)), tokens: u64::MAX };
            setup.capacity = if is_limited { capacity } else { seen };
        }
        Ok(Setup {
            vtc: self.vtc.clone(),
            limits: QueueLimits { bytes: u64::MAX, ..self.limits },
            longest_wait: self.longest_wait,
            quantum: Some(self.quantum),
            cached_cost: self.cached_input,
            ..setup
        })
    }
}
