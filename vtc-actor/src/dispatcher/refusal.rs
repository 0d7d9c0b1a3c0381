//! What the dispatcher says no to.

use std::time::Duration;

use vtc_core::UnknownPolicy;
use vtc_core::queue::QueueFull;

/// A request that gets no permit. Nobody was charged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It would pass a limit of the queue. Over HTTP: 429.
    #[error("{reason}: come back in {retry_after:?}")]
    Full {
        /// Which limit.
        reason: QueueFull,
        /// When those who wait now will have gone, at the pace of late; within 1 s and 60 s.
        retry_after: Duration,
    },
    /// It has waited for as long as it may. Over HTTP: 503.
    #[error("no pod had room within {waited:?}: come back in {retry_after:?}")]
    Expired {
        /// How long it has waited.
        waited: Duration,
        /// When those who wait still will have gone, at the pace of late; within 1 s and 60 s.
        retry_after: Duration,
    },
    /// The pool has no pod, or nobody has named such a pool. Over HTTP: 503.
    #[error("the pool has no pod: come back in {retry_after:?}")]
    NoPods {
        /// The soonest that it is worth to come back.
        retry_after: Duration,
    },
    /// The request names a policy that there is not. Over HTTP: 400.
    #[error(transparent)]
    Policy(#[from] UnknownPolicy),
}

// === impl Refusal ===

impl Refusal {
    /// When it is worth to come back, if it is.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Full { retry_after, .. }
            | Self::Expired { retry_after, .. }
            | Self::NoPods { retry_after } => Some(*retry_after),
            Self::Policy(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_when_to_come_back_if_that_helps() {
        let retry_after = Duration::from_secs(3);
        let full = Refusal::Full { reason: QueueFull::User { limit: 7 }, retry_after };
        assert_eq!(full.to_string(), "7 requests of this user are waiting, and no more may: come back in 3s");
        let expired = Refusal::Expired { waited: Duration::from_secs(60), retry_after };
        assert_eq!(expired.to_string(), "no pod had room within 60s: come back in 3s");
        let unknown = Refusal::from(UnknownPolicy { name: "fastest".to_owned() });
        for refusal in [full, expired, Refusal::NoPods { retry_after }] {
            assert_eq!(refusal.retry_after(), Some(retry_after));
            assert!(refusal.to_string().ends_with("come back in 3s"));
        }
        assert_eq!(unknown.retry_after(), None);
    }
}
