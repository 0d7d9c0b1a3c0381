//! What must be counted: every charge, with the time between which it was made. Whole thousandths of tokens, so that
//! sums are exact.

use std::collections::BTreeMap;
use std::time::Duration;

use vtc_core::{Tick, TrackerConfig};

/// An account, by number: the users' own, then those that one thread each has to itself, last the shared one.
pub type AccountNumber = u32;

/// How long a charge counts, as the tracker's documentation promises: at least the window, and at most one bucket's
/// width longer.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    window: Duration,
    width: Duration,
}

/// When something was charged: after the clock showed the one, before it showed the other. Rounded outwards, to
/// grains, so that there are few different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stay {
    earliest: u64,
    latest: u64,
}

/// A line of the log of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose.
    pub account: AccountNumber,
    /// Whether it is known to be on that account; else it may be on the shared one: a charge by name, while there are
    /// fewer accounts than users.
    pub is_certain: bool,
    /// Since when it counts.
    pub stay: Stay,
    /// What is charged, in thousandths; negative for a refund.
    pub surely: i64,
    /// The same, but without a refund of which it is not known whether it came in time.
    pub perhaps: i64,
}

/// All entries, by account and stay.
#[derive(Debug)]
pub struct Ledger {
    term: Term,
    accounts: Vec<BTreeMap<(Stay, bool), (i64, i64)>>,
}

/// Between what a count must lie, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// At least this: what surely was charged to the account and surely is in the window.
    pub least: u64,
    /// At most this: what perhaps was, and perhaps is.
    pub most: u64,
}

/// The bounds of every count at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// By number; the last is the shared one.
    pub accounts: Vec<Bounds>,
    /// Of the sum over all accounts: whichever of them a charge is on, it is on one.
    pub total: Bounds,
}

/// Grains per bucket.
const GRAINS: u32 = 4;

// === impl Term ===

impl Term {
    /// What that configuration promises.
    #[must_use]
    pub fn of(config: &TrackerConfig) -> Self {
        Self { window: config.span(), width: config.width() }
    }

    /// The unit in which times are remembered: a quarter of a bucket.
    #[must_use]
    pub fn grain(&self) -> Duration {
        self.width / GRAINS
    }

