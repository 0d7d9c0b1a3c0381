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
//!
//! # Who watches the totals
//!
//! Somebody keeps a copy of all totals, to know their range, and must learn which of them changed. So after every
//! change of the total its [`Flag`] is raised, and the watcher first takes the flags down and then reads the totals
//! whose flags were up. That a flag which is up already need not be raised again, and costs a load, hangs on one
//! rule: *the watcher reads by a read-modify-write*, as everybody writes. Of two read-modify-writes of one total
//! one is first. If it is the change, the watcher's read sees it. If it is the watcher's read, then the change
//! comes after it, and so after the flag was taken down: whoever made it sees the flag down and raises it.
//! (With a plain load each of the two could miss the other: the change does not see the flag come down, the watcher
//! does not see the change.)
//!
//! # One user from many threads
//!
//! Threads that charge one user write the same two words, which travel from core to core: two threads together charge
//! *one* user less often than one thread does alone, and more cores do not help ("one hot user from many threads" in
//! `cargo bench -p vtc-bench --bench core`: tens of millions a second). Totals and buckets could be striped over cores,
//! at several times the memory for every user and a sum on each read. They are not: a charge is a request, or a piece
//! of a stream, and no user of a language model has a thousandth of that.

#[cfg(any(test, all(loom, feature = "loom")))]
mod standalone;
mod word;

#[cfg(any(test, all(loom, feature = "loom")))]
pub use self::standalone::StandaloneRing;
use self::word::{Received, Word};
use crate::flag::Flag;
use crate::sync::{AtomicU64, Ordering};
use crate::tokens::Tokens;
use crate::window::Window;

/// A ring of buckets, wherever its words lie; times are bucket numbers counted from the clock's origin.
///
/// Range: laps are compared modulo 2^20, so a ring must be used or read at least once in
/// a million laps (ten years with a window of five minutes, a quarter of an hour with the shortest
/// possible one) or old amounts may pass for new ones. The tracker reads the ring of whoever is idle
/// once in a lap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<'a> {
    head: &'a RingHead,
    buckets: &'a [AtomicU64],
    window: &'a Window,
    changed: Flag<'a>,
}

/// What a ring keeps beside its buckets.
#[derive(Debug)]
pub(crate) struct RingHead {
    /// Units; at least the sum of all buckets.
    total: AtomicU64,
    /// Every bucket that had expired when this bucket began has been reclaimed.
    swept: AtomicU64,
}

/// What became of an amount that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Landed {
    /// The bucket it lies in.
    pub(crate) bucket: u64,
    /// How much of it: all but what was more than a bucket holds.
    pub(crate) kept: Tokens,
}

/// A bucket's word, and its lap.
#[derive(Clone, Copy)]
struct Place<'a> {
    bucket: u64,
    lap: u64,
    word: &'a AtomicU64,
}

// === impl RingHead ===

impl RingHead {
    /// Of a ring that is first used in bucket `now`.
    pub(crate) fn new(now: u64) -> Self {
        Self { total: AtomicU64::new(0), swept: AtomicU64::new(now) }
    }

    /// The buckets of that window, empty.
    pub(crate) fn fresh_buckets(window: &Window, now: u64) -> impl ExactSizeIterator<Item = AtomicU64> {
        let len = window.buckets();
        (0..len as usize).map(move |slot| {
            // The latest bucket up to now that lives in this slot.
            let lap = ((now + len - slot as u64) / len).wrapping_sub(1);
            AtomicU64::new(Word::empty(lap).raw())
        })
    }

    /// Units in the ring: for whoever only wants to have it near before it is [watched](Ring::watch).
    #[inline]
    pub(crate) fn peek(&self) -> u64 {
        // Relaxed: nothing is concluded from it.
        self.total.load(Ordering::Relaxed)
    }
}

// === impl Ring ===

