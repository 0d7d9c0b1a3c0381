//! One user's account: a name and the ring of what it was served.

use std::fmt;

use compact_str::CompactString;

use super::seat::Seat;
use crate::clock::{Clock, CoarseClock, Tick, saturating_nanos};
use crate::config::TrackerConfig;
use crate::flag::{Flag, take_down};
use crate::ring::{Landed, Ring, RingHead};
use crate::sync::{Arc, AtomicU64, Named, Ordering, SliceArc};
use crate::tokens::{InvalidTokens, Tokens};
use crate::window::Window;

/// What all accounts of a tracker have in common.
#[derive(Debug)]
pub(crate) struct Ledger<C> {
    pub(crate) clock: C,
    pub(crate) window: Window,
    pub(super) config: TrackerConfig,
    /// Nanoseconds.
    pub(super) staleness: u64,
    /// The bucket in which the last refresh of the extremes began. It never goes back.
    refreshed: AtomicU64,
    /// The latest bucket that anything was charged into.
    latest: AtomicU64,
}

/// A user's account: a pointer to it, which keeps it open. A charge in flight is never lost to an eviction,
/// because an account that somebody holds is not evicted.
///
/// Head and buckets are one allocation, so that a charge finds all it needs with one pointer.
pub(crate) struct Account<C>(SliceArc<Head<C>, AtomicU64>);

struct Head<C> {
    ring: RingHead,
    /// Up to 24 bytes lie here, longer ones elsewhere.
    name: CompactString,
    ledger: Arc<Ledger<C>>,
    seat: Seat,
    /// Units that the user was charged by other replicas within the window. Whoever holds the upkeep writes it.
    elsewhere: AtomicU64,
    /// Buckets that changed otherwise than by a charge that came in time: a flag for every 64th.
    revised: AtomicU64,
}

/// A user, looked up once: for whoever keeps a session. Charging through it costs two atomic
/// read-modify-writes and a look at the clock.
///
/// The user's account stays in the tracker for as long as a handle to it lives.
pub struct UserHandle<C = CoarseClock>(pub(super) Account<C>);

// === impl Ledger ===

impl<C: Clock> Ledger<C> {
    /// For a configuration that has been checked.
    pub(super) fn new(config: TrackerConfig, clock: C) -> Self {
        let window = config.window();
        let now = window.bucket_of(clock.now());
        let staleness = saturating_nanos(config.staleness);
        Self { clock, window, config, staleness, refreshed: AtomicU64::new(now), latest: AtomicU64::new(now) }
    }

    /// The bucket of now.
    #[inline]
    pub(crate) fn bucket(&self) -> u64 {
        self.window.bucket_of(self.clock.now())
    }

    /// Says that what is charged into buckets before that one comes late from now on.
    pub(super) fn begin_refresh(&self, bucket: u64) {
        // Relaxed: published by the taking down of flags that follows.
        self.refreshed.fetch_max(bucket, Ordering::Relaxed);
    }

    /// The bucket of that moment, or a later one that was charged into: for whoever's clock went back, time stands still.
    pub(super) fn latest(&self, at: Tick) -> u64 {
        // Relaxed: published by the flag that is raised again afterwards.
        self.window.bucket_of(at).max(self.latest.load(Ordering::Relaxed))
    }

    /// Whether a charge came into a bucket where whoever refreshes the extremes does not expect it: before that of the
    /// last refresh, or after all others.
    #[inline]
    fn is_out_of_step(&self, landed: u64) -> bool {
        // Relaxed: both never go back. `refreshed`: the flag that belongs to the charge was last taken down by some
        // refresh, and whatever that one or an earlier one wrote here before is seen. `latest`: an old value only
        // says so once more.
        landed < self.refreshed() || landed > self.latest.load(Ordering::Relaxed)
    }

    /// The bucket of the last refresh that is known to have begun.
    #[inline]
    pub(super) fn refreshed(&self) -> u64 {
        // Relaxed: see `is_out_of_step`.
        self.refreshed.load(Ordering::Relaxed)
    }
}

// === impl Account ===

impl<C: Clock> Account<C> {
    /// A new account, in bucket `now`.
    pub(super) fn open(name: &str, ledger: &Arc<Ledger<C>>, seat: Seat, now: u64) -> Self {
        let head = Head {
            ring: RingHead::new(now),
            name: name.into(),
            ledger: Arc::clone(ledger),
            seat,
            elsewhere: AtomicU64::new(0),
            revised: AtomicU64::new(0),
        };
        Self(SliceArc::new(head, RingHead::fresh_buckets(&ledger.window, now)))
    }

    /// The bucket of now, for the operations below: a caller that does several looks at the clock once.
    #[inline]
    pub(crate) fn bucket(&self) -> u64 {
        self.0.head().ledger.bucket()
    }

    /// What the user has in the window that ends with bucket `now`, here and elsewhere.
    #[inline]
    pub(crate) fn count(&self, now: u64) -> Tokens {
        self.with_elsewhere(self.ring().total(now))
    }

    /// The count as it stands, expired or not: for whoever holds the upkeep.
    pub(super) fn watch(&self) -> Tokens {
        self.with_elsewhere(self.ring().watch())
    }

    #[inline]
    fn with_elsewhere(&self, here: Tokens) -> Tokens {
        // Relaxed: the number publishes nothing but itself.
        let elsewhere = self.0.head().elsewhere.load(Ordering::Relaxed);
        Tokens::from_units(here.units().saturating_add(elsewhere))
    }

