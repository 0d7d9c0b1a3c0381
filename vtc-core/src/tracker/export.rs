//! What a tracker tells other replicas, and what it is told of them.

use std::time::Duration;

use super::SlidingWindowTracker;
use crate::clock::Clock;
use crate::tokens::Tokens;

/// What one user was charged by this tracker within one bucket of its window: an absolute amount, so that whoever hears it
/// twice, or only the last of several, knows the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charged<'a> {
    /// The user; those who share an account are one, of the name [`OVERFLOW`](SlidingWindowTracker::OVERFLOW).
    pub user: &'a str,
    /// The bucket's number, counted from the origin of the tracker's clock: it means something to this tracker alone.
    pub bucket: u64,
    /// What lies in the bucket. It can be less than last time, even nothing, if something was refunded.
    pub amount: Tokens,
    /// How long until the bucket leaves the window.
    pub left: Duration,
}

// === impl SlidingWindowTracker ===

impl<C: Clock> SlidingWindowTracker<C> {
    /// Visits what changed here since the last export, refunds included, each user's buckets in their order. The first
    /// export is of everything. O(users that changed), and an [upkeep](Self::upkeep).
    ///
    /// What a charge or a refund did that had returned is told in this export or was in an earlier one; what another
    /// thread is in the middle of may be told now, and is told again with the next.
    ///
    /// `visit` must be short and not touch the tracker: the upkeep is locked meanwhile. Charging and counting go on.
    pub fn export_changes(&self, visit: impl FnMut(Charged<'_>)) {
        self.upkeep_lock().export(self, false, visit);
    }

    /// Visits everything that was charged here and is in the window: the start, or for whoever has lost it.
    /// O(users * buckets). As for `visit` and the guarantee, like [`export_changes`](Self::export_changes).
    pub fn export_all(&self, visit: impl FnMut(Charged<'_>)) {
        self.upkeep_lock().export(self, true, visit);
    }

    /// Says what users were charged by other replicas within the window, all of them together; in place of what was said of
    /// that user before, and until something else is said: the caller lets it expire. From now on it is part of the user's
    /// count and, with the next refresh, of the extremes. The empty name is passed over.
    ///
    /// A user who is not known here gets an account, or, beyond [`max_users`](crate::TrackerConfig::max_users), is counted
    /// with those who share one. O(1) each; waits for nobody but an upkeep.
    pub fn set_elsewhere<'a>(&self, amounts: impl IntoIterator<Item = (&'a str, Tokens)>) {
        let mut upkeep = self.upkeep_lock();
        for (user, amount) in amounts {
            upkeep.set_elsewhere(self, user, amount);
        }
    }
}
