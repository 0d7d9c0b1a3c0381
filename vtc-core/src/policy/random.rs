//! `random`: every pod equally likely.

use super::{Policy, View};

/// Every pod equally likely, whoever asks.
#[derive(Clone, Copy, Debug)]
pub struct Random;

impl Random {
    /// The name in configuration and headers.
    pub const NAME: &'static str = "random";
}

impl Policy for Random {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn choose(&self, view: &View<'_>) -> Option<usize> {
        view.any_pod()
    }
}
