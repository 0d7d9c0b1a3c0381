//! What the threads say before they act, so that whoever reads meanwhile knows what it may see.
//!
//! Each thread announces what it is about to charge and to open, and tells what it has ended. A read of the core that
//! comes *before* a read of the announcements can therefore show no more than has been announced, and one that comes
//! *after* a read of the endings no ticket that had ended by then.

use std::sync::atomic::{Ordering, fence};

use crossbeam_utils::CachePadded;
use crossbeam_utils::atomic::AtomicCell;

use super::ledger::AccountNumber;

/// The announcements of all threads.
#[derive(Debug)]
pub struct Announced(Vec<CachePadded<OfThread>>);

/// Written by one thread only.
#[derive(Debug)]
struct OfThread {
    /// Thousandths, by account: the one it is meant for, whether or not the shared one is charged in its stead.
    charged: Vec<AtomicCell<u64>>,
    charged_in_all: AtomicCell<u64>,
    opened: AtomicCell<u64>,
    ended: AtomicCell<u64>,
}

// === impl Announced ===

impl Announced {
    /// Nothing yet, by so many threads, of so many accounts.
    #[must_use]
    pub fn new(threads: usize, accounts: usize) -> Self {
        let of_thread = || OfThread {
            charged: (0..accounts).map(|_| AtomicCell::new(0)).collect(),
            charged_in_all: AtomicCell::new(0),
            opened: AtomicCell::new(0),
            ended: AtomicCell::new(0),
        };
        Self((0..threads).map(|_| CachePadded::new(of_thread())).collect())
    }

    /// Before a charge of at most so much.
    #[inline]
    pub fn charge(&self, thread: usize, account: AccountNumber, thousandths: u64) {
        let of_thread = &self.0[thread];
        raise(&of_thread.charged[account as usize], thousandths);
        raise(&of_thread.charged_in_all, thousandths);
        before_acting();
    }

    /// The charge was refused.
    pub fn withdraw_charge(&self, thread: usize, account: AccountNumber, thousandths: u64) {
        let of_thread = &self.0[thread];
        lower(&of_thread.charged[account as usize], thousandths);
        lower(&of_thread.charged_in_all, thousandths);
    }

    /// Before a ticket is opened.
    #[inline]
    pub fn open(&self, thread: usize) {
        raise(&self.0[thread].opened, 1);
        before_acting();
    }

    /// No ticket was opened.
    pub fn withdraw_opening(&self, thread: usize) {
        lower(&self.0[thread].opened, 1);
    }

    /// After a ticket has ended.
    #[inline]
    pub fn end(&self, thread: usize) {
        raise(&self.0[thread].ended, 1);
    }

    /// The most that the account can have been charged by now.
    #[must_use]
    pub fn charged_to(&self, account: AccountNumber) -> u64 {
        after_reading();
        self.0.iter().map(|thread| thread.charged[account as usize].load()).sum()
    }

    /// The most that all accounts together can have been charged by now.
    #[must_use]
    pub fn charged(&self) -> u64 {
        after_reading();
        self.0.iter().map(|thread| thread.charged_in_all.load()).sum()
    }

    /// The most tickets that can have been opened by now.
    #[must_use]
    pub fn opened(&self) -> u64 {
        after_reading();
        self.0.iter().map(|thread| thread.opened.load()).sum()
    }

    /// The least that can have ended by now.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.0.iter().map(|thread| thread.ended.load()).sum()
    }

    /// Forgets what was charged, when nobody acts and nobody has tokens.
    pub fn forget_charges(&self) {
        for thread in &self.0 {
            thread.charged.iter().chain([&thread.charged_in_all]).for_each(|cell| cell.store(0));
        }
    }
}

/// One writer: a load and a store suffice, and no other thread's cache line is fought for.
#[inline]
fn raise(cell: &AtomicCell<u64>, by: u64) {
    cell.store(cell.load() + by);
}

fn lower(cell: &AtomicCell<u64>, by: u64) {
    cell.store(cell.load() - by);
}

/// Release: pairs with the Acquire in [`after_reading`]. Whoever saw an effect of the action, by however relaxed a
/// load, sees the announcement.
#[inline]
fn before_acting() {
    fence(Ordering::Release);
}

#[inline]
fn after_reading() {
    fence(Ordering::Acquire);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_announce_adds_up_and_can_be_withdrawn() {
        let announced = Announced::new(2, 3);
        announced.charge(0, 1, 5);
        announced.charge(1, 1, 7);
        announced.charge(1, 2, 1);
        announced.withdraw_charge(1, 2, 1);
        assert_eq!((announced.charged_to(1), announced.charged_to(2), announced.charged()), (12, 0, 12));
        announced.open(0);
        announced.open(1);
        announced.withdraw_opening(1);
        announced.end(1);
        assert_eq!((announced.opened(), announced.ended()), (1, 1));
        announced.forget_charges();
        assert_eq!((announced.charged_to(1), announced.charged(), announced.opened()), (0, 0, 1));
    }
}
