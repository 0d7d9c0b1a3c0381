//! A decision taken: a place on a pod and a reservation on the user's account, given back exactly once.

use std::fmt;

use crate::clock::{Clock, CoarseClock};
use crate::pods::Pod;
use crate::ring::Landed;
use crate::sync::{Arc, AtomicU64, Ordering};
use crate::tokens::{InvalidTokens, Tokens};
use crate::tracker::Account;

/// A request on its way: it holds a place on its pod and has charged its estimate to its user.
///
/// Both come back exactly once, by one of three endings; the first one wins and the others do nothing:
///
/// - [`settle`](Ticket::settle): the actual usage is known and replaces the estimate;
/// - [`close`](Ticket::close): the request ended, nobody said how many tokens it took;
/// - dropping it *abandons* the request: the client went away, or the code that held the ticket panicked.
///
/// Without usage, what [`progress`](Ticket::progress) reported is charged; if it never reported anything, the
/// estimate stays: to leave early is no way to be served for nothing.
///
/// Three rules for corrections: a refund goes to the bucket of the charge, if that is still in the window,
/// else it is moot; an excess goes to the bucket of now; what a stream delivers beyond its reservation is
/// charged as it goes, so that a long answer is not free until it ends.
#[must_use = "dropping a ticket abandons its request"]
pub struct Ticket<C: Clock = CoarseClock> {
    pod: Arc<Pod>,
    reservation: Option<Reservation<C>>,
    /// Units charged so far, and [`ENDED`] once the ticket has ended.
    state: AtomicU64,
    /// What [`progress`](Ticket::progress) reported last, as units plus one; 0: nothing yet.
    delivered: AtomicU64,
    /// The bucket that was last charged for what passed the reservation.
    excess_in: AtomicU64,
}

struct Reservation<C> {
    account: Account<C>,
    amount: Tokens,
    bucket: u64,
}

const ENDED: u64 = 1 << 63;

// === impl Ticket ===

impl<C: Clock> Ticket<C> {
    /// Takes the place and charges the reservation in bucket `now`; nobody pays if there is no payer.
    #[inline]
    pub(crate) fn open(pod: &Arc<Pod>, payer: Option<Account<C>>, amount: Tokens, now: u64) -> Self {
        pod.enter();
        let reservation = payer.map(|account| {
            // Not more is noted than found room, as not more may come back.
            let Landed { bucket, kept } = account.charge(now, amount);
            Reservation { account, amount: kept, bucket }
        });
        let charged = reservation.as_ref().map_or(0, |reservation| reservation.amount.units());
        Self {
            pod: Arc::clone(pod),
            reservation,
            state: AtomicU64::new(charged),
            delivered: AtomicU64::new(0),
            excess_in: AtomicU64::new(0),
        }
    }

    /// The pod that the request goes to.
    #[must_use]
    pub fn pod(&self) -> &Pod {
        &self.pod
    }