impl<'a> Ring<'a> {
    /// After how many laps without any use a ring may take old amounts for new ones.
    #[cfg(test)]
    const LONGEST_IDLE_LAPS: u64 = word::MOST_BEHIND;

    /// The ring of these words, as many as the window has buckets; `changed` is raised after every change of its total.
    #[inline]
    pub(crate) const fn new(
        head: &'a RingHead,
        buckets: &'a [AtomicU64],
        window: &'a Window,
        changed: Flag<'a>,
    ) -> Self {
        Self { head, buckets, window, changed }
    }

    /// Adds `amount` to bucket `now` and says which bucket it came to lie in: a later one, if this
    /// thread is late, or its clock went back, and the ring has moved on. Lock-free; two atomic read-modify-writes.
    #[inline]
    pub(crate) fn add(&self, now: u64, amount: Tokens) -> Landed {
        // Relaxed: a hint only. If it is old, `sweep` finds nothing to do. A ring left alone for a whole
        // lap is swept first, so that laps in it are never far apart.
        let swept = self.head.swept.load(Ordering::Relaxed);
        if now.saturating_sub(swept) >= self.buckets.len() as u64 {
            self.sweep(now);
        }
        // For whoever's clock went back, time stands still.
        let place = self.place(now.max(swept));
        // Looked at before the total is raised, so that the processor fetches both from memory at a time: it
        // carries out nothing behind a read-modify-write before that is done. Acquire: as in `deposit`.
        let seen = place.word.load(Ordering::Acquire);
        // AcqRel: against `watch`, see the module. For the reclaiming of this amount Relaxed would do: what orders
        // this before any subtraction of the same amount is the bucket's word, which is stored with Release
        // below and loaded with Acquire by whoever takes the amount out. Two read-modify-writes of one atomic
        // that are ordered so are seen in that order by everybody.
        self.head.total.fetch_add(amount.units(), Ordering::AcqRel);
        let (bucket, received) = self.deposit(place, seen, amount.units());
        self.lower_total(received.leaves);
        self.changed.raise();
        Landed { bucket, kept: Tokens::from_units(received.kept) }
    }

    /// What is in the window that ends with bucket `now`.
    ///
    /// Every addition that returned before is in it, and nothing that expired, except what another
    /// thread is taking off at this very moment. O(1), amortised: the buckets that expired since
    /// anybody last read are reclaimed first.
    #[inline]
    pub(crate) fn total(&self, now: u64) -> Tokens {
        // Acquire: pairs with the Release in `sweep`; the subtractions of the sweep that is seen here
        // are seen too.
        if self.head.swept.load(Ordering::Acquire) < now {
            self.sweep(now);
        }
        // Relaxed: the total publishes nothing but itself.
        Tokens::from_units(self.head.total.load(Ordering::Relaxed))
    }

    /// The total as it stands, expired or not: for the watcher, after it took down the flag; see the module.
    pub(crate) fn watch(&self) -> Tokens {
        let total = &self.head.total;
        // An exchange for itself. (To add nothing would do, too, but compilers make a fence of that, which
        // costs more.) Relaxed for the look, since only a successful exchange counts. AcqRel: pairs with the
        // AcqRel of every change.
        let mut seen = total.load(Ordering::Relaxed);
        while let Err(now_there) =
            total.compare_exchange_weak(seen, seen, Ordering::AcqRel, Ordering::Relaxed)
        {
            seen = now_there;
        }
        Tokens::from_units(seen)
    }

    /// Reclaims one bucket that has expired, which is the same as to begin the one that comes to lie in its place.
    /// For the watcher: it raises no flag.
    pub(crate) fn expire(&self, bucket: u64) {
        let leaves = self.reclaim(bucket + self.buckets.len() as u64);
        self.lower_total(leaves);
    }

