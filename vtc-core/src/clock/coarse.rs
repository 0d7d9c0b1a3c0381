//! The kernel's own idea of "about now".

use super::{Clock, Tick};

/// The default clock: a read of the kernel's coarse monotonic clock, a few nanoseconds.
///
/// It moves in steps of the kernel's timer, 1 to 10 ms. That is far finer than a bucket of one second;
/// with a window in milliseconds take a [`PreciseClock`](super::PreciseClock). Where there is no such clock (other
/// systems than Linux) it is a precise one.
#[derive(Clone, Copy, Debug)]
pub struct CoarseClock {
    origin: u64,
}

// === impl CoarseClock ===

impl CoarseClock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: kernel::nanos() }
    }
}

impl Default for CoarseClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for CoarseClock {
    #[inline]
    fn now(&self) -> Tick {
        Tick::from_nanos(kernel::nanos().saturating_sub(self.origin))
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use rustix::time::{ClockId, clock_gettime};

    /// Since the machine's start, so it is not negative and fits for 584 years.
    #[inline]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is a clock: it reads the time so that others need not"
    )]
    pub(super) fn nanos() -> u64 {
        let now = clock_gettime(ClockId::MonotonicCoarse);
        (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::sync::LazyLock;

    use crate::clock::{Clock, PreciseClock};

    static CLOCK: LazyLock<PreciseClock> = LazyLock::new(PreciseClock::new);

    pub(super) fn nanos() -> u64 {
        CLOCK.now().as_nanos()
    }
}
