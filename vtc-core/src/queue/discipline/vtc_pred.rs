//! `vtc-pred`: as `vtc-fair`, with the predicted output charged in advance.

use super::Discipline;

/// `vtc-fair`, but a dispatch charges what the answer is predicted to take: tokens are charged only past that, and an
/// answer that stays shorter is refunded.
///
/// With good predictions a user's lead is one request instead of all that it has in flight.
///
/// Source: Sheng et al., OSDI'24, VTC with length prediction.
#[derive(Clone, Copy, Debug)]
pub struct VtcPred;

impl VtcPred {
    /// The name in configuration.
    pub const NAME: &'static str = "vtc-pred";
}

impl Discipline for VtcPred {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn prepays(&self) -> bool {
        true
    }
}
