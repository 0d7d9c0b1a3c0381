//! How long a pod may take.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::UpstreamError;

/// How long an answer may take, from the request to its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To the first byte of its head.
    pub first_byte: Duration,
    /// From one byte to the next.
    pub idle: Duration,
    /// In all.
    pub whole: Duration,
}

/// The clock of one answer. It is looked at only while there is nothing to read.
pub(super) struct Patience {
    limits: Limits,
    /// The end of all patience.
    deadline: Instant,
    has_begun: bool,
    /// Whether the timer counts from the last byte.
    is_set: bool,
    timer: Pin<Box<Sleep>>,
}

// === impl Patience ===

impl Patience {
    pub(super) fn new(limits: Limits, deadline: Instant) -> Self {
        let first_byte = Instant::now() + limits.first_byte;
        let timer = Box::pin(sleep_until(first_byte.min(deadline)));
        Self { limits, deadline, has_begun: false, is_set: true, timer }
    }

    /// A byte has come.
    pub(super) fn renew(&mut self) {
        self.has_begun = true;
        self.is_set = false;
    }

    /// Ready, with the reason, when it has come to an end.
    pub(super) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<UpstreamError> {
        if !self.is_set {
            let idle = Instant::now() + self.limits.idle;
            self.timer.as_mut().reset(idle.min(self.deadline));
            self.is_set = true;
        }
        self.timer.as_mut().poll(context).map(|()| self.reason())
    }

    fn reason(&self) -> UpstreamError {
        if self.timer.deadline() >= self.deadline {
            return UpstreamError::TimedOut(format!(
                "its answer was not complete within {:?}",
                self.limits.whole
            ));
        }
        UpstreamError::TimedOut(match self.has_begun {
            false => format!("its answer did not begin within {:?}", self.limits.first_byte),
            true => format!("its answer stood still for {:?}", self.limits.idle),
        })
    }
}
