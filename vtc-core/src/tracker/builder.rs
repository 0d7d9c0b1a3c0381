//! How a tracker is made.

use std::time::Duration;

use super::SlidingWindowTracker;
use crate::clock::{Clock, CoarseClock};
use crate::config::{TimeUnit, TrackerConfig};
use crate::setting::ConfigError;
use crate::tokens::TokenWeights;

/// The options of a tracker; what is not said is [`TrackerConfig::default`].
#[derive(Clone, Debug)]
#[must_use]
pub struct TrackerBuilder<C = CoarseClock> {
    config: TrackerConfig,
    clock: C,
}

impl TrackerBuilder {
    pub(super) fn new() -> Self {
        Self { config: TrackerConfig::default(), clock: CoarseClock::new() }
    }
}

impl<C: Clock> TrackerBuilder<C> {
    /// All options at once.
    pub fn config(mut self, config: TrackerConfig) -> Self {
        self.config = config;
        self
    }

    /// See [`TrackerConfig::window_size`].
    pub fn window_size(mut self, units: u64) -> Self {
        self.config.window_size = units;
        self
    }

    /// See [`TrackerConfig::time_unit`].
    pub fn time_unit(mut self, unit: TimeUnit) -> Self {
        self.config.time_unit = unit;
        self
    }

    /// See [`TrackerConfig::bucket_width`].
    pub fn bucket_width(mut self, width: Duration) -> Self {
        self.config.bucket_width = Some(width);
        self
    }

    /// See [`TrackerConfig::weights`].
    pub fn weights(mut self, weights: TokenWeights) -> Self {
        self.config.weights = weights;
        self
    }

    /// See [`TrackerConfig::staleness`].
    pub fn staleness(mut self, staleness: Duration) -> Self {
        self.config.staleness = staleness;
        self
    }

    /// See [`TrackerConfig::max_users`].
    pub fn max_users(mut self, users: usize) -> Self {
        self.config.max_users = users;
        self
    }

    /// Takes the time from that clock instead.
    pub fn clock<D: Clock>(self, clock: D) -> TrackerBuilder<D> {
        TrackerBuilder { config: self.config, clock }
    }

    /// The tracker.
    ///
    /// # Errors
    /// The first option that is not allowed.
    pub fn build(self) -> Result<SlidingWindowTracker<C>, ConfigError> {
        SlidingWindowTracker::new(self.config, self.clock)
    }
}
