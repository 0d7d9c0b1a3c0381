//! A bit that says: look at this again.

use crate::sync::{AtomicU64, Ordering};

/// One of the 64 flags of a word: many raise it, one takes it down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag<'a> {
    word: &'a AtomicU64,
    mask: u64,
}

// === impl Flag ===

impl<'a> Flag<'a> {
    /// Flag number `bit % 64` of that word.
    #[inline]
    pub(crate) const fn new(word: &'a AtomicU64, bit: u32) -> Self {
        Self { word, mask: 1 << (bit % 64) }
    }

    /// Raises it: one load if it is up, as it mostly is.
    ///
    /// Whatever comes before this is seen by whoever finds the flag up with [`take_down`]. Whoever finds the flag
    /// raised by somebody else, here, sees whatever came before it was last taken down.
    #[inline]
    pub(crate) fn raise(self) {
        // Acquire: pairs with the Release in `take_down`, through the read-modify-writes of others who raised flags
        // of this word since. AcqRel: the same, and Release for the next `take_down`.
        if self.word.load(Ordering::Acquire) & self.mask == 0 {
            self.word.fetch_or(self.mask, Ordering::AcqRel);
        }
    }

    /// Raises it even if it is up, so that whoever takes it down sees what came before this call, and not only what came
    /// before the one that raised it.
    pub(crate) fn raise_again(self) {
        // AcqRel: as above.
        self.word.fetch_or(self.mask, Ordering::AcqRel);
    }
}

/// Takes down all flags of a word and says which were up.
///
/// With `always` even if none is: then whoever raises one of them later, or finds it raised later, sees whatever the
/// caller did before.
pub(crate) fn take_down(word: &AtomicU64, always: bool) -> u64 {
    // Relaxed: a flag that is not seen yet was raised by somebody who is not known to be done.
    if !always && word.load(Ordering::Relaxed) == 0 {
        return 0;
    }
    // AcqRel: Acquire pairs with the Release of whoever raised one, Release with the Acquire in `raise`.
    word.swap(0, Ordering::AcqRel)
}

/// Takes down those flags of a word and says which of them were up.
pub(crate) fn take_down_some(word: &AtomicU64, mask: u64) -> u64 {
    // Relaxed: as above.
    if word.load(Ordering::Relaxed) & mask == 0 {
        return 0;
    }
    // AcqRel: as above.
    word.fetch_and(!mask, Ordering::AcqRel) & mask
}
