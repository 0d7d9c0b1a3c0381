//! Whose turn it is among several replicas. Plain numbers in, a choice out.
//!
//! Each replica has the places that come free on pods where its own requests ended, and sees others some time later. It
//! fills a place if its next user is no further ahead than news are behind, and leaves it to the others if it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::counter::Counter;

/// What a replica goes by.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// What was charged anywhere since the last exchange, in a counter's units.
    charged: u128,
    /// The most that was charged in one exchange of late.
    pace: u128,
    /// How many may go until the next exchange; `None`: as many as there is room for.
    places: Option<u64>,
    /// Whether room was left to others since the last exchange.
    is_left: bool,
    /// For how many exchanges on end room was left.
    left_for: u32,
    /// Whether room is left to nobody until the next exchange.
    is_open: bool,
    /// How many requests were dispatched here.
    dispatched: u64,
    /// What a request has cost of late, in a counter's units.
    cost: u64,
}

/// A user who waits, and how many requests of it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting<'a> {
    pub(super) counter: Counter,
    pub(super) name: &'a str,
    pub(super) here: u64,
    pub(super) elsewhere: u64,
    /// Where it waits at several replicas: whether this one is the first of them.
    pub(super) is_first: bool,
}

/// For so many exchanges room is left to others: one until they are told of it, one until they look, and as many until it is
/// heard that they took it.
pub(super) const PATIENCE: u32 = 4;
/// The pace of an exchange counts half after some 44 more.
const FADING: u128 = 64;
/// A request counts an eighth in the average of costs.
const MEMORY: u64 = 8;
/// So many places at most are dealt one by one.
pub(super) const MOST_DEALT: u64 = 4096;

// === impl Turn ===

impl Turn {
    /// So much was charged, here or elsewhere.
    pub(super) fn served(&mut self, charged: i128) {
        self.charged = self.charged.saturating_add(charged.max(0).unsigned_abs());
    }

    /// How far a user may be ahead of the least that waits elsewhere and go all the same: what may be charged while news
    /// are on their way. Less would have replicas wait for each other's news all the time.
    pub(super) fn slack(&self) -> u128 {
        self.pace.max(self.charged)
    }

    /// Whether nobody goes here now, as places are for others.
    pub(super) fn is_over(&self) -> bool {
        !self.is_open && self.places == Some(0)
    }

    /// Whether somebody goes whose turn it is not.
    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// A request goes.
    pub(super) fn dispatched(&mut self) {
        self.dispatched += 1;
        self.places = self.places.map(|places| places.saturating_sub(1));
    }

    /// A request has ended, and its place is for this replica to give.
    pub(super) fn ended(&mut self, cost: u64) {
        self.places = self.places.map(|places| places + 1);
        self.cost = self.cost - self.cost / MEMORY + cost / MEMORY;
    }

    /// How many requests were dispatched here.
    pub(super) const fn all_dispatched(&self) -> u64 {
        self.dispatched
    }

    /// What a request has cost of late; at least one unit.
    pub(super) fn cost(&self) -> u64 {
        self.cost.max(1)
    }

    /// So many may go until the next exchange.
    pub(super) const fn deal(&mut self, places: Option<u64>) {
        self.places = places;
    }

    /// There is room for the next user, and it is left to the others.
    pub(super) const fn leave(&mut self) {
        self.is_left = true;
    }

    /// Another exchange. Says for how many on end room was left; after [`PATIENCE`] it is left no longer.
    pub(super) fn next_exchange(&mut self) -> u32 {
        self.pace = (self.pace - self.pace / FADING).max(std::mem::take(&mut self.charged));
        self.left_for = if std::mem::take(&mut self.is_left) { self.left_for + 1 } else { 0 };
        self.is_open = self.left_for >= PATIENCE;
        self.left_for
    }
}

/// Of the next `places` turns, how many are not of this replica, if all who wait stood in one queue and each request cost
/// `cost`. Every replica that knows the same finds the same. O(places log users).
pub(super) fn turns_elsewhere<'a>(waiting: impl Iterator<Item = Waiting<'a>>, places: u64, cost: u64) -> u64 {
    let mut queue: BinaryHeap<_> = waiting.map(Reverse).collect();
    let mut elsewhere = 0;
    for _ in 0..places {
        let Some(Reverse(mut next)) = queue.pop() else { break };
        let goes_here = next.elsewhere == 0 || (next.here > 0 && next.is_first);
        if goes_here {
            next.here -= 1;
        } else {
            next.elsewhere -= 1;
            elsewhere += 1;
        }
        next.is_first = !next.is_first;
        next.counter = next.counter.plus(cost);
        if next.here + next.elsewhere > 0 {
            queue.push(Reverse(next));
        }
    }
    elsewhere
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(counter: u128, name: &str, here: u64, elsewhere: u64, is_first: bool) -> Waiting<'_> {
        Waiting { counter: Counter::from_units(counter), name, here, elsewhere, is_first }
    }

    #[test]
    fn turns_go_to_whoever_is_behind_and_then_in_turn() {
        let elsewhere = |places| {
            let waiting = [waits(0, "alice", 9, 0, true), waits(25, "bob", 0, 9, false)];
            turns_elsewhere(waiting.into_iter(), places, 10)
        };
        assert_eq!([1, 3, 4, 5, 6].map(elsewhere), [0, 0, 1, 1, 2], "a a a b a b");
        assert_eq!(elsewhere(100), 9, "and no more than there are");
    }

    #[test]
    fn two_replicas_divide_all_turns_between_them() {
        // Of each user: its counter, and the requests that wait at the first and at the second.
        let users = [(0, "a", 3, 0), (0, "b", 0, 3), (5, "c", 2, 2), (5, "d", 0, 1), (9, "e", 4, 1)];
        for places in 0..20 {
            let first = users.map(|(counter, name, here, there)| waits(counter, name, here, there, true));
            let second = users.map(|(counter, name, there, here)| waits(counter, name, here, there, false));
            let others = [first, second].map(|seen| turns_elsewhere(seen.into_iter(), places, 10));
            assert_eq!(others.iter().sum::<u64>(), places.min(16), "{places}: {others:?}");
        }
    }

    #[test]
    fn room_that_is_not_taken_is_left_for_so_many_exchanges_and_no_longer() {
        let mut turn = Turn::default();
        turn.deal(Some(0));
        for exchange in 1..=PATIENCE {
            assert!(turn.is_over());
            turn.leave();
            assert_eq!(turn.next_exchange(), exchange);
        }
        assert!(turn.is_open() && !turn.is_over());
        assert_eq!(turn.next_exchange(), 0);
        assert!(turn.is_over());
    }

    #[test]
    fn places_are_used_up_and_come_free() {
        let mut turn = Turn::default();
        turn.dispatched();
        assert!(!turn.is_over(), "without a limit");
        turn.deal(Some(1));
        turn.dispatched();
        assert!(turn.is_over());
        turn.ended(80);
        assert!(!turn.is_over());
        assert_eq!((turn.all_dispatched(), turn.cost()), (2, 10));
    }

    #[test]
    fn the_slack_is_what_an_exchange_has_charged_and_fades() {
        let mut turn = Turn::default();
        turn.served(640);
        turn.served(-1000);
        assert_eq!(turn.slack(), 640);
        turn.next_exchange();
        assert_eq!(turn.slack(), 640);
        turn.next_exchange();
        assert_eq!(turn.slack(), 630);
    }
}
