//! The operating system's monotonic clock.

use std::time::Instant;

use super::{Clock, Tick};

/// A clock of nanosecond resolution, several times as dear to read as the coarse one: for windows in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct PreciseClock {
    origin: Instant,
}

impl PreciseClock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: read() }
    }
}

impl Default for PreciseClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for PreciseClock {
    fn now(&self) -> Tick {
        Tick::after_origin(read().saturating_duration_since(self.origin))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is a clock: it reads the time so that others need not")]
fn read() -> Instant {
    Instant::now()
}
