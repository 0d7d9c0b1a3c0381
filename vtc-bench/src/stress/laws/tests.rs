//! Each law must be seen to break: a law that cannot is worth nothing.

use std::time::Duration;

use super::super::ledger::{Entry, Ledger, Term};
use super::super::sight::PodSight;
use super::*;

/// Three users and the shared account; user 2 has nothing, nor has the shared account.
fn ledger() -> Ledger {
    let term = Term::of(&vtc_core::TrackerConfig::default());
    let stay = term.stay(Tick::ZERO, Tick::ZERO);
    let mut ledger = Ledger::new(term, 4);
    ledger
        .absorb([(0, 5_000), (1, 1_000), (1, 1_000)].map(|(user, amount)| Entry::charge(user, stay, amount)));
    ledger
}

fn extremes(min: f64, max: f64, users: usize) -> Extremes {
    let bucket = f64::midpoint(min, max).max(1000.0);
    Extremes { min, max, users, bucket, as_of: Tick::ZERO }
}

/// What a tracker without a fault shows of that ledger.
fn right() -> Sight {
    Sight {
        now: Tick::ZERO,
        counts: vec![5_000, 2_000, 0, 0],
        strangers: Vec::new(),
        by_name: vec![(0, 5_000), (2, 0)],
        upkept: extremes(2.0, 5.0, 2),
        read: Some(extremes(2.0, 5.0, 2)),
        nobody: (1000.0, 8000.0),
        accounts: 3,
        cap: 3,
        held: 0,
        pods: vec![PodSight { name: "a".to_owned(), in_flight: 2, open: 2 }],
        opened: 10,
        ended: 8,
        open: 2,
    }
}

/// The laws that break when a faultless sight is spoiled like that.
fn broken(spoil: fn(&mut Sight)) -> Vec<Law> {
    let mut sight = right();
    spoil(&mut sight);
    let mut verdicts = Verdicts::default();
    quiet(&mut verdicts, &sight, &ledger().balance(Tick::ZERO));
    verdicts.broken()
}

/// The laws that break in a check of something that was read while others operate.
fn live(check: impl FnOnce(&mut Verdicts)) -> Vec<Law> {
    let mut verdicts = Verdicts::default();
    check(&mut verdicts);
    assert!(Law::ALL.iter().any(|law| verdicts.of(*law).checked > 0));
    verdicts.broken()
}

/// A fault for each law: whoever adds a law has to name one.
fn a_fault_against(law: Law) -> Vec<Law> {
    match law {
        Law::NothingLostNothingTwice => broken(|sight| sight.by_name = vec![(0, 4_999)]),
        Law::TheSumIsRight => broken(|sight| sight.counts[1] = 1_999),
        Law::NeverMoreThanCharged => live(|v| count(v, 5.001, 5_000)),
        Law::ReadYourWrites => live(|v| own_count(v, 4.999, Bounds { least: 5_000, most: 5_000 })),
        Law::TheRightAccount => live(|v| right_account(v, Some("a"), Some("b"), None)),
        Law::EverythingExpires | Law::IdleAccountsClose => live(|v| expired(v, &right())),
        Law::TheCapHolds => broken(|sight| sight.cap = 2),
        Law::ExtremesAreInOrder => live(|v| snapshot(v, &extremes(6.0, 5.0, 2), 1000.0, 6_000)),
        Law::ExtremesAreExact => broken(|sight| sight.upkept = extremes(2.0, 9.0, 2)),
        Law::InFlightIsBounded => live(|v| in_flight(v, 3, 2)),
        Law::InFlightIsExact => broken(|sight| sight.pods[0].in_flight = 3),
        Law::OneEnding => broken(|sight| sight.ended = 9),
        Law::OneTable => live(|v| one_table(v, &PodTable::new([Pod::new("a")]), &Pod::new("a"))),
        Law::BadInputIsRefused => live(|v| answer(v, false, true, "NaN")),
    }
}

#[test]
fn every_law_can_break() {
    for law in Law::ALL {
        assert!(a_fault_against(law).contains(&law), "{}", law.name());
    }
}

#[test]
fn a_faultless_tracker_breaks_nothing() {
    assert_eq!(broken(|_| ()), []);
}

#[test]
fn a_lost_charge_is_seen() {
    let broken = broken(|sight| {
        sight.counts[1] = 1_000;
        sight.upkept = extremes(1.0, 5.0, 2);
        sight.read = None;
    });
    assert_eq!(broken, [Law::NothingLostNothingTwice, Law::TheSumIsRight]);
}

