//! A user's service within the window: a ring of atomic buckets and their running total.
//!
//! # The protocol
//!
//! Each bucket is one word that packs the lap of the ring it belongs to and the amount it holds, so one
//! compare-and-swap both recognises a stale bucket and reclaims it. Beside the buckets stands a running
//! total, so that reading does not walk the ring.
//!
//! - **Adding** first raises the total, then puts the amount into the bucket of now. If that bucket is
//!   stale, whoever's compare-and-swap replaces it also takes the old amount off the total: exactly one
//!   thread can replace a given word, so an amount leaves exactly once.
//! - **Reading** first reclaims the buckets that expired since the last read (each by the same
//!   compare-and-swap, adding nothing), then loads the total. Per bucket width that work is done about
//!   once, whoever does it.
//! - **Refunding** takes the amount out of its bucket, then off the total.
//!
//! In every operation the total is raised before a bucket and lowered after it. Hence at any moment
//! `total >= sum of the buckets`: it is never negative, and the difference is what operations in
//! progress on other threads have not yet finished.

mod word;

use self::word::Word;
use crate::sync::{AtomicU64, Ordering};
use crate::tokens::Tokens;

/// A ring of buckets; times are bucket numbers counted from the clock's origin.
///
/// Range: laps are compared modulo 2^20, so a ring must be used or read at least once in
/// a million laps (ten years with a window of five minutes, a quarter of an hour with the shortest
/// possible one) or old amounts may pass for new ones. The tracker reads every ring whenever it
/// refreshes the extremes.
#[derive(Debug)]
pub struct Ring {
    /// Units; at least the sum of all buckets.
    total: AtomicU64,
    /// Every bucket that had expired when this bucket began has been reclaimed.
    swept: AtomicU64,
    buckets: Box<[AtomicU64]>,
}

// === impl Ring ===

impl Ring {
    /// After how many laps without any use a ring may take old amounts for new ones.
    #[cfg(test)]
    const LONGEST_IDLE_LAPS: u64 = word::MOST_BEHIND;

    /// An empty ring of `buckets` (at least one) buckets, first used in bucket `now`.
    #[must_use]
    pub fn new(buckets: usize, now: u64) -> Self {
        let len = buckets.max(1) as u64;
        let fresh = |slot: u64| {
            // The latest bucket up to now that lives in this slot.
            let lap = ((now + len - slot) / len).wrapping_sub(1);
            AtomicU64::new(Word::empty(lap).raw())
        };
        Self { total: AtomicU64::new(0), swept: AtomicU64::new(now), buckets: (0..len).map(fresh).collect() }
    }

    /// Adds `amount` to bucket `now` and says which bucket it came to lie in: a later one, if this
    /// thread is late, or its clock went back, and the ring has moved on. Lock-free; two atomic read-modify-writes.
    #[inline]
    pub fn add(&self, now: u64, amount: Tokens) -> u64 {
        // Relaxed: a hint only. If it is old, `sweep` finds nothing to do. A ring left alone for a whole
        // lap is swept first, so that laps in it are never far apart.
        let swept = self.swept.load(Ordering::Relaxed);
        if now.saturating_sub(swept) >= self.buckets.len() as u64 {
            self.sweep(now);
        }
        // For whoever's clock went back, time stands still.
        let now = now.max(swept);
        // Relaxed: what orders it before any subtraction of the same amount is the bucket's word, which
        // is stored with Release below and loaded with Acquire by whoever takes the amount out. Two
        // read-modify-writes of one atomic that are ordered so are seen in that order by everybody.
        self.total.fetch_add(amount.units(), Ordering::Relaxed);
        self.deposit(now, amount.units())
    }

    /// What is in the window that ends with bucket `now`.
    ///
    /// Every addition that returned before is in it, and nothing that expired, except what another
    /// thread is taking off at this very moment. O(1), amortised: the buckets that expired since
    /// anybody last read are reclaimed first.
    #[inline]
    pub fn total(&self, now: u64) -> Tokens {
        // Acquire: pairs with the Release in `sweep`; the subtractions of the sweep that is seen here
        // are seen too.
        if self.swept.load(Ordering::Acquire) < now {
            self.sweep(now);
        }
        // Relaxed: the total publishes nothing but itself.
        Tokens::from_units(self.total.load(Ordering::Relaxed))
    }

    /// Takes up to `amount` out of the bucket it was put into, if that is still in the window that ends
    /// with `now`, and says how much came out. A bucket holds whatever was put into it, so it can give
    /// it back; what has left the window is gone with its bucket, and there is nothing to refund.
    pub fn refund(&self, charged: u64, now: u64, amount: Tokens) -> Tokens {
        if charged + self.buckets.len() as u64 <= now {
            return Tokens::ZERO;
        }
        let (word, lap) = self.place(charged);
        // Acquire: as in `deposit`.
        let mut seen = word.load(Ordering::Acquire);
        loop {
            let (rest, taken) = Word::from_raw(seen).give_back(lap, amount.units());
            if taken == 0 {
                return Tokens::ZERO;
            }
            // AcqRel and Acquire: as in `deposit`.
            match word.compare_exchange_weak(seen, rest.raw(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    self.lower_total(taken);
                    return Tokens::from_units(taken);
                }
                Err(now_there) => seen = now_there,
            }
        }
    }

    /// Reclaims every bucket that has expired by `now`.
    fn sweep(&self, now: u64) {
        let len = self.buckets.len() as u64;
        // Relaxed: if it is old, more buckets are looked at than needed.
        let swept = self.swept.load(Ordering::Relaxed);
        for bucket in (swept + 1).max((now + 1).saturating_sub(len))..=now {
            self.deposit(bucket, 0);
        }
        // Release: pairs with the Acquire in `total`. Max, not store: a slower thread must not take
        // the mark back.
        self.swept.fetch_max(now, Ordering::Release);
    }

    /// Puts `units`, which the total already counts, into a bucket; reclaims it if it is stale. Says
    /// which bucket they came to lie in.
    #[inline]
    fn deposit(&self, bucket: u64, units: u64) -> u64 {
        let (word, lap) = self.place(bucket);
        // Acquire: if the amount in the word is to be taken off the total, its addition to the total
        // must come first; pairs with the Release of whoever stored the word.
        let mut seen = word.load(Ordering::Acquire);
        loop {
            let received = Word::from_raw(seen).receive(lap, units);
            let landed = bucket + received.laps_ahead * self.buckets.len() as u64;
            if received.word.raw() == seen {
                self.lower_total(received.leaves);
                return landed;
            }
            // Release on success: pairs with the Acquire loads of whoever takes the amount out again.
            // Acquire on both sides: as for the load above.
            match word.compare_exchange_weak(seen, received.word.raw(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    self.lower_total(received.leaves);
                    return landed;
                }
                Err(now_there) => seen = now_there,
            }
        }
    }

    #[inline]
    fn lower_total(&self, units: u64) {
        if units > 0 {
            // Relaxed: ordered after the addition of the same units by the bucket's word; see `add`.
            self.total.fetch_sub(units, Ordering::Relaxed);
        }
    }

    /// The word that bucket lives in, and its lap.
    #[inline]
    fn place(&self, bucket: u64) -> (&AtomicU64, u64) {
        let len = self.buckets.len() as u64;
        (&self.buckets[(bucket % len) as usize], bucket / len)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
