//! Whether what was seen is allowed. Plain numbers in, verdicts out.

use std::sync::Arc;

use vtc_core::{Extremes, Pod, PodTable, Tick};

use super::amount::thousandths;
use super::law::{Law, Verdicts};
use super::ledger::{AccountNumber, Balance, Bounds};
use super::sight::Sight;

/// A count that was read while others charge, and what had been announced after the read.
#[inline]
pub fn count(verdicts: &mut Verdicts, count: f64, announced: u64) {
    verdicts.check(Law::NeverMoreThanCharged, thousandths(count) <= announced, || {
        format!("read {count}, but at most {} thousandths had been charged", announced)
    });
}

/// The count of an account that the reading thread alone charges.
pub fn own_count(verdicts: &mut Verdicts, count: f64, bounds: Bounds) {
    verdicts.check(Law::ReadYourWrites, bounds.allow(thousandths(count)), || {
        format!("read {count}; in thousandths it should be {bounds:?}")
    });
}

/// The requests in flight to one pod, and how many tickets can have been open at most.
pub fn in_flight(verdicts: &mut Verdicts, in_flight: u64, open: u64) {
    verdicts.check(Law::InFlightIsBounded, in_flight <= open, || {
        format!("{in_flight} in flight, but at most {open} tickets were open")
    });
}

/// How many accounts there were while threads ran, newcomers being refused among them.
pub fn accounts_meanwhile(verdicts: &mut Verdicts, accounts: usize, cap: usize) {
    verdicts.check(Law::TheCapHolds, accounts <= cap, || {
        format!("{accounts} accounts while threads run; the cap is {cap}")
    });
}

/// A snapshot of the extremes, the floor of its bucket, and what had been announced after it was read.
pub fn snapshot(verdicts: &mut Verdicts, seen: &Extremes, floor: f64, announced: u64) {
    let of_the_middle = f64::midpoint(seen.min, seen.max).max(floor);
    let holds = seen.min <= seen.max
        && (seen.bucket - of_the_middle).abs() <= 1e-9 * of_the_middle
        && (seen.users == 0 || seen.min > 0.0 && thousandths(seen.max) <= announced);
    verdicts.check(Law::ExtremesAreInOrder, holds, || {
        format!(
            "{seen:?}; the bucket should be {of_the_middle}, and {announced} thousandths had been charged"
        )
    });
}

/// Two reads of the last snapshot by one thread, one after the other.
pub fn snapshots_in_order(verdicts: &mut Verdicts, earlier: Tick, later: Tick) {
    verdicts.check(Law::ExtremesAreInOrder, earlier <= later, || {
        format!("a snapshot as of {earlier:?} was followed by one as of {later:?}")
    });
}

/// A read of the extremes with a staleness of 0, and the time before it.
pub fn exact_read(verdicts: &mut Verdicts, seen: &Extremes, before: Tick) {
    verdicts.check(Law::ExtremesAreExact, seen.as_of >= before, || {
        format!("{seen:?} was read at {before:?}, with a staleness of 0")
    });
}

/// On which account a handle or ticket of user `meant` is.
pub fn right_account(
    verdicts: &mut Verdicts,
    meant: Option<&str>,
    found: Option<&str>,
    shared: Option<&str>,
) {
    let holds = found == meant || found.is_some() && meant.is_some() && found == shared;
    verdicts.check(Law::TheRightAccount, holds, || format!("{meant:?} is on the account of {found:?}"));
}

/// The pod that was chosen from a table: that very one, not one of the same name.
pub fn one_table(verdicts: &mut Verdicts, table: &PodTable, chosen: &Pod) {
    let found = table.get(chosen.name()).is_some_and(|pod| std::ptr::eq(Arc::as_ptr(pod), chosen));
    verdicts
        .check(Law::OneTable, found, || format!("{} is not of the table that was decided on", chosen.name()));
}

