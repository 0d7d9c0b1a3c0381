//! `round-robin`: one after the other.

use super::{Policy, View};
use crate::sync::{AtomicUsize, Ordering};

/// One pod after the other. It counts requests, not work: the yardstick that fairness is measured
/// against.
#[derive(Debug, Default)]
pub struct RoundRobin {
    /// Whose turn is next. The one policy that remembers something: its turn is its own.
    turn: AtomicUsize,
}

impl RoundRobin {
    /// The name in configuration and headers.
    pub const NAME: &'static str = "round-robin";
}

impl Policy for RoundRobin {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn choose(&self, view: &View<'_>) -> Option<usize> {
        // Relaxed: each caller gets a turn of its own; nothing else hangs on the order.
        (!view.pods.is_empty()).then(|| self.turn.fetch_add(1, Ordering::Relaxed) % view.pods.len())
    }
}
