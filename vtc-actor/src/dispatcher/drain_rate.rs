//! How fast a queue drains, and so when it is worth to come back. Plain numbers and moments in, numbers out.

use std::time::Duration;

use vtc_core::Tick;

/// Dispatches per second over the recent past: a moving average whose memory fades.
///
/// Time in which nobody waits does not pass for it. What is dispatched then says how much is asked for, and not how fast
/// a queue would drain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DrainRate {
    /// Dispatches, each faded by the time in which somebody waited since.
    dispatched: f64,
    /// Seconds in which somebody waited.
    lived: f64,
    /// Until when it is reckoned.
    until: Tick,
    /// Whether somebody has waited since then.
    waiting: bool,
}

/// After so many seconds a dispatch counts 1/e.
const MEMORY: f64 = 30.0;
/// A rate is said only of at least so many seconds: the first dispatch after an instant is no rate.
const LEAST: f64 = 1.0;
/// The soonest that anybody is told to come back.
pub(super) const SOONEST: Duration = Duration::from_secs(1);
/// The latest that anybody is told to come back; also if nothing is known.
const LATEST: Duration = Duration::from_secs(60);

// === impl DrainRate ===

impl DrainRate {
    /// Somebody waits, or nobody, from now on.
    pub(super) fn note(&mut self, now: Tick, waiting: bool) {
        if self.waiting {
            let passed = now.since(self.until).as_secs_f64();
            self.dispatched *= (-passed / MEMORY).exp();
            self.lived += passed;
        }
        self.until = now;
        self.waiting = waiting;
    }

    /// A request is dispatched, now.
    pub(super) fn dispatched(&mut self, now: Tick) {
        if self.waiting {
            self.note(now, true);
            self.dispatched += 1.0;
        }
    }

    /// The rate, per second; 0 before anybody who waited was dispatched.
    pub(super) fn per_second(&self) -> f64 {
        // A steady rate fills the memory with `rate * MEMORY` in the long run, and this part of it so far.
        let filled = 1.0 - (-self.lived.max(LEAST) / MEMORY).exp();
        self.dispatched / (MEMORY * filled)
    }

    /// When so many will have been dispatched, if it goes on like this: within 1 s and 60 s.
    pub(super) fn retry_after(&self, waiting: usize) -> Duration {
        // Nothing divided by nothing, and all that is too long: the latest.
        let seconds = waiting as f64 / self.per_second();
        Duration::try_from_secs_f64(seconds).map_or(LATEST, |wait| wait.clamp(SOONEST, LATEST))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: f64) -> Tick {
        Tick::after_origin(Duration::from_secs_f64(seconds))
    }

    /// Somebody waits from `from` on, and `rate` are dispatched per second for so long.
    fn drain(drain: &mut DrainRate, from: f64, rate: f64, seconds: f64) {
        drain.note(at(from), true);
        for i in 1..=(rate * seconds) as u32 {
            drain.dispatched(at(from + f64::from(i) / rate));
        }
    }

    proptest! {
        #[test]
        fn a_steady_rate_is_found_from_the_start(rate in 1.0..100.0f64, seconds in 5.0..500.0f64) {
            let mut rated = DrainRate::default();
            drain(&mut rated, 7.0, rate, seconds);
            // One dispatch more or less, at each end.
            let error = rate * 0.05 + 2.0 / seconds.min(MEMORY);
            prop_assert!((rated.per_second() - rate).abs() < error, "{} of {rate}", rated.per_second());
        }

        #[test]
        fn an_answer_is_always_within_the_bounds(
            events in proptest::collection::vec((0.0..1e6f64, any::<bool>(), any::<bool>()), 0..20),
            waiting: usize,
        ) {
            let mut rated = DrainRate::default();
            for (seconds, waits, dispatched) in events {
                rated.note(at(seconds), waits);
                if dispatched {
                    rated.dispatched(at(seconds));
                }
            }
            prop_assert!(rated.per_second() >= 0.0);
            prop_assert!((SOONEST..=LATEST).contains(&rated.retry_after(waiting)));
        }
    }

    #[test]
    fn a_new_rate_replaces_the_old_one() {
        let mut rated = DrainRate::default();
        drain(&mut rated, 0.0, 100.0, 100.0);
        drain(&mut rated, 100.0, 10.0, 5.0 * MEMORY);
        assert!((rated.per_second() - 10.0).abs() < 1.0, "{}", rated.per_second());
    }

    #[test]
    fn a_queue_that_does_not_move_is_slower_and_slower() {
        let mut rated = DrainRate::default();
        drain(&mut rated, 0.0, 10.0, 100.0);
        let before = rated.per_second();
        rated.note(at(100.0 + MEMORY), true);
        assert!(rated.per_second() < before / 2.0);
    }

    #[test]
    fn time_in_which_nobody_waits_does_not_pass() {
        let mut rated = DrainRate::default();
        drain(&mut rated, 0.0, 10.0, 100.0);
        let before = rated.per_second();
        rated.note(at(100.0), false);
        rated.dispatched(at(5000.0));
        rated.note(at(10_000.0), false);
        assert_eq!(rated.per_second(), before, "and what is dispatched in it does not count");
    }

    #[test]
    fn whoever_is_refused_is_told_when_the_queue_will_have_drained() {
        let mut rated = DrainRate::default();
        assert_eq!(rated.retry_after(10), LATEST, "nothing is known");
        drain(&mut rated, 0.0, 10.0, 200.0);
        let wait = rated.retry_after(200).as_secs_f64();
        assert!((19.0..21.0).contains(&wait), "{wait}");
        assert_eq!(rated.retry_after(0), SOONEST);
        assert_eq!(rated.retry_after(1_000_000), LATEST);
    }
}
