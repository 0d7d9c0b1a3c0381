//! What goes wrong on the way to the router, and what the router refuses.

use std::time::Duration;

use vtc_core::{RouteError, UnknownPolicy};

/// A request that got no answer. What the router itself says, a refusal too, is an answer: it stands in
/// the reply of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// As many requests are in flight as may be. This one was not put into the mailbox.
    #[error("too many requests are in flight: come back in {retry_after:?}")]
    Overloaded {
        /// When it is worth to come back: the handle's [`timeout`](crate::HandleConfig::timeout). By then
        /// each caller who waits now has its answer or has given up; whoever comes sooner may meet the same
        /// queue.
        retry_after: Duration,
    },
    /// There was no answer in time. A request still in the mailbox is not served any more, and a ticket that
    /// was made too late has abandoned itself: its place is free, its estimate stays charged. But an
    /// [`Update`](crate::Update) is still made: to repeat it would charge twice.
    #[error("no answer in time: an update is still made and must not be repeated, anything else may be")]
    Timeout,
    /// The actor is not there any more. Start another; until then the router can be called directly.
    #[error("the actor has stopped: start another, or call the router directly")]
    Stopped,
}

/// A request that the router did not route. Nobody was charged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RouteRefusal {
    /// The request names a policy that there is not.
    #[error(transparent)]
    Policy(#[from] UnknownPolicy),
    /// There is no pod, or a number of tokens is no number.
    #[error(transparent)]
    Route(#[from] RouteError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_what_to_do_next() {
        let overloaded = HandleError::Overloaded { retry_after: Duration::from_millis(250) };
        assert!(overloaded.to_string().ends_with("come back in 250ms"));
        assert!(HandleError::Timeout.to_string().contains("must not be repeated"));
        assert!(HandleError::Stopped.to_string().contains("start another"));
        let unknown = UnknownPolicy { name: "fastest".to_owned() };
        assert_eq!(RouteRefusal::from(unknown.clone()).to_string(), unknown.to_string());
    }
}
