//! The geometry of a sliding window: which moment falls into which bucket, and which buckets are live.
//! Plain numbers, no state.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::clock::{Tick, saturating_nanos};

/// Time cut into buckets of one width; a window is the bucket of now and the `W` before it.
///
/// A charge counts for at least the window and at most one bucket's width longer: it leaves when its
/// bucket's start lies more than a window before the start of the bucket of now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Nanoseconds, as is all time here.
    width: NonZeroU64,
    buckets: NonZeroU64,
}

// === impl Window ===

impl Window {
    /// A window of `span`, in buckets of `width`, which is at least 1 ns. The span is rounded up to whole buckets.
    pub(crate) fn new(span: Duration, width: Duration) -> Self {
        let width = saturating_nanos(width).max(1);
        let before_now = saturating_nanos(span).div_ceil(width);
        Self::of_buckets(width, before_now.saturating_add(1))
    }

    /// A window of so many buckets, those that are live at a time. 0 counts as 1.
    pub(crate) fn of_buckets(width: u64, buckets: u64) -> Self {
        let positive = |number| NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN);
        Self { width: positive(width), buckets: positive(buckets) }
    }

    /// How many buckets are live at a time: the one of now and those before it.
    #[inline]
    pub(crate) fn buckets(&self) -> u64 {
        self.buckets.get()
    }

    /// The bucket that `at` falls into, counted from the clock's origin.
    #[inline]
    pub(crate) fn bucket_of(&self, at: Tick) -> u64 {
        at.as_nanos() / self.width
    }

    /// When what lies in that bucket leaves the window.
    pub(crate) fn end_of(&self, bucket: u64) -> Tick {
        Tick::from_nanos(bucket.saturating_add(self.buckets()).saturating_mul(self.width.get()))
    }

    /// The lap of a ring of these buckets that a bucket belongs to, and its place in the ring.
    #[inline]
    pub(crate) fn place_of(&self, bucket: u64) -> (u64, usize) {
        (bucket / self.buckets, (bucket % self.buckets) as usize)
    }

    /// How long it takes until everything charged now is gone, whatever the phase.
    pub(crate) fn lap(&self) -> Duration {
        Duration::from_nanos(self.width.get().saturating_mul(self.buckets()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_the_bucket_of_now_and_the_window_before_it() {
        let window = Window::new(Duration::from_secs(300), Duration::from_secs(5));
        assert_eq!(window.buckets(), 61);
        assert_eq!(window.bucket_of(Tick::from_nanos(4_999_999_999)), 0);
        assert_eq!(window.bucket_of(Tick::from_nanos(5_000_000_000)), 1);
        assert_eq!(window.lap(), Duration::from_secs(305));
    }

    #[test]
    fn a_span_that_is_no_multiple_of_the_width_is_rounded_up() {
        assert_eq!(Window::new(Duration::from_millis(10), Duration::from_millis(3)).buckets(), 5);
    }
}
