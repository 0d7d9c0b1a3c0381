//! The hand of the clock.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use vtc_core::ManualClock;

use super::ledger::Term;

/// What moves the time.
#[derive(Clone, Debug)]
pub enum Hand {
    /// We do.
    Scripted(ManualClock),
    /// It passes.
    Real,
}

/// So often the scripted clock is moved, if the machine lets us.
const BEAT: Duration = Duration::from_micros(50);
/// Real time that is waited for, at most.
const PATIENCE: Duration = Duration::from_secs(2);

// === impl Hand ===

impl Hand {
    /// Whether that much time can be made to pass.
    #[must_use]
    pub fn can_pass(&self, span: Duration) -> bool {
        matches!(self, Self::Scripted(_)) || span <= PATIENCE
    }

    /// Lets that much time pass.
    pub fn pass(&self, span: Duration) {
        match self {
            Self::Scripted(clock) => clock.advance(span),
            // The coarse clock may be a tick behind.
            Self::Real => wait(span + Duration::from_millis(20)),
        }
    }

    /// Turns the scripted clock, by a bucket's width at a beat on average, at times by a whole window, until `over`
    /// is dropped. Says how much time passed.
    pub fn turn(&self, over: &Receiver<()>, term: &Term, rng: &mut fastrand::Rng) -> Duration {
        let mut passed = Duration::ZERO;
        while over.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
            let grains = match rng.u8(..) {
                0 => term.longest().div_duration_f64(term.grain()) as u32,
                _ => rng.u32(..9),
            };
            let step = term.grain() * grains;
            if let Self::Scripted(clock) = self {
                clock.advance(step);
            }
            passed += step;
        }
        passed
    }
}

/// Waits for real time to pass.
#[expect(clippy::disallowed_methods, reason = "a run lasts as long as it is told to, in real time")]
pub fn wait(span: Duration) {
    std::thread::sleep(span);
}
