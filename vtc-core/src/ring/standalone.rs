//! A ring with words of its own: for tests and models, which need no account around it.

use super::{Ring, RingHead};
use crate::flag::{Flag, take_down};
use crate::sync::AtomicU64;
use crate::tokens::Tokens;
use crate::window::Window;

/// A ring, its words and its flag.
#[derive(Debug)]
pub struct StandaloneRing {
    head: RingHead,
    buckets: Box<[AtomicU64]>,
    window: Window,
    changed: AtomicU64,
}

// === impl StandaloneRing ===

impl StandaloneRing {
    /// An empty ring of so many buckets, at least one, first used in bucket `now`.
    #[must_use]
    pub fn new(buckets: usize, now: u64) -> Self {
        let window = Window::of_buckets(1, buckets as u64);
        let buckets = RingHead::fresh_buckets(&window, now).collect();
        Self { head: RingHead::new(now), buckets, window, changed: AtomicU64::new(0) }
    }

    fn ring(&self) -> Ring<'_> {
        Ring::new(&self.head, &self.buckets, &self.window, Flag::new(&self.changed, 0))
    }

    /// [`Ring::add`]; says only the bucket.
    pub fn add(&self, now: u64, amount: Tokens) -> u64 {
        self.ring().add(now, amount).bucket
    }

    /// [`Ring::total`].
    pub fn total(&self, now: u64) -> Tokens {
        self.ring().total(now)
    }

    /// [`Ring::refund`].
    pub fn refund(&self, charged: u64, now: u64, amount: Tokens) -> Tokens {
        self.ring().refund(charged, now, amount)
    }

    /// Takes down the flag and, if it was up, reads the total as the watcher does.
    pub fn watch_if_changed(&self) -> Option<Tokens> {
        (take_down(&self.changed, false) != 0).then(|| self.ring().watch())
    }

    /// Reclaims a bucket that has expired and reads the total, as the watcher does.
    pub fn watch_expiry(&self, bucket: u64) -> Tokens {
        self.ring().expire(bucket);
        self.ring().watch()
    }
}
