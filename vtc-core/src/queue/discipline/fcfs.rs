//! `fcfs`: first come, first served.

use super::Discipline;
use crate::queue::Counter;

/// One line for all: whoever asks for most is served most. What the others are measured by.
///
/// Counters are kept for show, and each user's is forgotten when it has nothing waiting or running.
#[derive(Clone, Copy, Debug)]
pub struct Fcfs;

impl Fcfs {
    /// The name in configuration.
    pub const NAME: &'static str = "fcfs";
}

impl Discipline for Fcfs {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// All the same, and so the ties decide: whose request has waited longest.
    fn rank(&self, _counter: Counter) -> Counter {
        Counter::ZERO
    }

    fn enter(&self, counter: Counter, _level: Counter) -> Counter {
        counter
    }

    fn forgets(&self, _counter: Counter, _lowest: Counter) -> bool {
        true
    }
}
