//! Scripted time.

use std::time::Duration;

use super::{Clock, Tick, saturating_nanos};
use crate::sync::{Arc, AtomicU64, Ordering};

/// A clock that stands still until it is told to move. Clones agree: one hand moves them all.
///
/// ```
/// use std::time::Duration;
/// use vtc_core::{Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// let seen_by_the_code_under_test = clock.clone();
/// clock.advance(Duration::from_secs(90));
/// assert_eq!(seen_by_the_code_under_test.now().as_nanos(), 90_000_000_000);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock at its origin.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(0)))
    }

    /// Moves time forward, for all clones. Wraps after 584 years.
    pub fn advance(&self, span: Duration) {
        // Relaxed: the clock publishes nothing but itself.
        self.0.fetch_add(saturating_nanos(span), Ordering::Relaxed);
    }

    /// Sets the time, also back: to show what happens when a clock misbehaves.
    pub fn set(&self, to: Tick) {
        // Relaxed: as above.
        self.0.store(to.as_nanos(), Ordering::Relaxed);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Tick {
        // Relaxed: as above.
        Tick::from_nanos(self.0.load(Ordering::Relaxed))
    }
}
