//! `vtc-fair`: whoever has been served least goes next.

use super::Discipline;

/// The virtual token counter: the least counter first, and who comes back is lifted to the level of those who wait.
///
/// Every rule is the default one.
///
/// Source: Sheng et al., OSDI'24, the algorithm VTC.
#[derive(Clone, Copy, Debug)]
pub struct VtcFair;

impl VtcFair {
    /// The name in configuration.
    pub const NAME: &'static str = "vtc-fair";
}

impl Discipline for VtcFair {
    fn name(&self) -> &'static str {
        Self::NAME
    }
}
