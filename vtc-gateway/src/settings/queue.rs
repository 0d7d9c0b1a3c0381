//! Whether requests wait for a pod with room, and whose turn it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use vtc_actor::dispatcher::MakeCost;
use vtc_actor::{Capacity, DispatcherConfig};
use vtc_core::cost::{LinearCost, ProfiledCost};
use vtc_core::queue::QueueLimits;
use vtc_core::queue::discipline::{DisciplineOptions, NAMES};
use vtc_core::{ConfigError, TokenWeights, Tokens};

use super::pod::PodRules;

/// The table `[queue]`, as it is written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSetting {
    /// Who goes next: the name of a [discipline](vtc_core::queue::discipline), or `none` for no queue at all, which is
    /// the default. All that follows counts only with one.
    pub discipline: String,
    /// The most requests that run on a pod which does not say it itself. With a queue each pod needs this or the next:
    /// without a limit nobody would ever wait.
    pub pod_max_running: Option<usize>,
    /// The most tokens that the requests which run on a pod hold together, for pods which do not say it themselves.
    pub pod_max_tokens: Option<u64>,
    /// The most requests that wait for one model. Default 10,000.
    pub max_requests: usize,
    /// The most bytes that the bodies of the requests which wait for one model may have together. Default 256 MiB.
    pub max_bytes: u64,
    /// The most requests of one user that wait for one model. Default 1,000.
    pub max_per_user: usize,
    /// The most requests of one user that run at the same time; absent: any number.
    pub max_running_per_user: Option<usize>,
    /// How long a request may wait. Default 60 s.
    #[serde(with = "humantime_serde")]
    pub longest_wait: Duration,
    /// What a user's service is measured by. Default `linear`.
    pub cost: CostSetting,
    /// What an input token counts that the pod found in its cache, 0 to 1 of one that it had to read. Default 1.
    pub cached_input: f64,
    /// For `drr`: the cost that a user of weight 1 may be served in one round. Default 500.
    pub quantum: f64,
    /// How much a user's share is of that of a user of weight 1, by the user's name; whoever is not named weighs 1.
    pub weights: BTreeMap<String, f64>,
}

/// What a user's service is measured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CostSetting {
    /// Input and output tokens by the tracker's weights.
    #[default]
    Linear,
    /// The time that such a request took of an A10G in full batches: see [`ProfiledCost`].
    Profiled,
}

/// A queue, checked.
#[derive(Clone, Debug)]
pub struct Queue {
    /// How the dispatcher works.
    pub dispatcher: DispatcherConfig,
    /// What its cost was made of.
    pub cost: CostSetting,
    /// What an input token counts that the pod found in its cache.
    pub cached_input: f64,
    /// Whether virtual counters count weighted tokens, all of them.
    pub counts_tokens: bool,
}

/// What stands for no queue.
const NONE: &str = "none";

// === impl QueueSetting ===

impl QueueSetting {
    /// The queue that this says, if any, and what it says of every pod.
    pub(super) fn read(self, weights: TokenWeights) -> Result<(Option<Queue>, PodRules), ConfigError> {
        if self.discipline == NONE {
            return Ok((None, PodRules::default()));
        }
        let capacity = Capacity {
            max_running: self.pod_max_running,
            max_tokens: self.pod_max_tokens,
            ..Capacity::default()
        };
        capacity
            .validate()
            .map_err(|error| ConfigError { field: format!("queue.pod_{}", error.field), ..error })?;
        Ok((Some(self.queue(weights)?), PodRules { capacity, is_limited: true, ..PodRules::default() }))
    }

    fn queue(self, weights: TokenWeights) -> Result<Queue, ConfigError> {
        let in_table = |error: ConfigError| ConfigError { field: format!("queue.{}", error.field), ..error };
        if !NAMES.contains(&self.discipline.as_str()) {
            let allowed = format!("{NONE} or one of {}", NAMES.join(", "));
            return Err(ConfigError::new("queue.discipline", self.discipline, allowed));
        }
        if self.longest_wait.is_zero() {
            return Err(ConfigError::new("queue.longest_wait", "0s", "a time above 0"));
        }
        let quantum = Tokens::new(self.quantum).ok().filter(|quantum| !quantum.is_zero());
        let quantum =
            quantum.ok_or_else(|| ConfigError::new("queue.quantum", self.quantum, "a number above 0"))?;
        let cost = self.cost.read(weights, self.cached_input).map_err(in_table)?;
        let limits = QueueLimits {
            requests: self.max_requests,
            bytes: self.max_bytes,
            per_user: self.max_per_user,
            running_per_user: self.max_running_per_user.unwrap_or(usize::MAX),
            ..QueueLimits::default()
        };
        for (field, limit) in [
            ("queue.max_requests", limits.requests),
            ("queue.max_per_user", limits.per_user),
            ("queue.max_running_per_user", limits.running_per_user),
        ] {
            if limit == 0 {
                return Err(ConfigError::new(field, limit, "at least 1"));
            }
        }
        let dispatcher = DispatcherConfig {
            discipline: self.discipline.into(),
            options: DisciplineOptions { quantum },
            limits,
            longest_wait: Some(self.longest_wait),
            cost: Some(cost),
            ..DispatcherConfig::default()
        };
        dispatcher.validate().map_err(in_table)?;
        let counts_tokens = self.cost == CostSetting::Linear;
        Ok(Queue { dispatcher, cost: self.cost, cached_input: self.cached_input, counts_tokens })
    }
}

impl Default for QueueSetting {
    fn default() -> Self {
        let limits = QueueLimits::default();
        Self {
            discipline: NONE.to_owned(),
            pod_max_running: None,
            pod_max_tokens: None,
            max_requests: limits.requests,
            max_bytes: limits.bytes,
            max_per_user: limits.per_user,
            max_running_per_user: None,
            longest_wait: Duration::from_secs(60),
            cost: CostSetting::default(),
            cached_input: 1.0,
            quantum: DisciplineOptions::default().quantum.as_f64(),
            weights: BTreeMap::new(),
        }
    }
}

// === impl CostSetting ===

impl CostSetting {
    fn read(self, weights: TokenWeights, cached: f64) -> Result<MakeCost, ConfigError> {
        let named = |error: ConfigError| ConfigError { field: "cached_input".to_owned(), ..error };
        Ok(match self {
            Self::Linear => {
                let cost = LinearCost::new(weights)?.with_cached(cached).map_err(named)?;
                Arc::new(move || Box::new(cost))
            }
            Self::Profiled => {
                let cost = ProfiledCost::default().with_cached(cached).map_err(named)?;
                Arc::new(move || Box::new(cost))
            }
        })
    }
}
