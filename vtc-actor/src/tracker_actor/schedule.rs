//! How often a tracker wants its upkeep. Plain durations in, a choice out.

use std::time::Duration;

use vtc_core::TrackerConfig;

/// The rhythm of one tracker's upkeep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    period: Duration,
}

/// The step of the runtime's timers: a shorter period would be rounded up to it anyway.
const TIMER_STEP: Duration = Duration::from_millis(1);

// === impl Schedule ===

impl Schedule {
    /// Refreshes the extremes at half the age that they may reach: the other half is for a late timer and for
    /// the work itself. With a staleness of 0 each reader makes its own, so there is nothing to refresh.
    ///
    /// Accounts are closed once per lap of the window, which is less than two buckets longer than its span.
    pub(super) fn new(config: &TrackerConfig) -> Self {
        let lap = config.span() + 2 * config.width();
        let period = match config.staleness {
            Duration::ZERO => lap,
            staleness => (staleness / 2).max(TIMER_STEP).min(lap),
        };
        Self { period }
    }

    /// How long to rest after each look.
    pub(super) fn period(self) -> Duration {
        self.period
    }

    /// Whether an upkeep so long ago is to be followed by another. One that another actor or a reader has
    /// done since the last look is not: the next look comes soon enough for it.
    pub(super) fn is_due(self, age: Duration) -> bool {
        age >= self.period / 2
    }
}

#[cfg(test)]
mod tests {
    use vtc_core::TimeUnit;

    use super::*;

    fn period(staleness: Duration, window_size: u64, time_unit: TimeUnit) -> Duration {
        let config = TrackerConfig { staleness, window_size, time_unit, ..TrackerConfig::default() };
        config.validate().unwrap();
        Schedule::new(&config).period()
    }

    #[test]
    fn the_extremes_are_refreshed_at_half_their_staleness() {
        let of = |staleness| period(staleness, 5, TimeUnit::Minutes);
        assert_eq!(of(Duration::from_millis(100)), Duration::from_millis(50));
        assert_eq!(of(Duration::from_nanos(1)), TIMER_STEP);
    }

    #[test]
    fn without_a_refresh_the_upkeep_comes_about_once_per_window() {
        // 10 s in buckets of 1 s: a lap is 11 s.
        assert_eq!(period(Duration::ZERO, 10, TimeUnit::Seconds), Duration::from_secs(12));
        assert_eq!(period(Duration::from_secs(3600), 10, TimeUnit::Seconds), Duration::from_secs(12));
    }

    #[test]
    fn the_oldest_extremes_are_within_the_staleness_even_if_the_duty_is_shared() {
        let schedule = Schedule::new(&TrackerConfig::default());
        let skipped_at_most = schedule.period() / 2;
        assert!(!schedule.is_due(skipped_at_most - Duration::from_nanos(1)));
        assert!(schedule.is_due(skipped_at_most));
        // The age at the look after one that was skipped.
        assert!(skipped_at_most + schedule.period() < TrackerConfig::default().staleness);
    }
}