    /// Replaces what the user was charged elsewhere: for whoever holds the upkeep.
    pub(super) fn set_elsewhere(&self, units: u64) {
        // Relaxed: as above. The upkeep's lock orders the writers.
        self.0.head().elsewhere.store(units, Ordering::Relaxed);
    }

    /// What so many tokens cost.
    #[inline]
    pub(crate) fn cost(&self, input: f64, output: f64) -> Result<Tokens, InvalidTokens> {
        self.0.head().ledger.config.weights.cost(input, output)
    }

    /// Charges an amount in bucket `now`; says what became of it.
    #[inline]
    pub(crate) fn charge(&self, now: u64, amount: Tokens) -> Landed {
        let landed = self.ring().add(now, amount);
        if self.0.head().ledger.is_out_of_step(landed.bucket) {
            self.tell(landed.bucket);
        }
        landed
    }

    /// The first charge of a bucket, and one that came late (its thread was held up, or its clock went back), say
    /// where they lie.
    #[cold]
    fn tell(&self, landed: u64) {
        let Head { ledger, seat, .. } = self.0.head();
        // Relaxed: published by the flag.
        ledger.latest.fetch_max(landed, Ordering::Relaxed);
        if landed < ledger.refreshed() {
            seat.late().raise();
            self.revised(landed).raise();
        }
        seat.changed().raise_again();
    }

    /// Takes back an amount that was charged into bucket `charged`, as far as it is still there.
    pub(crate) fn refund(&self, charged: u64, now: u64, amount: Tokens) {
        if self.ring().refund(charged, now, amount).is_zero() {
            return;
        }
        // In this order, and once more than the ring did: see `export`.
        self.revised(charged).raise();
        self.seat().changed().raise();
    }

    /// What the user was charged here, and where: visits every bucket from `since` to `now` that holds something, and
    /// those that were revised since the last visit, with what they hold. For whoever holds the upkeep, and has taken
    /// down the account's flag.
    ///
    /// No change is missed. Buckets and marks are read by read-modify-writes, so a change, or a mark, that this visit does not
    /// see comes after it, and so after the flag was taken down: whoever makes it sees that and raises the flag, and there is
    /// another visit. That one looks at the bucket: a charge that came in time lies at or behind the last visit's `now`,
    /// anything else is marked as revised after the bucket has changed and before the flag is raised. So whoever finds the
    /// flag up finds the mark.
    pub(super) fn export(&self, since: u64, now: u64, mut visit: impl FnMut(u64, Tokens)) {
        let ring = self.ring();
        // Always: whoever marks a bucket later sees the account's flag down, and raises it.
        let revised = take_down(&self.0.head().revised, true);
        let window = (now + 1).saturating_sub(self.0.slice().len() as u64)..=now;
        let since = since.max(*window.start());
        let first = if revised == 0 { since } else { *window.start() };
        for bucket in first..=now {
            let is_revised = revised & (1 << (bucket % u64::from(u64::BITS))) != 0;
            if is_revised || bucket >= since {
                let held = ring.held(bucket);
                if is_revised || !held.is_zero() {
                    visit(bucket, held);
                }
            }
        }
    }

    #[inline]
    fn revised(&self, bucket: u64) -> Flag<'_> {
        Flag::new(&self.0.head().revised, (bucket % u64::from(u64::BITS)) as u32)
    }

    #[inline]
    pub(super) fn ring(&self) -> Ring<'_> {
        let head = self.0.head();
        Ring::new(&head.ring, self.0.slice(), &head.ledger.window, head.seat.changed())
    }

    /// A look at the total that concludes nothing.
    #[inline]
    pub(super) fn peek(&self) -> u64 {
        self.0.head().ring.peek()
    }

    pub(super) fn seat(&self) -> &Seat {
        &self.0.head().seat
    }
}

impl<C> Account<C> {
    pub(crate) fn name(&self) -> &str {
        &self.0.head().name
    }
}

impl<C> Named for Account<C> {
    #[inline]
    fn name(&self) -> &str {
        self.name()
    }

    fn is_sole(&self) -> bool {
        self.0.is_sole()
    }

    fn is_same(&self, other: &Self) -> bool {
        self.0.is_same(&other.0)
    }
}

impl<C> Clone for Account<C> {
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> fmt::Debug for Account<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("name", &self.name()).finish_non_exhaustive()
    }
}

// === impl UserHandle ===

impl<C: Clock> UserHandle<C> {
    /// The user's name. Users beyond the tracker's cap share one account, and its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The user's count over the window. O(1), amortised.
    #[must_use]
    pub fn token_count(&self) -> f64 {
        self.0.count(self.0.bucket()).as_f64()
    }

    /// Charges so many tokens, weighted, now.
    ///
    /// # Errors
    /// [`InvalidTokens`] for what is no number; nothing was changed then.
    #[inline]
    pub fn charge(&self, input_tokens: f64, output_tokens: f64) -> Result<(), InvalidTokens> {
        let cost = self.0.cost(input_tokens, output_tokens)?;
        self.0.charge(self.0.bucket(), cost);
        Ok(())
    }
}

impl<C> Clone for UserHandle<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> fmt::Debug for UserHandle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserHandle").field(&self.0.name()).finish()
    }
}
