//! The races of a ring, written once, for the real one and for its weakened copies.
//!
//! The ring has two buckets: bucket 2 lives in the place of bucket 0.

use loom::sync::Arc;
use loom::thread;
use vtc_core::Tokens;

/// What the models need of a ring.
pub trait Ring: Send + Sync + 'static {
    /// Two buckets, first used in bucket 0.
    fn fresh() -> Self;
    /// See `vtc_core`'s ring.
    fn add(&self, now: u64, tokens: f64) -> u64;
    /// See `vtc_core`'s ring.
    fn total(&self, now: u64) -> f64;
    /// See `vtc_core`'s ring.
    fn refund(&self, charged: u64, now: u64, tokens: f64) -> f64;
    /// The watcher takes the flag down and, if it was up, reads the total.
    fn watch_if_changed(&self) -> Option<f64>;
    /// The watcher reclaims a bucket that has expired and reads the total.
    fn watch_expiry(&self, bucket: u64) -> f64;
}

impl Ring for vtc_core::__loom::Ring {
    fn fresh() -> Self {
        Self::new(2, 0)
    }

    fn add(&self, now: u64, tokens: f64) -> u64 {
        self.add(now, Tokens::new(tokens).unwrap())
    }

    fn total(&self, now: u64) -> f64 {
        self.total(now).as_f64()
    }

    fn refund(&self, charged: u64, now: u64, tokens: f64) -> f64 {
        self.refund(charged, now, Tokens::new(tokens).unwrap()).as_f64()
    }

    fn watch_if_changed(&self) -> Option<f64> {
        self.watch_if_changed().map(Tokens::as_f64)
    }

    fn watch_expiry(&self, bucket: u64) -> f64 {
        self.watch_expiry(bucket).as_f64()
    }
}

/// Two adders meet a stale bucket: the old amount leaves once, and both new ones are there.
pub fn two_adders_meet_a_stale_bucket<R: Ring>() {
    let ring = Arc::new(R::fresh());
    ring.add(0, 100.0);
    let adder = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || ring.add(2, 1.0))
    };
    ring.add(2, 2.0);
    adder.join().unwrap();
    assert_eq!(ring.total(2), 3.0, "100 left exactly once, 1 and 2 came");
}

/// An adder against a reader against expiry: a reader sees no more than was ever charged and never a negative
/// sum (which would wrap to something huge), and what remains is exact.
pub fn add_against_read_against_expiry<R: Ring>() {
    let ring = Arc::new(R::fresh());
    ring.add(0, 100.0);
    let adder = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || ring.add(2, 1.0))
    };
    let reader = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || ring.total(2))
    };
    let seen = reader.join().unwrap();
    assert!(seen <= 101.0, "saw {seen} of 101");
    adder.join().unwrap();
    assert_eq!(ring.total(2), 1.0);
}

/// A charge that is in progress when its bucket expires: no reader sees a negative sum, and at the end the charge
/// counts exactly if the bucket it says it is in is still in the window.
pub fn a_late_adder_against_a_reader<R: Ring>() {
    let ring = Arc::new(R::fresh());
    let adder = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || ring.add(0, 5.0))
    };
    let seen = ring.total(2);
    assert!(seen <= 5.0, "saw {seen} of 5");
    let landed = adder.join().unwrap();
    let expected = if landed + 2 > 2 { 5.0 } else { 0.0 };
    assert_eq!(ring.total(2), expected, "landed in bucket {landed}");
}

/// A refund against the reclaiming of its bucket: what was charged leaves once, by the one or by the other.
pub fn refund_against_expiry<R: Ring>() {
    let ring = Arc::new(R::fresh());
    ring.add(0, 100.0);
    let refunder = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || ring.refund(0, 1, 100.0))
    };
    ring.add(2, 1.0);
    let refunded = refunder.join().unwrap();
    assert!(refunded == 0.0 || refunded == 100.0);
    assert_eq!(ring.total(2), 1.0, "refunded {refunded}");
}

/// Two refunds out of one bucket, beside an addition to it.
pub fn refunds_and_an_addition_to_one_bucket<R: Ring>() {
    let ring = Arc::new(R::fresh());
    ring.add(0, 30.0);
    let threads = [10.0, 20.0].map(|tokens| {
        let ring = Arc::clone(&ring);
        thread::spawn(move || ring.refund(0, 0, tokens))
    });
    ring.add(0, 1.0);
    let refunded: f64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(refunded, 30.0);
    assert_eq!(ring.total(0), 1.0);
}

/// Two readers sweep the same expired bucket: it leaves once.
pub fn two_readers_sweep_one_bucket<R: Ring>() {
    let ring = Arc::new(R::fresh());
    ring.add(0, 100.0);
    ring.add(1, 1.0);
    let reader = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || ring.total(2))
    };
    let seen = [ring.total(2), reader.join().unwrap()];
    assert!(seen.iter().all(|seen| *seen == 1.0 || *seen == 101.0), "saw {seen:?}");
    assert!(seen.contains(&1.0), "whoever took it off has seen it gone");
    assert_eq!(ring.total(2), 1.0);
}

/// Charges against the watcher: what the watcher knows is exact once it has looked after the last of them, though it
/// looks only at what raised its flag.
pub fn charges_against_the_watcher<R: Ring>() {
    let ring = Arc::new(R::fresh());
    ring.add(0, 1.0);
    let adder = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || ring.add(0, 2.0))
    };
    let early = ring.watch_if_changed();
    adder.join().unwrap();
    let known = ring.watch_if_changed().or(early);
    assert_eq!(known, Some(3.0), "known after the last charge, {early:?} before");
}

/// A reader that sweeps an expired bucket against the watcher that reclaims it: whoever took it off the total, the
/// watcher learns of it.
pub fn a_sweep_against_the_watcher<R: Ring>() {
    let ring = Arc::new(R::fresh());
    ring.add(0, 100.0);
    assert_eq!(ring.watch_if_changed(), Some(100.0));
    let reader = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || ring.total(2))
    };
    let early = ring.watch_expiry(0);
    reader.join().unwrap();
    let known = ring.watch_if_changed().unwrap_or(early);
    assert_eq!(known, 0.0, "known after the sweep, {early} before");
}

/// A refund against the watcher, as a charge.
pub fn a_refund_against_the_watcher<R: Ring>() {
    let ring = Arc::new(R::fresh());
    ring.add(0, 100.0);
    let refunder = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || ring.refund(0, 0, 60.0))
    };
    let early = ring.watch_if_changed();
    refunder.join().unwrap();
    let known = ring.watch_if_changed().or(early);
    assert_eq!(known, Some(40.0), "known after the refund, {early:?} before");
}
