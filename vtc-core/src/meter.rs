//! How much of an answer has flowed: raised by whoever passes it on, read by whoever charges for it.
//!
//! A token is too small a thing to send a message about. So the side that passes an answer on raises a number, from any
//! thread, and the side that keeps accounts looks at it when it needs to know.

use crate::sync::{Arc, AtomicU64, Ordering};

/// The side that raises. Clones raise the same number.
#[derive(Clone, Debug)]
pub struct Meter(Arc<AtomicU64>);

/// The side that reads. There is one per meter: it cannot be cloned, and reading needs `&mut`, so that every token is
/// read once is a type and not a promise.
#[derive(Debug)]
pub struct MeterReader {
    total: Arc<AtomicU64>,
    read: u64,
}

/// A meter that stands at 0, and its two sides.
///
/// ```
/// let (meter, mut reader) = vtc_core::meter();
/// meter.raise(5);
/// meter.raise(3); // never lowers it
/// assert_eq!(reader.advance(), 5);
/// meter.raise(9);
/// assert_eq!(reader.advance(), 4);
/// assert_eq!(reader.advance(), 0);
/// ```
#[must_use]
pub fn meter() -> (Meter, MeterReader) {
    let total = Arc::new(AtomicU64::new(0));
    (Meter(Arc::clone(&total)), MeterReader { total, read: 0 })
}

// === impl Meter ===

impl Meter {
    /// Says that so many tokens have flowed so far. Never lowers what was said before. Lock-free: one read-modify-write.
    pub fn raise(&self, total: u64) {
        // Relaxed: the number publishes nothing but itself. A reader who must see the last of it, at the end of the
        // answer, learns of the end by something that orders the two.
        self.0.fetch_max(total, Ordering::Relaxed);
    }
}

// === impl MeterReader ===

impl MeterReader {
    /// How many more tokens have flowed since the last call: all of them together are what the meter was raised to. One
    /// load.
    pub fn advance(&mut self) -> u64 {
        // Relaxed: as above. The number only rises, and a reader never sees an older value after a newer one.
        let total = self.total.load(Ordering::Relaxed);
        let more = total - self.read;
        self.read = total;
        more
    }

    /// How many tokens the calls so far have told of.
    #[must_use]
    pub const fn read(&self) -> u64 {
        self.read
    }
}
