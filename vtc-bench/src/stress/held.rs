//! A ticket in somebody's hands, with what is to be charged for it in the end.

use std::fmt;

use crossbeam_utils::atomic::AtomicCell;
use vtc_core::{Clock, Tick, Ticket};

use super::ledger::{AccountNumber, Entry, Stay, Term, signed};

/// A ticket, and what is known of it.
pub struct Held<C: Clock> {
    /// The ticket.
    pub ticket: Ticket<C>,
    /// What it reserved; `None` if nobody pays.
    pub reservation: Option<Reservation>,
    /// Whether two threads have it. They settle it, and nothing else, so that its charge is known: the winner's.
    pub is_contested: bool,
    /// The most that was said to be delivered, in thousandths plus one; 0: nothing was said.
    delivered: AtomicCell<u64>,
}

/// A charge that may be corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Whose.
    pub account: AccountNumber,
    /// Thousandths.
    pub amount: u64,
    /// When it was charged.
    pub stay: Stay,
}

// === impl Held ===

impl<C: Clock> Held<C> {
    /// A ticket that was just opened.
    pub fn new(ticket: Ticket<C>, reservation: Option<Reservation>, is_contested: bool) -> Self {
        Self { ticket, reservation, is_contested, delivered: AtomicCell::new(0) }
    }

    /// Before so much is said to be delivered.
    pub fn deliver(&self, thousandths: u64) {
        self.delivered.fetch_max(thousandths + 1);
    }

    /// The most that was said to be delivered.
    pub fn delivered(&self) -> Option<u64> {
        self.delivered.load().checked_sub(1)
    }

    /// What a ticket that is still open has charged beyond its reservation.
    pub fn excess(&self, now: Stay) -> Option<Entry> {
        let reservation = self.reservation?;
        let excess = self.delivered()?.checked_sub(reservation.amount)?;
        Some(Entry::charge(reservation.account, reservation.stay.until(now), excess))
    }
}

impl<C: Clock> fmt::Debug for Held<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}

// === impl Reservation ===

impl Reservation {
    /// What the ending changes, between two looks at the clock: it makes the charge `actual`, of which what was said
    /// to be delivered is charged already.
    ///
    /// A stream that is said to have delivered more than `actual` must end at the moment at which it began: only then
    /// is it certain that what it takes back is what it charged.
    #[must_use]
    pub fn ending(
        &self,
        delivered: Option<u64>,
        actual: u64,
        (before, after): (Tick, Tick),
        term: &Term,
    ) -> [Option<Entry>; 2] {
        let end = term.stay(before, after);
        let charge = |stay, amount| Some(Entry::charge(self.account, stay, amount));
        match actual.checked_sub(self.amount) {
            None => {
                let refund = signed(actual) - signed(self.amount);
                // In time for certain; or else it may have been moot.
                let perhaps = if term.surely_counts(self.stay, after) { refund } else { 0 };
                [Some(Entry { surely: refund, perhaps, ..Entry::charge(self.account, self.stay, 0) }), None]
            }
            Some(0) => [None, None],
            Some(excess) => {
                let streamed =
                    delivered.map_or(0, |delivered| delivered.saturating_sub(self.amount)).min(excess);
                [charge(self.stay.until(end), streamed), charge(end, excess - streamed)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use vtc_core::TrackerConfig;

    use super::super::ledger::{Bounds, Ledger};
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// The default window: 300 s in buckets of 5 s.
    fn term() -> Term {
        Term::of(&TrackerConfig::default())
    }

    fn at(seconds: u64) -> Tick {
        Tick::from_nanos(seconds * SECOND)
    }

    fn reservation() -> Reservation {
        Reservation { account: 0, amount: 50, stay: term().stay(at(0), at(0)) }
    }

    /// The bounds at `now` of a reservation of 50 that ends at `end`.
    fn bounds(delivered: Option<u64>, actual: u64, end: u64, now: u64) -> (u64, u64) {
        let mut ledger = Ledger::new(term(), 2);
        ledger.absorb([Entry::charge(0, reservation().stay, 50)]);
        ledger.absorb(
            reservation().ending(delivered, actual, (at(end), at(end)), &term()).into_iter().flatten(),
        );
        let Bounds { least, most } = ledger.balance(at(now)).accounts[0];
        (least, most)
    }

    #[test]
    fn an_ending_makes_the_charge_what_was_used() {
        assert_eq!(bounds(None, 50, 10, 10), (50, 50));
        assert_eq!(bounds(None, 30, 10, 10), (30, 30), "a refund");
        assert_eq!(bounds(None, 80, 10, 10), (80, 80), "an excess");
        assert_eq!(bounds(Some(60), 80, 10, 10), (80, 80), "of which a part was charged as it went");
        assert_eq!(bounds(Some(90), 80, 0, 0), (80, 80), "of which a part comes back, at the same moment");
    }

    #[test]
    fn an_excess_stays_longer_than_its_reservation_and_a_late_refund_may_be_moot() {
        assert_eq!(bounds(None, 80, 200, 310), (30, 30), "the excess is of the end");
        assert_eq!(bounds(Some(80), 80, 200, 310), (0, 30), "it was charged at some time until the end");
        assert_eq!(bounds(None, 30, 303, 303), (0, 50), "expired and refunded, or not yet");
        assert_eq!(bounds(None, 30, 310, 310), (0, 0));
    }

    #[test]
    fn an_open_ticket_has_charged_what_it_delivered_beyond_its_reservation() {
        let router = vtc_core::Router::new(vtc_core::VtcConfig::default()).unwrap();
        router.pods().set(["a"]);
        let request = vtc_core::RouteRequest { user: Some("alice"), input_tokens: 0.05, output_tokens: 0.0 };
        let held = Held::new(router.route(&request).unwrap(), Some(reservation()), false);
        let now = term().stay(at(1), at(1));
        assert_eq!((held.delivered(), held.excess(now)), (None, None));
        held.deliver(0);
        assert_eq!((held.delivered(), held.excess(now)), (Some(0), None));
        held.deliver(70);
        held.deliver(60);
        assert_eq!(held.excess(now), Some(Entry::charge(0, reservation().stay.until(now), 20)));
    }
}