/// Whether the core refused something that is as it should be, or is not.
#[inline]
pub fn answer(verdicts: &mut Verdicts, is_refused: bool, is_bad: bool, what: &str) {
    verdicts.check(Law::BadInputIsRefused, is_refused == is_bad, || {
        format!("{what} was {}", if is_refused { "refused" } else { "accepted" })
    });
}

/// An ending of a ticket that had ended: whether it says that it was the one.
pub fn second_ending(verdicts: &mut Verdicts, is_the_one: bool, has_ended: bool) {
    verdicts.check(Law::OneEnding, !is_the_one && has_ended, || {
        "a ticket that had ended was ended again, or was open".to_owned()
    });
}

/// Everything that is exact when nobody operates.
pub fn quiet(verdicts: &mut Verdicts, sight: &Sight, balance: &Balance) {
    for (number, (count, bounds)) in sight.counts.iter().zip(&balance.accounts).enumerate() {
        verdicts.check(Law::NothingLostNothingTwice, bounds.allow(*count), || {
            format!("account {number} counts {count} thousandths; it should be {bounds:?}")
        });
    }
    for (number, count) in &sight.by_name {
        let listed = listed(sight, *number);
        verdicts.check(Law::NothingLostNothingTwice, *count == listed, || {
            format!("account {number} counts {count} thousandths by name and {listed} among the users")
        });
    }
    verdicts.check(Law::TheRightAccount, sight.strangers.is_empty(), || {
        format!("{:?} were never charged, or are listed twice", sight.strangers)
    });
    let sum = sight.counts.iter().sum();
    verdicts.check(Law::TheSumIsRight, balance.total.allow(sum), || {
        format!("all accounts count {sum} thousandths; it should be {:?}", balance.total)
    });
    extremes(verdicts, sight, &sight.upkept);
    if let Some(read) = &sight.read {
        extremes(verdicts, sight, read);
    }
    for pod in &sight.pods {
        verdicts.check(Law::InFlightIsExact, pod.in_flight == pod.open, || {
            format!("{} shows {} in flight; {} open tickets name it", pod.name, pod.in_flight, pod.open)
        });
    }
    let open = sight.opened.wrapping_sub(sight.ended);
    verdicts.check(Law::OneEnding, open == sight.open, || {
        let Sight { opened, ended, open, .. } = sight;
        format!("{opened} tickets were opened, {ended} endings were the one, and {open} are open")
    });
    verdicts.check(Law::TheCapHolds, sight.accounts <= sight.cap, || {
        format!("{} accounts; the cap is {}", sight.accounts, sight.cap)
    });
}

/// More than two windows after the last charge, upkeep included.
pub fn expired(verdicts: &mut Verdicts, sight: &Sight) {
    let sum: u64 = sight.counts.iter().sum();
    verdicts.check(Law::EverythingExpires, sum == 0 && sight.upkept.users == 0, || {
        format!("after two windows {sum} thousandths are left, and {} users", sight.upkept.users)
    });
    verdicts.check(Law::IdleAccountsClose, sight.accounts == sight.held, || {
        format!("{} accounts are open, {} of them held", sight.accounts, sight.held)
    });
}

/// Against the counts that were listed at the same moment.
fn extremes(verdicts: &mut Verdicts, sight: &Sight, seen: &Extremes) {
    let positive = || sight.counts.iter().copied().filter(|count| *count > 0);
    let right = match (positive().min(), positive().max()) {
        (Some(min), Some(max)) => (min, max, positive().count()),
        _ => (thousandths(sight.nobody.0), thousandths(sight.nobody.1), 0),
    };
    let found = (thousandths(seen.min), thousandths(seen.max), seen.users);
    verdicts.check(Law::ExtremesAreExact, found == right, || {
        format!("minimum, maximum and users are {found:?}; among the users they are {right:?}")
    });
}

fn listed(sight: &Sight, number: AccountNumber) -> u64 {
    sight.counts.get(number as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
