//! How a dispatcher is set.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use vtc_core::cost::LinearCost;
use vtc_core::predict::{MovingAverage, OverAll};
use vtc_core::queue::discipline::{self, DisciplineOptions};
use vtc_core::queue::{Discipline, QueueLimits};
use vtc_core::{ConfigError, FairQueue, OutputPredictor, ServiceCost, TokenWeights};

/// What makes a cost for each pool.
pub type MakeCost = Arc<dyn Fn() -> Box<dyn ServiceCost> + Send + Sync>;
/// What makes a predictor for each pool.
pub type MakePredictor = Arc<dyn Fn() -> Box<dyn OutputPredictor> + Send + Sync>;

/// How the queues of a dispatcher work. All pools have the same rules, and each a queue of its own.
#[derive(Clone)]
pub struct DispatcherConfig {
    /// Who goes next: the name of a [discipline](vtc_core::queue::discipline). Default `vtc-fair`.
    pub discipline: Cow<'static, str>,
    /// What some disciplines are told.
    pub options: DisciplineOptions,
    /// How much each pool's queue takes in, and how much of one user runs.
    pub limits: QueueLimits,
    /// How long a request waits that does not say it itself; `None`: as long as it takes. Default 60 s.
    pub longest_wait: Option<Duration>,
    /// How old the knowledge of what running requests have delivered may be when somebody is chosen. 0: exact. Looking
    /// costs O(running requests), so it is not done more often than that. Default 1 ms: a token takes longer.
    pub meter_age: Duration,
    /// How many requests may be on their way to the dispatcher, beside those that wait in its queues; at least 1. Default
    /// 10,000, as many as may wait.
    pub max_in_mailbox: usize,
    /// What serving costs; `None`: linear, with the weights of the router's tracker.
    pub cost: Option<MakeCost>,
    /// How long answers will be, for disciplines that charge in advance; `None`: the paper's average per user, for
    /// newcomers that over all, never more than the request allows.
    pub predictor: Option<MakePredictor>,
}

/// Users that the default predictor remembers.
const REMEMBERED: usize = 100_000;

// === impl DispatcherConfig ===

impl DispatcherConfig {
    /// The default with that discipline.
    #[must_use]
    pub fn with_discipline(name: impl Into<Cow<'static, str>>) -> Self {
        Self { discipline: name.into(), ..Self::default() }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.discipline()?;
        let limits = [
            ("limits.requests", self.limits.requests),
            ("limits.per_user", self.limits.per_user),
            ("limits.running_per_user", self.limits.running_per_user),
            ("max_in_mailbox", self.max_in_mailbox),
        ];
        for (field, limit) in limits {
            if limit == 0 {
                return Err(ConfigError::new(field, limit, "at least 1"));
            }
        }
        if self.max_in_mailbox > Semaphore::MAX_PERMITS {
            let allowed = format!("at most {}", Semaphore::MAX_PERMITS);
            return Err(ConfigError::new("max_in_mailbox", self.max_in_mailbox, allowed));
        }
        Ok(())
    }

    /// A queue for one more pool of a router with these weights.
    ///
    /// # Errors
    /// No discipline has that name, or the weights are not allowed.
    pub(super) fn queue<R>(&self, weights: TokenWeights) -> Result<FairQueue<R>, ConfigError> {
        let discipline = self.discipline()?;
        let cost = match &self.cost {
            Some(make) => make(),
            None => Box::new(LinearCost::new(weights)?),
        };
        let predictor = match &self.predictor {
            Some(make) => make(),
            None => Box::new(MovingAverage::new(REMEMBERED).or(OverAll::default()).capped()),
        };
        let queue = FairQueue::new(discipline).with_cost(cost).with_predictor(predictor);
        Ok(queue.with_limits(self.limits))
    }

    fn discipline(&self) -> Result<Box<dyn Discipline>, ConfigError> {
        discipline::by_name(&self.discipline, &self.options).map_err(|unknown| {
            let allowed = format!("one of {}", discipline::NAMES.join(", "));
            ConfigError::new("discipline", unknown.name, allowed)
        })
    }
}

impl Default for DispatcherConfig {
    fn default() -> Self {
        Self {
            discipline: discipline::VtcFair::NAME.into(),
            options: DisciplineOptions::default(),
            limits: QueueLimits::default(),
            longest_wait: Some(Duration::from_secs(60)),
            meter_age: Duration::from_millis(1),
            max_in_mailbox: 10_000,
            cost: None,
            predictor: None,
        }
    }
}

impl fmt::Debug for DispatcherConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatcherConfig")
            .field("discipline", &self.discipline)
            .field("options", &self.options)
            .field("limits", &self.limits)
            .field("longest_wait", &self.longest_wait)
            .field("meter_age", &self.meter_age)
            .field("max_in_mailbox", &self.max_in_mailbox)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_field_is_named() {
        DispatcherConfig::default().validate().unwrap();
        for name in discipline::NAMES {
            DispatcherConfig::with_discipline(name).validate().unwrap();
        }
        let limits = QueueLimits::default();
        let bad = [
            ("discipline", DispatcherConfig::with_discipline("lottery")),
            ("limits.requests", of_limits(QueueLimits { requests: 0, ..limits })),
            ("limits.per_user", of_limits(QueueLimits { per_user: 0, ..limits })),
            ("limits.running_per_user", of_limits(QueueLimits { running_per_user: 0, ..limits })),
            ("max_in_mailbox", DispatcherConfig { max_in_mailbox: 0, ..DispatcherConfig::default() }),
            (
                "max_in_mailbox",
                DispatcherConfig { max_in_mailbox: usize::MAX, ..DispatcherConfig::default() },
            ),
        ];
        for (field, config) in bad {
            assert_eq!(config.validate().unwrap_err().field, field);
        }
    }

    fn of_limits(limits: QueueLimits) -> DispatcherConfig {
        DispatcherConfig { limits, ..DispatcherConfig::default() }
    }
}
