//! A pod: it takes requests in, works in steps, and says what came out.

mod paged;
mod pages;
mod prefix_cache;
mod reserving;

use std::fmt;

use vtc_core::queue::RequestId;
use vtc_core::{ManualClock, Ticket};

use self::paged::PagedPod;
use self::reserving::ReservingPod;
use super::profile::Profile;
use crate::request::Request;

/// A request that has left the queue.
pub(super) struct Flight {
    pub(super) request: Request,
    /// Its name in the queue, if it came through one.
    pub(super) id: Option<RequestId>,
    /// Its place and reservation, if a gateway routed it.
    pub(super) ticket: Option<Ticket<ManualClock>>,
    /// The output that the gateway holds room for.
    pub(super) guess: u64,
    /// Tokens of its answer that were reported.
    pub(super) delivered: u64,
    /// Tokens of its prompt that a cache had when it was first taken in.
    pub(super) cached: u64,
    /// When its first token came, in nanoseconds.
    pub(super) first_token: Option<u64>,
}

/// What one pod does, between its steps. Time is whole nanoseconds, so that sums are exact.
pub(super) trait Pod: fmt::Debug {
    /// Whether it could hold the request if it held nothing else.
    fn could_hold(&self, request: &Request) -> bool;

    /// Whether it takes requests in before its next step, if they fit.
    fn is_open(&self) -> bool;

    /// Whether it takes that request in before its next step.
    fn takes(&self, request: &Request) -> bool;

    /// Takes in a request that it [takes](Pod::takes).
    fn admit(&mut self, flight: Flight);

    /// How many requests it has taken in and not finished.
    fn running(&self) -> usize;

    /// Begins a step; how long it takes, or `None` if there is nothing to do.
    fn begin(&mut self) -> Option<u64>;

    /// The step that was begun is over, at `now`: whoever has got its last token leaves.
    fn finish(&mut self, now: u64, ended: &mut Vec<Flight>);

    /// Tells each request's tokens that came since the last report.
    fn report(&mut self, tell: &mut dyn FnMut(&Flight, u64));

    /// What is known of its past.
    fn tally(&self) -> Tally;
}

/// What pods have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps.
    pub steps: u64,
    /// The time that the steps took, in nanoseconds.
    pub busy: u64,
    /// The most tokens that one pod held at a time.
    pub most_held: u64,
    /// How often a request was put off again for want of memory, to be computed anew.
    pub preemptions: u64,
    /// Tokens of prompts that were in a cache.
    pub cached: u64,
}

/// An idle pod of that profile.
pub(super) fn make(profile: &Profile) -> Box<dyn Pod> {
    match profile {
        Profile::Reserving(profile) => Box::new(ReservingPod::new(profile)),
        Profile::Paged(profile) => Box::new(PagedPod::new(profile)),
    }
}

/// Tokens that a pod writes for a request: one comes out of reading the prompt, wanted or not.
pub(super) fn written(request: &Request) -> u64 {
    request.output.max(1)
}

// === impl Flight ===

impl Flight {
    pub(super) const fn new(request: Request) -> Self {
        Self { request, id: None, ticket: None, guess: 0, delivered: 0, cached: 0, first_token: None }
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").field("request", &self.request).field("id", &self.id).finish_non_exhaustive()
    }
}

// === impl Tally ===

impl Tally {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            busy: self.busy + other.busy,
            most_held: self.most_held.max(other.most_held),
            preemptions: self.preemptions + other.preemptions,
            cached: self.cached + other.cached,
        }
    }
}
