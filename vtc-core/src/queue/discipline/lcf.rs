//! `lcf`: least counter first, without the lift.

use super::Discipline;
use crate::queue::Counter;

/// `vtc-fair` without the lift: whoever was away comes back with all the service it did not ask for, and is served
/// alone until it has caught up.
///
/// It is here to show what the lift is worth, not to be used. A user who was once served is never forgotten, as its
/// counter will always matter; the limit on users is what bounds memory.
///
/// Source: Sheng et al., OSDI'24, the ablation.
#[derive(Clone, Copy, Debug)]
pub struct Lcf;

impl Lcf {
    /// The name in configuration.
    pub const NAME: &'static str = "lcf";
}

impl Discipline for Lcf {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn enter(&self, counter: Counter, _level: Counter) -> Counter {
        counter
    }
}
