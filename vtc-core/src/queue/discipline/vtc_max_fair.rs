//! `vtc-max-fair`: the harshest forgetting of old credit.

use super::{Discipline, Past};
use crate::queue::Counter;

/// `vtc-fair` with the lift moved from the arrival to the choice: before somebody is chosen, every counter is raised to
/// the largest if nothing runs, else to what the user dispatched last had before it was charged.
///
/// When the pods have run empty all start anew: nobody keeps a debt either. With many users waiting that one choice moves
/// all of them, in O(users log users).
///
/// A variant of Sheng et al., OSDI'24.
#[derive(Clone, Copy, Debug)]
pub struct VtcMaxFair;

impl VtcMaxFair {
    /// The name in configuration.
    pub const NAME: &'static str = "vtc-max-fair";
}

impl Discipline for VtcMaxFair {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn enter(&self, counter: Counter, _level: Counter) -> Counter {
        counter
    }

    fn floor(&self, past: &Past) -> Counter {
        if past.running == 0 { past.highest } else { past.last }
    }
}