    /// The account that is charged; `None` if nobody is: the request names no user, or one without a name.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.reservation.as_ref().map(|reservation| reservation.account.name())
    }

    /// The weighted tokens charged in advance.
    #[must_use]
    pub fn reserved(&self) -> f64 {
        self.reservation.as_ref().map_or(0.0, |reservation| reservation.amount.as_f64())
    }

    /// Gives the request to another pod, after the first one failed: the place moves, the charge stays
    /// as it is. Does nothing on a ticket that has ended.
    pub fn move_to(&mut self, pod: &Arc<Pod>) {
        if !self.has_ended() {
            pod.enter();
            self.pod.leave();
            self.pod = Arc::clone(pod);
        }
    }

    /// Says how much of the answer has been delivered so far, input included. What passes the
    /// reservation is charged at once. Never lowers what was charged. Does nothing on a ticket that has ended.
    ///
    /// # Errors
    /// [`InvalidTokens`] for what is no number; nothing was changed then.
    pub fn progress(&self, input_tokens: f64, output_tokens: f64) -> Result<(), InvalidTokens> {
        let Some(reservation) = &self.reservation else { return Ok(()) };
        let cost = reservation.account.cost(input_tokens, output_tokens)?.units();
        // Release, on both words: pairs with the Acquire in `end_with`, so that the ending knows of the
        // delivery and of every charge that the state counts.
        self.delivered.fetch_max(cost + 1, Ordering::Release);
        let mut state = self.state.load(Ordering::Acquire);
        while state & ENDED == 0 && cost > state {
            // Charged before it is counted: an ending that comes between the two does not know of it, and
            // the failing exchange below takes it back.
            let now = reservation.account.bucket();
            let excess = reservation.account.charge(now, Tokens::from_units(cost - state));
            // Relaxed: published by the exchange.
            self.excess_in.fetch_max(excess.bucket, Ordering::Relaxed);
            // What found no room is not counted, as it was not charged.
            let counted = state + excess.kept.units();
            match self.state.compare_exchange(state, counted, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(()),
                Err(now_there) => {
                    reservation.account.refund(excess.bucket, now, excess.kept);
                    state = now_there;
                }
            }
        }
        Ok(())
    }

    /// Ends the request with its actual usage. Says whether this call was what ended it.
    ///
    /// # Errors
    /// [`InvalidTokens`] for what is no number; the ticket is open still.
    pub fn settle(&self, input_tokens: f64, output_tokens: f64) -> Result<bool, InvalidTokens> {
        let Some(reservation) = &self.reservation else { return Ok(self.end_with(|| None)) };
        let actual = reservation.account.cost(input_tokens, output_tokens)?;
        Ok(self.end_with(|| Some(actual)))
    }

    /// Ends the request without usage: what was delivered is charged, or the estimate if nothing is known.
    /// Says whether this call was what ended it.
    pub fn close(&self) -> bool {
        self.end_with(|| {
            // Acquire: pairs with the Release in `progress`.
            let delivered = self.delivered.load(Ordering::Acquire);
            delivered.checked_sub(1).map(Tokens::from_units)
        })
    }

    /// Whether one of the endings has come.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        // Acquire: whoever sees the end sees what came before it.
        self.state.load(Ordering::Acquire) & ENDED != 0
    }

    /// The one ending: whoever sets the mark corrects the charge to `actual` (if that is known) and leaves
    /// the pod.
    fn end_with(&self, actual: impl FnOnce() -> Option<Tokens>) -> bool {
        // One atomic step decides who ends it, and says what was charged until then. AcqRel: Acquire pairs
        // with the Release in `progress`, so that what was counted has been charged; Release for `has_ended`.
        let state = self.state.fetch_or(ENDED, Ordering::AcqRel);
        if state & ENDED != 0 {
            return false;
        }
        if let (Some(reservation), Some(actual)) = (&self.reservation, actual()) {
            // Relaxed: the exchange that counted an excess came before, and this before it.
            let excess_in = self.excess_in.load(Ordering::Relaxed);
            reservation.correct(Tokens::from_units(state), actual, excess_in);
        }
        self.pod.leave();
        true
    }
}

impl<C: Clock> Drop for Ticket<C> {
    fn drop(&mut self) {
        // Most tickets have ended by now: a load tells, and costs less than trying to end it again.
        if !self.has_ended() {
            self.close();
        }
    }
}

impl<C: Clock> fmt::Debug for Ticket<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("pod", &self.pod.name())
            .field("reserved", &self.reserved())
            .field("ended", &self.has_ended())
            .finish_non_exhaustive()
    }
}

// === impl Reservation ===

impl<C: Clock> Reservation<C> {
    /// Makes what is charged equal to `actual`. What passed the reservation was last charged into `excess_in`.
    fn correct(&self, charged: Tokens, actual: Tokens, excess_in: u64) {
        if actual == charged {
            return;
        }
        let now = self.account.bucket();
        if actual > charged {
            self.account.charge(now, actual.saturating_sub(charged));
            return;
        }
        let refund = charged.saturating_sub(actual);
        // The reservation's own bucket can hold all that was reserved. More than that comes back only if a
        // stream reported more than it says it took in the end.
        let of_reservation = refund.min(self.amount);
        self.account.refund(self.bucket, now, of_reservation);
        let of_excess = refund.saturating_sub(of_reservation);
        if !of_excess.is_zero() {
            self.account.refund(excess_in, now, of_excess);
        }
    }
}
