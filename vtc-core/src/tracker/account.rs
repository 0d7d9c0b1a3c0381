//! One user's account: a name and the ring of what it was served.

use std::fmt;

use crate::clock::{Clock, CoarseClock};
use crate::config::TrackerConfig;
use crate::ring::Ring;
use crate::sync::Arc;
use crate::tokens::{InvalidTokens, Tokens};
use crate::window::Window;

/// What all accounts of a tracker have in common.
#[derive(Debug)]
pub(crate) struct Ledger<C> {
    pub(crate) clock: C,
    pub(crate) window: Window,
    pub(super) config: TrackerConfig,
}

/// A user's account. It keeps working when the tracker has let go of it: a charge in flight is never
/// lost to an eviction, because an account that somebody holds is not evicted.
pub(crate) struct Account<C> {
    name: std::sync::Arc<str>,
    ring: Ring,
    ledger: Arc<Ledger<C>>,
}

/// A user, looked up once: for whoever keeps a session. Charging through it costs two atomic
/// read-modify-writes and a look at the clock.
///
/// The user's account stays in the tracker for as long as a handle to it lives.
pub struct UserHandle<C = CoarseClock>(pub(super) Arc<Account<C>>);

// === impl Ledger ===

impl<C: Clock> Ledger<C> {
    /// The bucket of now.
    #[inline]
    pub(crate) fn bucket(&self) -> u64 {
        self.window.bucket_of(self.clock.now())
    }
}

// === impl Account ===

impl<C: Clock> Account<C> {
    pub(super) fn open(name: std::sync::Arc<str>, ledger: &Arc<Ledger<C>>) -> Arc<Self> {
        let ring = Ring::new(ledger.window.buckets(), ledger.bucket());
        Arc::new(Self { name, ring, ledger: Arc::clone(ledger) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn shared_name(&self) -> std::sync::Arc<str> {
        std::sync::Arc::clone(&self.name)
    }

    /// The bucket of now, for the operations below: a caller that does several looks at the clock once.
    #[inline]
    pub(crate) fn bucket(&self) -> u64 {
        self.ledger.bucket()
    }

    /// What the user has in the window that ends with bucket `now`.
    #[inline]
    pub(crate) fn count(&self, now: u64) -> Tokens {
        self.ring.total(now)
    }

    /// What so many tokens cost.
    #[inline]
    pub(crate) fn cost(&self, input: f64, output: f64) -> Result<Tokens, InvalidTokens> {
        self.ledger.config.weights.cost(input, output)
    }

    /// Charges an amount in bucket `now`; says into which bucket it went.
    #[inline]
    pub(crate) fn charge(&self, now: u64, amount: Tokens) -> u64 {
        self.ring.add(now, amount)
    }

    /// Takes back an amount that was charged into bucket `charged`, as far as it is still there.
    pub(crate) fn refund(&self, charged: u64, now: u64, amount: Tokens) {
        self.ring.refund(charged, now, amount);
    }
}

impl<C> fmt::Debug for Account<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("name", &self.name).finish_non_exhaustive()
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
        Self(Arc::clone(&self.0))
    }
}

impl<C> fmt::Debug for UserHandle<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserHandle").field(&self.0.name).finish()
    }
}
