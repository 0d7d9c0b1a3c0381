//! Where a request goes: the pods that have room for it, and of those the one that its policy chooses.

use std::sync::Arc;

use vtc_core::queue::Head;
use vtc_core::{Clock, Pod, PodTable, Policy, RouteRequest, Router, Ticket, UnknownPolicy};

use super::fleet::{Fleet, SeatKey};
use super::messages::Waiter;
use super::running::Running;

/// The pods of one pool, ordered by name, and their seats, in the same order.
#[derive(Debug, Default)]
pub(super) struct PoolPods {
    table: PodTable,
    seats: Vec<SeatKey>,
}

/// Where a request goes.
pub(super) struct Placed<C: Clock> {
    pub(super) ticket: Ticket<C>,
    pub(super) policy: &'static str,
    /// The pods that the policy chose from.
    pub(super) among: PodTable,
    pub(super) seat: SeatKey,
    /// Tokens that it holds there.
    pub(super) input: u64,
    pub(super) output: u64,
}

// === impl PoolPods ===

impl PoolPods {
    /// These pods, and their seats in the order of the pods' names, no name twice.
    pub(super) fn new(pods: impl IntoIterator<Item = Arc<Pod>>, seats: Vec<SeatKey>) -> Self {
        Self { table: PodTable::new(pods), seats }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    pub(super) fn seats(&self) -> &[SeatKey] {
        &self.seats
    }

    /// Where the head of the queue goes, if one of the pods that are `open` to it has room.
    pub(super) fn place<C: Clock>(
        &self,
        head: &Head<'_, Waiter<C>>,
        open: impl Fn(SeatKey) -> bool,
        router: &Router<C>,
        fleet: &Fleet,
    ) -> Option<Placed<C>> {
        let request = &head.payload.request;
        let (input, output) = size(head);
        let tokens = input.saturating_add(output);
        let roomy;
        let has_room = |seat: SeatKey| fleet.has_room(seat, tokens) && open(seat);
        let pods = if self.seats.iter().all(|seat| has_room(*seat)) {
            &self.table
        } else {
            roomy = self.those(|_, seat| has_room(seat))?;
            &roomy
        };
        let policy = policy(router, request.policy.as_deref()).ok()?;
        let route = RouteRequest {
            user: request.user.as_deref(),
            input_tokens: input as f64,
            output_tokens: request.output_tokens as f64,
        };
        // The policy is known since the request came, and whole numbers are finite: neither is ever an error.
        let ticket = router.route_among(pods, policy, &route).ok()?;
        let seat = self.seat_of(ticket.pod())?;
        Some(Placed { ticket, policy: policy.name(), among: pods.clone(), seat, input, output })
    }

    /// Whether one of the pods that are `open` to the head of the queue has room for it.
    pub(super) fn has_place<C: Clock>(
        &self,
        head: &Head<'_, Waiter<C>>,
        open: impl Fn(SeatKey) -> bool,
        fleet: &Fleet,
    ) -> bool {
        let (input, output) = size(head);
        let tokens = input.saturating_add(output);
        self.seats.iter().any(|seat| fleet.has_room(*seat, tokens) && open(*seat))
    }

    /// Where a running request goes that has to leave its pod: not to one of `avoid`, and if possible to one that has
    /// room.
    pub(super) fn another<C: Clock>(
        &self,
        running: &Running,
        avoid: &[Box<str>],
        router: &Router<C>,
        fleet: &Fleet,
    ) -> Option<(Arc<Pod>, SeatKey)> {
        let is_other =
            |pod: &Pod, seat| seat != running.seat && !avoid.iter().any(|name| **name == *pod.name());
        let has_room = |seat| fleet.has_room(seat, running.tokens());
        let others =
            self.those(|pod, seat| is_other(pod, seat) && has_room(seat)).or_else(|| self.those(is_other))?;
        let policy = policy(router, running.policy.as_deref()).ok()?;
        let pod = router.choose(&others, policy, running.user.as_deref())?;
        Some((Arc::clone(pod), self.seat_of(pod)?))
    }

    /// Those of the pods, if there are any.
    fn those(&self, which: impl Fn(&Pod, SeatKey) -> bool) -> Option<PodTable> {
        let pods = self.table.pods().iter().zip(&self.seats);
        let mut those =
            pods.filter(|(pod, seat)| which(pod, **seat)).map(|(pod, _)| Arc::clone(pod)).peekable();
        those.peek()?;
        Some(PodTable::new(those))
    }

    fn seat_of(&self, pod: &Pod) -> Option<SeatKey> {
        let at = self.table.pods().binary_search_by(|other| other.name().cmp(pod.name())).ok()?;
        self.seats.get(at).copied()
    }
}

/// The tokens that the head of the queue will hold: input, and output.
fn size<C: Clock>(head: &Head<'_, Waiter<C>>) -> (u64, u64) {
    let guess = if head.prepaid > 0 { head.prepaid } else { head.payload.request.output_tokens };
    (head.input, head.max_output.map_or(guess, |most| guess.min(most)))
}

/// The policy of that name, or the configured one.
pub(super) fn policy<'a, C: Clock>(
    router: &'a Router<C>,
    name: Option<&str>,
) -> Result<&'a dyn Policy, UnknownPolicy> {
    name.map_or_else(|| Ok(router.default_policy()), |name| router.policy(name))
}
