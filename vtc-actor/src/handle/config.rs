//! The bounds of a handle.

use std::time::Duration;

use tokio::sync::Semaphore;
use vtc_core::ConfigError;

/// How much may be on its way to the actor, and how long a caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleConfig {
    /// How many requests may be in the mailbox at a time, those whose callers have given up included; at
    /// least 1. Default 1024: about a millisecond of work for the actor.
    pub max_in_flight: usize,
    /// How long a caller waits for its answer; more than 0. Default 1 s, a thousand times what a full mailbox
    /// takes: an actor that does not answer by then is stuck.
    pub timeout: Duration,
}

// === impl HandleConfig ===

impl HandleConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(1..=Semaphore::MAX_PERMITS).contains(&self.max_in_flight) {
            let allowed = format!("at least 1 and at most {}", Semaphore::MAX_PERMITS);
            return Err(ConfigError::new("max_in_flight", self.max_in_flight, allowed));
        }
        if self.timeout.is_zero() {
            return Err(ConfigError::new("timeout", format!("{:?}", self.timeout), "more than 0"));
        }
        Ok(())
    }
}

impl Default for HandleConfig {
    fn default() -> Self {
        Self { max_in_flight: 1024, timeout: Duration::from_secs(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_field_is_named() {
        let default = HandleConfig::default();
        default.validate().unwrap();
        for max_in_flight in [0, Semaphore::MAX_PERMITS + 1, usize::MAX] {
            let config = HandleConfig { max_in_flight, ..default };
            assert_eq!(config.validate().unwrap_err().field, "max_in_flight");
        }
        let config = HandleConfig { timeout: Duration::ZERO, ..default };
        assert_eq!(config.validate().unwrap_err().field, "timeout");
    }
}
