//! What one thread at a time does for all: publishing the extremes, closing idle accounts.

use super::SlidingWindowTracker;
use crate::clock::{Clock, Tick};
use crate::extremes::{Extremes, Range};
use crate::sync::{Arc, Publisher};

/// The tracker's single writer. Whoever holds it may publish.
#[derive(Debug)]
pub(super) struct Upkeep {
    publisher: Publisher<Extremes>,
    /// When idle accounts were last closed.
    closed_at: Tick,
}

impl Upkeep {
    pub(super) fn new(publisher: Publisher<Extremes>, now: Tick) -> Self {
        Self { publisher, closed_at: now }
    }

    /// Publishes the extremes of now; closes idle accounts if it is time. O(users).
    pub(super) fn run<C: Clock>(&mut self, tracker: &SlidingWindowTracker<C>) -> Extremes {
        self.close_idle_accounts(tracker);
        let ledger = tracker.ledger();
        let as_of = ledger.clock.now();
        let bucket = ledger.window.bucket_of(as_of);
        let mut range = Range::default();
        tracker.for_each_account(|account| range.include(account.count(bucket)));
        let extremes = range.extremes(ledger.config.min_tokens, ledger.config.max_tokens, as_of);
        // The adaptive bucket changes only here, so here is where it is shown: not once per request.
        metrics::gauge!("vtc_bucket_size_active").set(extremes.bucket);
        self.publisher.publish(Arc::new(extremes));
        extremes
    }

    /// Closes idle accounts, at most once per window: a user who goes idle is forgotten within two windows.
    pub(super) fn close_idle_accounts<C: Clock>(&mut self, tracker: &SlidingWindowTracker<C>) {
        let ledger = tracker.ledger();
        let now = ledger.clock.now();
        if now.since(self.closed_at) >= ledger.window.lap() {
            self.closed_at = now;
            tracker.close_idle_accounts();
        }
    }
}
