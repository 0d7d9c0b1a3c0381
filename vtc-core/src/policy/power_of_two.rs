//! `power-of-two`: the better of two.

use super::{Policy, View};

/// Two different pods at random, and of these the one that runs fewer requests. O(1), and nearly as
/// even as looking at all of them.
///
/// Source: Mitzenmacher, *The Power of Two Choices in Randomized Load Balancing*, IEEE TPDS 2001.
#[derive(Clone, Copy, Debug)]
pub struct PowerOfTwo;

impl PowerOfTwo {
    /// The name in configuration and headers.
    pub const NAME: &'static str = "power-of-two";
}

impl Policy for PowerOfTwo {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn choose(&self, view: &View<'_>) -> Option<usize> {
        let first = view.any_pod()?;
        let others = view.pods.len() - 1;
        if others == 0 {
            return Some(first);
        }
        // One of the others: counted from the first, so that it cannot be the first.
        let second = (first + 1 + view.noise.below(others, 1)) % view.pods.len();
        Some(if view.running(second) < view.running(first) { second } else { first })
    }
}
