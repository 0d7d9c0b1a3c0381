//! A small copy of the ring whose rules can be broken one at a time: to show that the models notice.

use std::marker::PhantomData;

use loom::sync::atomic::{AtomicU64, Ordering};

use crate::ring_models::Ring;

/// A rule of the protocol, and whether the copy keeps it.
pub trait Rules: Send + Sync + 'static {
    /// A bucket is replaced by compare-and-swap, not by a load and a store.
    const SWAP: bool = true;
    /// The total is raised before the bucket, not after it.
    const TOTAL_FIRST: bool = true;
    /// Whoever reclaims a stale bucket takes what it held off the total.
    const OLD_LEAVES: bool = true;
    /// A late thread leaves a bucket that is ahead in its lap.
    const NEVER_BACK: bool = true;
    /// The watcher reads the total by a read-modify-write.
    const WATCH_BY_EXCHANGE: bool = true;
    /// The flag is raised after the total has changed, not before.
    const FLAG_LAST: bool = true;
    /// Who sweeps raises the flag, too.
    const SWEEP_RAISES: bool = true;
}

/// All rules: the copy is as good as the original.
#[derive(Debug)]
pub struct AllRules;
impl Rules for AllRules {}

/// Replaces a bucket by a load and a store.
#[derive(Debug)]
pub struct NoSwap;
impl Rules for NoSwap {
    const SWAP: bool = false;
}

/// Raises the total after the bucket.
#[derive(Debug)]
pub struct TotalLast;
impl Rules for TotalLast {
    const TOTAL_FIRST: bool = false;
}

/// Forgets to take the old amount off the total.
#[derive(Debug)]
pub struct OldStays;
impl Rules for OldStays {
    const OLD_LEAVES: bool = false;
}

/// Takes a bucket that is ahead back to its own lap.
#[derive(Debug)]
pub struct BackInTime;
impl Rules for BackInTime {
    const NEVER_BACK: bool = false;
}

/// Reads a watched total by a plain load.
#[derive(Debug)]
pub struct WatchByLoad;
impl Rules for WatchByLoad {
    const WATCH_BY_EXCHANGE: bool = false;
}

/// Raises the flag before the total changes.
#[derive(Debug)]
pub struct FlagFirst;
impl Rules for FlagFirst {
    const FLAG_LAST: bool = false;
}

/// Sweeps without a word.
#[derive(Debug)]
pub struct SilentSweep;
impl Rules for SilentSweep {
    const SWEEP_RAISES: bool = false;
}

/// Two buckets of `lap << 32 | amount`, and their total.
#[derive(Debug)]
pub struct Copy<R> {
    total: AtomicU64,
    swept: AtomicU64,
    buckets: [AtomicU64; 2],
    changed: AtomicU64,
    rules: PhantomData<R>,
}

// === impl Copy ===

impl<R: Rules> Copy<R> {
    fn deposit(&self, bucket: u64, amount: u64) -> u64 {
        let (word, lap) = (&self.buckets[(bucket % 2) as usize], bucket / 2);
        let mut seen = word.load(Ordering::Acquire);
        loop {
            let (seen_lap, held) = (seen >> 32, seen & 0xffff_ffff);
            let stale = if R::NEVER_BACK { seen_lap < lap } else { seen_lap != lap };
            let (next, leaves) = if stale { (lap << 32 | amount, held) } else { (seen + amount, 0) };
            let landed = if stale { bucket } else { bucket + 2 * (seen_lap - lap) };
            match self.replace(word, seen, next) {
                Ok(()) => {
                    if R::OLD_LEAVES && leaves > 0 {
                        self.total.fetch_sub(leaves, Ordering::AcqRel);
                    }
                    return landed;
                }
                Err(now_there) => seen = now_there,
            }
        }
    }

    fn raise(&self) {
        if self.changed.load(Ordering::Acquire) == 0 {
            self.changed.fetch_or(1, Ordering::AcqRel);
        }
    }

    fn watch(&self) -> f64 {
        let total = match R::WATCH_BY_EXCHANGE {
            true => self.total.fetch_add(0, Ordering::AcqRel),
            false => self.total.load(Ordering::Acquire),
        };
        total as f64
    }

    fn replace(&self, word: &AtomicU64, seen: u64, next: u64) -> Result<(), u64> {
        if seen == next {
            return Ok(());
        }
        if R::SWAP {
            return word.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire).map(drop);
        }
        match word.load(Ordering::Acquire) {
            unchanged if unchanged == seen => {
                word.store(next, Ordering::Release);
                Ok(())
            }
            now_there => Err(now_there),
        }
    }
}

impl<R: Rules> Ring for Copy<R> {
    fn fresh() -> Self {
        // Bucket 1 of lap 0 is empty too: the earliest lap there is.
        Self {
            total: AtomicU64::new(0),
            swept: AtomicU64::new(0),
            buckets: [AtomicU64::new(0), AtomicU64::new(0)],
            changed: AtomicU64::new(0),
            rules: PhantomData,
        }
    }

    fn add(&self, now: u64, tokens: f64) -> u64 {
        let amount = tokens as u64;
        if !R::FLAG_LAST {
            self.raise();
        }
        if R::TOTAL_FIRST {
            self.total.fetch_add(amount, Ordering::AcqRel);
        }
        let landed = self.deposit(now, amount);
        if !R::TOTAL_FIRST {
            self.total.fetch_add(amount, Ordering::AcqRel);
        }
        if R::FLAG_LAST {
            self.raise();
        }
        landed
    }

    fn total(&self, now: u64) -> f64 {
        let swept = self.swept.load(Ordering::Acquire);
        if swept < now {
            for bucket in (swept + 1).max((now + 1).saturating_sub(2))..=now {
                self.deposit(bucket, 0);
            }
            self.swept.fetch_max(now, Ordering::Release);
            if R::SWEEP_RAISES {
                self.raise();
            }
        }
        self.total.load(Ordering::Relaxed) as f64
    }

    fn refund(&self, charged: u64, now: u64, tokens: f64) -> f64 {
        let (word, lap) = (&self.buckets[(charged % 2) as usize], charged / 2);
        let mut seen = word.load(Ordering::Acquire);
        loop {
            let held = seen & 0xffff_ffff;
            let taken = held.min(tokens as u64);
            if charged + 2 <= now || seen >> 32 != lap || taken == 0 {
                return 0.0;
            }
            match self.replace(word, seen, seen - taken) {
                Ok(()) => {
                    self.total.fetch_sub(taken, Ordering::AcqRel);
                    self.raise();
                    return taken as f64;
                }
                Err(now_there) => seen = now_there,
            }
        }
    }

    fn watch_if_changed(&self) -> Option<f64> {
        (self.changed.swap(0, Ordering::AcqRel) != 0).then(|| self.watch())
    }

    fn watch_expiry(&self, bucket: u64) -> f64 {
        self.deposit(bucket + 2, 0);
        self.watch()
    }
}
