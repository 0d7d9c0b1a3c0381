//! What a dispatched request holds, and gives back exactly once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use vtc_core::queue::{Counter, RequestId};
use vtc_core::{Clock, CoarseClock, Meter, Pod, PodTable, Ticket, Usage};

use super::DispatcherActor;
use super::messages::{Ended, Move};
use crate::error::HandleError;

/// A request that may go: a place on a pod, a [`Ticket`] that has charged the estimate in the tracker's window, and the
/// request as the fair queue runs it.
///
/// All three come back together and exactly once, by one of these:
///
/// - [`settle`](Permit::settle): the actual usage is known and replaces what was charged;
/// - [`close`](Permit::close): the request ended, nobody said how many tokens it took;
/// - [`void`](Permit::void) and [`pod_failed`](Permit::pod_failed): it was never served, and costs nothing;
/// - dropping it *abandons* the request, and charges as `close` does: the client went away, or the code that held the
///   permit panicked.
///
/// An ending consumes the permit, so a second one does not compile. The ticket ends at once, on this thread; the dispatcher
/// is told by a message, and gives the place to the next.
#[must_use = "dropping a permit abandons its request"]
pub struct Permit<C: Clock = CoarseClock> {
    ticket: Ticket<C>,
    meter: Meter,
    grant: Grant,
    among: PodTable,
    actor: Addr<DispatcherActor<C>>,
    key: RunningKey,
    /// How it ends if nobody says so; `None` once it has ended.
    on_drop: Option<Ending>,
}

/// Why a request went when it did, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The pool.
    pub pool: Arc<str>,
    /// How long it has waited, the way to the dispatcher included.
    pub waited: Duration,
    /// The user's virtual counter when it was dispatched, before that was charged: the least of those who waited.
    pub counter: Counter,
    /// How many users were to go before this one when the request came; `None` if that was not
    /// [asked for](super::Acquire::explain), or if the user had as much running as it may.
    pub ahead: Option<usize>,
    /// The output that was charged in advance.
    pub prepaid: u64,
    /// The queue's discipline.
    pub discipline: &'static str,
    /// The policy that chose the pod.
    pub policy: &'static str,
}

/// The pool has no other pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no other pod could take the request")]
pub struct NoOtherPod;

/// Which of the running requests it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunningKey {
    pub(super) pool: usize,
    pub(super) slot: usize,
    pub(super) id: RequestId,
}

/// How a permit ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Settled(Usage),
    Closed,
    Abandoned,
    Voided,
    PodFailed,
}

// === impl Permit ===

impl<C: Clock> Permit<C> {
    /// A permit on its way: until somebody [takes](Permit::taken) it, dropping it voids it.
    pub(super) fn new(
        ticket: Ticket<C>,
        meter: Meter,
        grant: Grant,
        among: PodTable,
        actor: Addr<DispatcherActor<C>>,
        key: RunningKey,
    ) -> Self {
        Self { ticket, meter, grant, among, actor, key, on_drop: Some(Ending::Voided) }
    }

    /// The same in the hands of whoever asked for it.
    pub(super) fn taken(mut self) -> Self {
        self.on_drop = Some(Ending::Abandoned);
        self
    }

    /// The pod that the request goes to.
    #[must_use]
    pub fn pod(&self) -> &Pod {
        self.ticket.pod()
    }

    /// Why it goes now, and there.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The pods that had room for it, from which the policy chose its first. A reference count.
    #[must_use]
    pub const fn among(&self) -> &PodTable {
        &self.among
    }

    /// The ticket: who is charged, and how much was reserved. It ends with the permit; whoever ends it before, ends its
    /// part alone.
    pub const fn ticket(&self) -> &Ticket<C> {
        &self.ticket
    }

    /// Says how much of the answer has flowed so far, and how much input it took. Never lowers what was said before. From
    /// any thread, without a message: a few atomic operations. The dispatcher looks at it before it chooses somebody.
    pub fn progress(&self, input_tokens: u64, output_tokens: u64) {
        // An error would mean a number that is not finite; these are whole numbers.
        let _ = self.ticket.progress(input_tokens as f64, output_tokens as f64);
        self.meter.raise(output_tokens);
    }

    /// Ends the request with its actual usage.
    pub fn settle(mut self, usage: Usage) {
        self.end(Ending::Settled(usage));
    }

    /// Ends the request without usage: what has flowed is charged, or if nothing is known to have, what was charged stays.
    pub fn close(mut self) {
        self.end(Ending::Closed);
    }

    /// The request was never served: nobody is charged.
    pub fn void(mut self) {
        self.end(Ending::Voided);
    }

    /// The request was never served, because its pod failed: nobody is charged, and the pod gets nothing new until a
    /// [`SetPool`](super::SetPool) lists it again.
    pub fn pod_failed(mut self) {
        self.end(Ending::PodFailed);
    }

    /// Takes the request to another pod of the pool, after its own failed before it answered; not to one of `avoid`. The
    /// user is charged once. The pod that failed gets nothing new until a [`SetPool`](super::SetPool) lists it again.
    ///
    /// A pod with room is preferred. If none has room, one gets a request too many: this one has been admitted, and to
    /// wait a second time behind others is no fault of its user.
    ///
    /// If this future is dropped, the permit is at one of the two pods, and good as before.
    ///
    /// # Errors
    /// Outside: the dispatcher has stopped. Inside: there is no other pod. In both cases the permit is good as before.
    pub async fn move_on(&mut self, avoid: &[&str]) -> Result<Result<(), NoOtherPod>, HandleError> {
        let avoid = avoid.iter().map(|name| (*name).into()).collect();
        let pod = self.actor.send(Move { key: self.key, avoid }).await.map_err(|_| HandleError::Stopped)?;
        Ok(pod.map(|pod| self.ticket.move_to(&pod)).ok_or(NoOtherPod))
    }

    /// The one ending.
    fn end(&mut self, ending: Ending) {
        if self.on_drop.take().is_none() {
            return;
        }
        // Whole numbers are finite, so neither is ever an error.
        match ending {
            Ending::Settled(Usage { input, output, .. }) => {
                let _ = self.ticket.settle(input as f64, output as f64);
            }
            Ending::Voided | Ending::PodFailed => {
                let _ = self.ticket.settle(0.0, 0.0);
            }
            Ending::Closed | Ending::Abandoned => {
                self.ticket.close();
            }
        }
        // After the ticket has left the pod, so that whoever goes there next finds the place free. Never shed: there are no
        // more of these than permits. If the actor is gone, so are its counters.
        self.actor.do_send(Ended { key: self.key, ending });
    }
}

impl<C: Clock> Drop for Permit<C> {
    fn drop(&mut self) {
        if let Some(ending) = self.on_drop {
            self.end(ending);
        }
    }
}

impl<C: Clock> fmt::Debug for Permit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("ticket", &self.ticket)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}
