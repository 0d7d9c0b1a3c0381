//! `drr`: deficit round robin.

use super::{Discipline, Tie};
use crate::queue::{Counter, Weight};
use crate::tokens::Tokens;

/// Users take turns; in each round one may be served for a quantum, divided by nothing but its weight, and what it was
/// served beyond that it pays back in the rounds to come.
///
/// It is the same machine with coarser counters. In round r (from 0) a user has been granted `(r + 1) * quantum` and
/// has used up its counter, so its deficit is positive exactly while `counter / quantum`, rounded down, is at most r.
/// Ranking by that quotient serves whoever may be served in the earliest round; users of the same round go in the
/// order in which they came in, which is the ring. Who comes in, comes in at the beginning of the round: credit of
/// rounds in which it did not wait is not kept, debts are. With an ever smaller quantum it becomes `vtc-fair`.
///
/// Source: Shreedhar and Varghese, *Efficient Fair Queueing Using Deficit Round-Robin*, SIGCOMM'95; adapted to unknown
/// output lengths as in Sheng et al., OSDI'24.
#[derive(Clone, Copy, Debug)]
pub struct Drr {
    quantum: u128,
}

impl Drr {
    /// The name in configuration.
    pub const NAME: &'static str = "drr";

    /// Rounds of so much service for a user of weight 1; at least a thousandth of a token.
    #[must_use]
    pub fn new(quantum: Tokens) -> Self {
        Self { quantum: u128::from(Weight::ONE.charge(quantum)).max(1) }
    }
}

impl Discipline for Drr {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// The round in which the user's deficit is positive.
    fn rank(&self, counter: Counter) -> Counter {
        Counter::from_units(counter.units() / self.quantum)
    }

    fn tie(&self) -> Tie {
        Tie::Entry
    }

    /// The beginning of the round.
    fn level(&self, counter: Counter) -> Counter {
        Counter::from_units(counter.units() / self.quantum * self.quantum)
    }
}
