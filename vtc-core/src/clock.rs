//! Time is given, never taken: the core asks a [`Clock`] and nothing else.

mod coarse;
mod manual;
mod precise;

use std::sync::Arc;
use std::time::Duration;

pub use self::coarse::CoarseClock;
pub use self::manual::ManualClock;
pub use self::precise::PreciseClock;

/// A moment: nanoseconds since its clock's origin. Moments of different clocks do not compare.
///
/// The range is 584 years; arithmetic saturates at both ends, so a clock that steps back can never
/// underflow anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tick(u64);

/// A source of time. Monotonic by contract; whoever reads it tolerates a step back by saturating.
///
/// Reading it is on the hot path of every charge and route: it should cost under 10 ns.
pub trait Clock: Send + Sync + 'static {
    /// The moment of this call.
    fn now(&self) -> Tick;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Tick {
        (**self).now()
    }
}

// === impl Tick ===

impl Tick {
    /// The clock's origin.
    pub const ZERO: Self = Self(0);

    /// A moment so many nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A moment so long after the origin; saturates after 584 years.
    #[must_use]
    pub fn after_origin(elapsed: Duration) -> Self {
        Self(saturating_nanos(elapsed))
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is in fact later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment moved into the future.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(span)))
    }
}

/// A duration in nanoseconds; one over 584 years counts as 584 years.
pub(crate) fn saturating_nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_goes_back_saturates() {
        let (early, late) = (Tick::from_nanos(5), Tick::from_nanos(8));
        assert_eq!(late.since(early), Duration::from_nanos(3));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(Tick::from_nanos(u64::MAX).saturating_add(Duration::MAX).as_nanos(), u64::MAX);
    }

    #[test]
    fn real_clocks_never_go_back() {
        fn check(clock: impl Clock) {
            let mut last = clock.now();
            for _ in 0..10_000 {
                let now = clock.now();
                assert!(now >= last);
                last = now;
            }
        }
        check(CoarseClock::new());
        check(PreciseClock::new());
        check(Arc::new(PreciseClock::new()));
    }
}
