//! How much may wait, and what is said when no more may.

use std::fmt;

/// How much a queue takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Requests that wait.
    pub requests: usize,
    /// Bytes of the requests that wait, as each was said to have.
    pub bytes: u64,
    /// Requests of one user that wait.
    pub per_user: usize,
    /// Requests of one user that run at the same time; at least 1. A user that has so many is passed over, and comes
    /// back into the order, at its level, when one of them ends.
    pub running_per_user: usize,
    /// Users with an account of their own. Beyond it newcomers share one account, so nobody is served more by
    /// inventing names.
    pub users: usize,
}

/// Which limit a request would have passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueFull {
    /// So many requests wait already.
    #[error("{limit} requests are waiting, and no more may")]
    Requests {
        /// The most requests that may wait.
        limit: usize,
    },
    /// The bytes of the requests that wait, with this one's, are too many.
    #[error("the waiting requests may have {limit} bytes together, and this one would be too much")]
    Bytes {
        /// The most bytes that may wait.
        limit: u64,
    },
    /// So many requests of the user wait already.
    #[error("{limit} requests of this user are waiting, and no more may")]
    User {
        /// The most requests of one user that may wait.
        limit: usize,
    },
}

/// A request that was not taken in. Nothing was changed, and here it is back.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refused<R> {
    /// The request's payload.
    pub payload: R,
    /// Which limit it would have passed.
    pub reason: QueueFull,
}

// === impl QueueLimits ===

impl QueueLimits {
    /// No limit at all: for simulations, where nobody means harm.
    pub const NONE: Self = Self {
        requests: usize::MAX,
        bytes: u64::MAX,
        per_user: usize::MAX,
        running_per_user: usize::MAX,
        users: usize::MAX,
    };
}

impl Default for QueueLimits {
    /// 10,000 requests of together 256 MiB, 1,000 of each user; 100,000 users; any number running.
    fn default() -> Self {
        Self {
            requests: 10_000,
            bytes: 256 << 20,
            per_user: 1000,
            running_per_user: usize::MAX,
            users: 100_000,
        }
    }
}

// === impl Refused ===

/// The payload may be anything, and need not be shown.
impl<R> fmt::Debug for Refused<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("reason", &self.reason).finish_non_exhaustive()
    }
}
