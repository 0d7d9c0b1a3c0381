//! The kernel's own idea of "about now".

use super::{Clock, Tick};

/// The default clock: a read of the kernel's coarse monotonic clock, a few nanoseconds.
///
/// It moves in steps of the kernel's timer, 1 to 10 ms. That is far finer than a bucket of one second;
/// with a window in milliseconds take a [`PreciseClock`](super::PreciseClock).
#[derive(Clone, Copy, Debug)]
pub struct CoarseClock {
    origin: coarsetime::Instant,
}

impl CoarseClock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: coarsetime::Instant::now_without_cache_update() }
    }
}

impl Default for CoarseClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for CoarseClock {
    fn now(&self) -> Tick {
        // Not `Instant::now`: that one also stores into a process-wide cell, which every thread that
        // reads the time would fight for.
        let now = coarsetime::Instant::now_without_cache_update();
        Tick::from_nanos(now.duration_since(self.origin).as_nanos())
    }
}