    /// The window.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// After so long nothing counts that was charged before.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.window + self.width
    }

    /// Something that happened between two looks at the clock.
    #[must_use]
    pub fn stay(&self, before: Tick, after: Tick) -> Stay {
        let grain = nanos(self.grain()).max(1);
        Stay { earliest: before.as_nanos() / grain * grain, latest: after.as_nanos().div_ceil(grain) * grain }
    }

    /// Whether what has that stay still counts at `now`, whenever within its stay it was charged.
    #[must_use]
    pub fn surely_counts(&self, stay: Stay, now: Tick) -> bool {
        stay.earliest.saturating_add(nanos(self.window)) >= now.as_nanos()
    }

    /// Whether it may still count.
    #[must_use]
    pub fn perhaps_counts(&self, stay: Stay, now: Tick) -> bool {
        now.as_nanos() < stay.latest.saturating_add(nanos(self.longest()))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

// === impl Stay ===

impl Stay {
    /// The time from the beginning of the one to the end of the other.
    #[must_use]
    pub fn until(self, end: Self) -> Self {
        Self { earliest: self.earliest, latest: end.latest }
    }
}

// === impl Entry ===

impl Entry {
    /// A charge to an account that is known.
    #[must_use]
    pub fn charge(account: AccountNumber, stay: Stay, thousandths: u64) -> Self {
        let amount = signed(thousandths);
        Self { account, is_certain: true, stay, surely: amount, perhaps: amount }
    }
}

/// Amounts are far below 2^63: the core's own range is 2^44.
pub(super) fn signed(thousandths: u64) -> i64 {
    i64::try_from(thousandths).unwrap_or(i64::MAX)
}

// === impl Ledger ===

impl Ledger {
    /// An empty one, of so many accounts (at least the shared one).
    #[must_use]
    pub fn new(term: Term, accounts: usize) -> Self {
        Self { term, accounts: vec![BTreeMap::new(); accounts.max(1)] }
    }

    /// Takes a thread's log in.
    pub fn absorb(&mut self, log: impl IntoIterator<Item = Entry>) {
        for entry in log {
            if let Some(account) = self.accounts.get_mut(entry.account as usize) {
                let sums = account.entry((entry.stay, entry.is_certain)).or_default();
                sums.0 += entry.surely;
                sums.1 += entry.perhaps;
            }
        }
    }

    /// Forgets what cannot count at `now` or later.
    pub fn forget(&mut self, now: Tick) {
        let term = self.term;
        self.accounts
            .iter_mut()
            .for_each(|account| account.retain(|(stay, _), _| term.perhaps_counts(*stay, now)));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.accounts.iter_mut().for_each(BTreeMap::clear);
    }

    /// What the counts must be at `now`. O(accounts + stays).
    #[must_use]
    pub fn balance(&self, now: Tick) -> Balance {
        let mut total = Bounds::default();
        let mut wandering = 0;
        let mut accounts: Vec<Bounds> = Vec::with_capacity(self.accounts.len());
        for account in &self.accounts {
            let mut bounds = Bounds::default();
            for (&(stay, is_certain), &(surely, perhaps)) in account {
                let least = if self.term.surely_counts(stay, now) { unsigned(surely) } else { 0 };
                let most = if self.term.perhaps_counts(stay, now) { unsigned(perhaps) } else { 0 };
                total.least += least;
                total.most += most;
                bounds.most += most;
                if is_certain {
                    bounds.least += least;
                } else {
                    wandering += most;
                }
            }
            accounts.push(bounds);
        }
        if let Some(shared) = accounts.last_mut() {
            shared.most += wandering;
        }
        Balance { accounts, total }
    }
}

/// Refunds stand beside the charge that they belong to, in the same stay, so no sum is negative.
fn unsigned(thousandths: i64) -> u64 {
    u64::try_from(thousandths).unwrap_or(0)
}

// === impl Bounds ===

impl Bounds {
    /// Whether there is one answer only.
    #[must_use]
    pub fn is_exact(self) -> bool {
        self.least == self.most
    }

    /// Whether the count is allowed.
    #[must_use]
    pub fn allow(self, count: u64) -> bool {
        (self.least..=self.most).contains(&count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A window of 10 ms in buckets of 1 ms.
    fn term() -> Term {
        Term { window: Duration::from_millis(10), width: Duration::from_millis(1) }
    }

    fn at(nanos: u64) -> Tick {
        Tick::from_nanos(nanos)
    }

    fn ledger(entries: impl IntoIterator<Item = Entry>) -> Ledger {
        let mut ledger = Ledger::new(term(), 3);
        ledger.absorb(entries);
        ledger
    }

    #[test]
    fn a_charge_counts_for_the_window_then_perhaps_then_not() {
        let ledger = ledger([Entry::charge(0, term().stay(at(MS), at(MS)), 50)]);
        for (now, least, most) in
            [(MS, 50, 50), (11 * MS, 50, 50), (11 * MS + 1, 0, 50), (12 * MS - 1, 0, 50), (12 * MS, 0, 0)]
        {
            let bounds = Bounds { least, most };
            assert_eq!(ledger.balance(at(now)).accounts[0], bounds, "at {now}");
            assert_eq!(ledger.balance(at(now)).total, bounds, "at {now}");
        }
    }

    #[test]
    fn a_charge_by_name_under_a_cap_may_be_on_the_shared_account() {
        let stay = term().stay(at(0), at(0));
        let ledger = ledger([
            Entry::charge(0, stay, 50),
            Entry { is_certain: false, ..Entry::charge(0, stay, 7) },
            Entry { is_certain: false, ..Entry::charge(1, stay, 3) },
        ]);
        let balance = ledger.balance(at(0));
        let bounds = |least, most| Bounds { least, most };
        assert_eq!(balance.accounts, [bounds(50, 57), bounds(0, 3), bounds(0, 10)]);
        assert_eq!(balance.total, bounds(60, 60));
    }

    #[test]
    fn a_refund_of_which_nobody_knows_whether_it_came_in_time_widens_the_bounds() {
        let stay = term().stay(at(0), at(0));
        let refund = Entry { surely: -20, perhaps: 0, ..Entry::charge(0, stay, 0) };
        let ledger = ledger([Entry::charge(0, stay, 50), refund]);
        assert_eq!(ledger.balance(at(0)).accounts[0], Bounds { least: 30, most: 50 });
    }

    #[test]
    fn stays_are_rounded_outwards() {
        let grain = MS / 4;
        let stay = term().stay(at(grain + 1), at(2 * grain + 1));
        assert_eq!(stay, Stay { earliest: grain, latest: 3 * grain });
        assert_eq!(term().stay(at(grain), at(grain)), Stay { earliest: grain, latest: grain });
    }
}