    /// Takes up to `amount` out of the bucket it was put into, if that is still in the window that ends
    /// with `now`, and says how much came out. A bucket holds whatever was put into it, so it can give
    /// it back; what has left the window is gone with its bucket, and there is nothing to refund.
    pub(crate) fn refund(&self, charged: u64, now: u64, amount: Tokens) -> Tokens {
        if charged + self.buckets.len() as u64 <= now {
            return Tokens::ZERO;
        }
        let Place { word, lap, .. } = self.place(charged);
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
                    self.changed.raise();
                    return Tokens::from_units(taken);
                }
                Err(now_there) => seen = now_there,
            }
        }
    }

    /// What a bucket holds; nothing if it has not begun or is gone. By a read-modify-write, for the same reason as in
    /// [`watch`](Self::watch): whoever changes the bucket after this read sees whatever its reader did before.
    pub(crate) fn held(&self, bucket: u64) -> Tokens {
        let Place { word, lap, .. } = self.place(bucket);
        // Relaxed and AcqRel: as in `watch`.
        let mut seen = word.load(Ordering::Relaxed);
        while let Err(now_there) = word.compare_exchange_weak(seen, seen, Ordering::AcqRel, Ordering::Relaxed)
        {
            seen = now_there;
        }
        Tokens::from_units(Word::from_raw(seen).held_in(lap))
    }

    /// Reclaims every bucket that has expired by `now`.
    pub(crate) fn sweep(&self, now: u64) {
        let len = self.buckets.len() as u64;
        // Relaxed: if it is old, more buckets are looked at than needed.
        let swept = self.head.swept.load(Ordering::Relaxed);
        let mut left = 0;
        for bucket in (swept + 1).max((now + 1).saturating_sub(len))..=now {
            let leaves = self.reclaim(bucket);
            self.lower_total(leaves);
            left += leaves;
        }
        // Release: pairs with the Acquire in `total`. Max, not store: a slower thread must not take
        // the mark back.
        self.head.swept.fetch_max(now, Ordering::Release);
        if left > 0 {
            self.changed.raise();
        }
    }

    /// Makes a bucket begin, if it has not; says what left its place.
    fn reclaim(&self, bucket: u64) -> u64 {
        let place = self.place(bucket);
        // Acquire: as in `deposit`.
        let seen = place.word.load(Ordering::Acquire);
        self.deposit(place, seen, 0).1.leaves
    }

    /// Puts `units`, which the total already counts, into the bucket of that place, whose word was `seen` (loaded
    /// with Acquire); reclaims it if it is stale. Says which bucket they came to lie in, and what became of all.
    ///
    /// Acquire: if the amount in the word is to be taken off the total, its addition to the total must come first;
    /// pairs with the Release of whoever stored the word.
    #[inline]
    fn deposit(&self, place: Place<'_>, mut seen: u64, units: u64) -> (u64, Received) {
        loop {
            let received = Word::from_raw(seen).receive(place.lap, units);
            let landed = place.bucket + received.laps_ahead * self.buckets.len() as u64;
            if received.word.raw() == seen {
                return (landed, received);
            }
            // Release on success: pairs with the Acquire loads of whoever takes the amount out again.
            // Acquire on both sides: see above.
            let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
            match place.word.compare_exchange_weak(seen, received.word.raw(), success, failure) {
                Ok(_) => return (landed, received),
                Err(now_there) => seen = now_there,
            }
        }
    }

    /// Whoever calls it raises the flag afterwards, unless it is the watcher, who reads the total afterwards.
    #[inline]
    fn lower_total(&self, units: u64) {
        if units > 0 {
            // AcqRel: against `watch`. Beyond that ordered after the addition of the same units by the bucket's
            // word; see `add`.
            self.head.total.fetch_sub(units, Ordering::AcqRel);
        }
    }

    /// Where a bucket lives.
    #[inline]
    fn place(&self, bucket: u64) -> Place<'a> {
        let (lap, place) = self.window.place_of(bucket);
        Place { bucket, lap, word: &self.buckets[place] }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
