//! What each account has left of a limit per minute: the memory of a [`governor`] limiter, which can be corrected.
//!
//! The library decides by the generic cell rate algorithm: of each key it keeps the *theoretical arrival time* up to which
//! its cells are spoken for. It lets nobody into debt and gives nothing back. Tokens need both, since what a request took
//! is known only when it has ended. Either moves that time: into the future by what was too little, back by what was too
//! much. A time that lies in the past is a full allowance, so nothing that is given back lets an account save more.

use std::sync::Arc;

use dashmap::DashMap;
use governor::nanos::Nanos;
use governor::state::StateStore;

/// Arrival times by account, in nanoseconds of the clock. Clones are one and the same, whichever limiter has them.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals {
    by_account: Arc<DashMap<String, u64>>,
}

/// The same for one limiter, which counts from its start.
#[derive(Clone, Debug)]
pub(super) struct Since {
    pub(super) arrivals: Arrivals,
    /// When the limiter was made.
    pub(super) start: u64,
}

/// No time lies beyond 100 years, so that none overflows when the library adds to it.
const LATEST: u64 = 100 * 366 * 24 * 3600 * 1_000_000_000;

// === impl Arrivals ===

impl Arrivals {
    /// Moves an account's time: later by what it owes, earlier by what it gets back. O(1).
    pub(super) fn correct(&self, account: &str, now: u64, nanos: i128) {
        let moved = |at: u64| (i128::from(at) + nanos).clamp(0, i128::from(LATEST)) as u64;
        if let Some(mut at) = self.by_account.get_mut(account) {
            let from = if nanos > 0 { (*at).max(now) } else { *at };
            *at = moved(from);
        } else if nanos > 0 {
            self.by_account.insert(account.to_owned(), moved(now));
        }
    }

    /// How far an account's time lies ahead of now.
    pub(super) fn ahead(&self, account: &str, now: u64) -> u64 {
        self.by_account.get(account).map_or(0, |at| at.saturating_sub(now))
    }

    /// Moves every account's time to lie as far ahead of now as `ahead` makes of how far it did; `None` forgets it.
    pub(super) fn rescale(&self, now: u64, ahead: impl Fn(&str, u64) -> Option<u64>) {
        self.by_account.retain(|account, at| match ahead(account, at.saturating_sub(now)) {
            Some(ahead) => {
                *at = now.saturating_add(ahead).min(LATEST);
                true
            }
            None => false,
        });
    }

    /// Forgets accounts that have all that one can have.
    pub(super) fn shrink(&self, now: u64) {
        self.by_account.retain(|_, at| *at > now);
        self.by_account.shrink_to_fit();
    }

    /// How many accounts it remembers.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_account.len()
    }
}

// === impl Since ===

impl StateStore for Since {
    type Key = String;

    fn measure_and_replace<T, F, E>(&self, account: &String, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let decide = |at: u64| {
            let before = (at > 0).then(|| Nanos::new(at.saturating_sub(self.start)));
            let (outcome, next) = decide(before)?;
            Ok((outcome, next.as_u64().saturating_add(self.start).min(LATEST)))
        };
        // The shard's lock is held for the decision, which is a handful of additions.
        let by_account = &self.arrivals.by_account;
        let mut at = match by_account.get_mut(account) {
            Some(at) => at,
            None => by_account.entry(account.clone()).or_insert(0),
        };
        let (outcome, next) = decide(*at)?;
        *at = next;
        Ok(outcome)
    }
}