#[test]
fn a_lost_thousandth_is_seen() {
    let lost = broken(|sight| sight.counts[1] -= 1);
    assert!(lost.contains(&Law::NothingLostNothingTwice) && lost.contains(&Law::TheSumIsRight));
}

#[test]
fn a_doubled_charge_is_seen() {
    let broken = broken(|sight| {
        sight.counts[1] = 3_000;
        sight.upkept = extremes(3.0, 5.0, 2);
        sight.read = None;
    });
    assert_eq!(broken, [Law::NothingLostNothingTwice, Law::TheSumIsRight]);
}

#[test]
fn a_charge_on_another_account_is_seen_though_the_sum_is_right() {
    let broken = broken(|sight| {
        sight.counts = vec![4_000, 3_000, 0, 0];
        sight.by_name.clear();
        sight.upkept = extremes(3.0, 4.0, 2);
        sight.read = None;
    });
    assert_eq!(broken, [Law::NothingLostNothingTwice]);
}

#[test]
fn a_read_by_name_that_disagrees_with_the_list_is_seen() {
    assert_eq!(broken(|sight| sight.by_name = vec![(0, 4_999)]), [Law::NothingLostNothingTwice]);
}

#[test]
fn a_user_that_nobody_charged_is_seen() {
    assert_eq!(broken(|sight| sight.strangers.push("mallory".to_owned())), [Law::TheRightAccount]);
}

#[test]
fn stale_extremes_are_seen() {
    assert_eq!(broken(|sight| sight.upkept = extremes(2.0, 9.0, 2)), [Law::ExtremesAreExact], "a maximum");
    assert_eq!(broken(|sight| sight.upkept = extremes(1.0, 5.0, 2)), [Law::ExtremesAreExact], "a minimum");
    assert_eq!(broken(|sight| sight.upkept = extremes(2.0, 5.0, 3)), [Law::ExtremesAreExact], "a number");
    assert_eq!(broken(|sight| sight.read = Some(extremes(2.0, 9.0, 2))), [Law::ExtremesAreExact], "a read");
    let late = Tick::from_nanos(1);
    assert_eq!(live(|v| exact_read(v, &extremes(2.0, 5.0, 2), late)), [Law::ExtremesAreExact]);
    assert_eq!(live(|v| exact_read(v, &extremes(2.0, 5.0, 2), Tick::ZERO)), []);
}

#[test]
fn a_place_that_did_not_come_back_or_came_back_twice_is_seen() {
    assert_eq!(broken(|sight| sight.pods[0].in_flight = 3), [Law::InFlightIsExact]);
    assert_eq!(broken(|sight| sight.pods[0].in_flight = 1), [Law::InFlightIsExact]);
    assert_eq!(live(|v| in_flight(v, 3, 2)), [Law::InFlightIsBounded]);
    assert_eq!(live(|v| in_flight(v, u64::MAX, 2)), [Law::InFlightIsBounded], "below zero");
    assert_eq!(live(|v| in_flight(v, 2, 2)), []);
}

#[test]
fn a_ticket_that_ended_twice_or_never_is_seen() {
    assert_eq!(broken(|sight| sight.ended = 9), [Law::OneEnding]);
    assert_eq!(broken(|sight| sight.ended = 7), [Law::OneEnding]);
}

#[test]
fn more_accounts_than_the_cap_are_seen() {
    assert_eq!(broken(|sight| sight.cap = 2), [Law::TheCapHolds]);
    assert_eq!(live(|v| accounts_meanwhile(v, 3, 2)), [Law::TheCapHolds]);
    assert_eq!(live(|v| accounts_meanwhile(v, 2, 2)), []);
}

#[test]
fn what_did_not_expire_is_seen() {
    let after = |counts: [u64; 4], users| {
        live(move |v| {
            expired(
                v,
                &Sight { counts: counts.to_vec(), upkept: extremes(1.0, 1.0, users), accounts: 0, ..right() },
            );
        })
    };
    assert_eq!(after([0; 4], 0), []);
    assert_eq!(after([0, 1, 0, 0], 0), [Law::EverythingExpires]);
    assert_eq!(after([0; 4], 1), [Law::EverythingExpires]);
}

#[test]
fn an_idle_account_that_stays_and_a_held_one_that_went_are_seen() {
    let after = |accounts, held| {
        live(move |v| {
            let upkept = extremes(1000.0, 8000.0, 0);
            expired(v, &Sight { counts: vec![0; 4], upkept, accounts, held, ..right() });
        })
    };
    assert_eq!(after(3, 3), []);
    assert_eq!(after(4, 3), [Law::IdleAccountsClose]);
    assert_eq!(after(2, 3), [Law::IdleAccountsClose]);
}

#[test]
fn a_count_above_what_was_charged_or_below_zero_is_seen() {
    assert_eq!(live(|v| count(v, 5.0, 5_000)), []);
    assert_eq!(live(|v| count(v, 5.001, 5_000)), [Law::NeverMoreThanCharged]);
    assert_eq!(live(|v| count(v, -0.001, 5_000)), [Law::NeverMoreThanCharged]);
    assert_eq!(live(|v| count(v, f64::NAN, 5_000)), [Law::NeverMoreThanCharged]);
}

#[test]
fn a_write_that_its_writer_does_not_read_is_seen() {
    let bounds = Bounds { least: 5_000, most: 7_000 };
    assert_eq!(live(|v| own_count(v, 6.0, bounds)), []);
    assert_eq!(live(|v| own_count(v, 4.999, bounds)), [Law::ReadYourWrites]);
    assert_eq!(live(|v| own_count(v, 7.001, bounds)), [Law::ReadYourWrites]);
}

#[test]
fn extremes_out_of_order_are_seen() {
    let check = |seen: Extremes| live(move |v| snapshot(v, &seen, 1000.0, 5_000));
    assert_eq!(check(extremes(2.0, 5.0, 2)), []);
    assert_eq!(check(extremes(1000.0, 8000.0, 0)), [], "of nobody");
    assert_eq!(check(extremes(6.0, 5.0, 2)), [Law::ExtremesAreInOrder], "minimum above maximum");
    assert_eq!(check(extremes(2.0, 5.001, 2)), [Law::ExtremesAreInOrder], "more than was charged");
    assert_eq!(check(extremes(0.0, 5.0, 2)), [Law::ExtremesAreInOrder], "a user without tokens");
    assert_eq!(
        check(Extremes { bucket: 999.0, ..extremes(2.0, 5.0, 2) }),
        [Law::ExtremesAreInOrder],
        "the bucket"
    );
    let (early, late) = (Tick::ZERO, Tick::ZERO.saturating_add(Duration::from_millis(1)));
    assert_eq!(live(|v| snapshots_in_order(v, early, late)), []);
    assert_eq!(live(|v| snapshots_in_order(v, late, early)), [Law::ExtremesAreInOrder], "one that goes back");
}

#[test]
fn somebody_elses_account_is_seen() {
    let check = |meant, found, shared| live(|v| right_account(v, meant, found, shared));
    assert_eq!(check(Some("a"), Some("a"), None), []);
    assert_eq!(check(None, None, None), []);
    assert_eq!(check(Some("a"), Some("(all)"), Some("(all)")), []);
    for (meant, found, shared) in [
        (Some("a"), Some("b"), None),
        (Some("a"), None, None),
        (None, Some("a"), None),
        (None, Some("(all)"), Some("(all)")),
        (Some("a"), None, Some("(all)")),
        (Some("a"), Some("(all)"), None),
    ] {
        assert_eq!(check(meant, found, shared), [Law::TheRightAccount], "{meant:?} {found:?} {shared:?}");
    }
}

#[test]
fn a_pod_of_another_table_is_seen() {
    let (a, b) = (Pod::new("a"), Pod::new("b"));
    let table = PodTable::new([a.clone()]);
    assert_eq!(live(|v| one_table(v, &table, &a)), []);
    assert_eq!(live(|v| one_table(v, &table, &b)), [Law::OneTable]);
    assert_eq!(live(|v| one_table(v, &table, &Pod::new("a"))), [Law::OneTable], "another one of that name");
}

#[test]
fn a_wrong_answer_is_seen() {
    for (is_refused, is_bad) in [(true, true), (false, false)] {
        assert_eq!(live(|v| answer(v, is_refused, is_bad, "it")), []);
        assert_eq!(live(|v| answer(v, is_refused, !is_bad, "it")), [Law::BadInputIsRefused]);
    }
}

#[test]
fn a_second_ending_is_seen() {
    assert_eq!(live(|v| second_ending(v, false, true)), []);
    assert_eq!(live(|v| second_ending(v, true, true)), [Law::OneEnding]);
    assert_eq!(live(|v| second_ending(v, false, false)), [Law::OneEnding], "it is open still");
}
