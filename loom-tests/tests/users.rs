//! First touch of a user, the cap, and the closing of idle accounts.
#![cfg(loom)]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use loom_tests::{route, tiny_config, tiny_router};
use vtc_core::{ManualClock, SlidingWindowTracker, TokenTracker};

fn tracker(clock: &ManualClock, max_users: usize) -> Arc<SlidingWindowTracker<ManualClock>> {
    let config = vtc_core::TrackerConfig { max_users, ..tiny_config().tracker };
    Arc::new(SlidingWindowTracker::new(config, clock.clone()).unwrap())
}

/// Two threads meet a new user: one account, both charges.
#[test]
fn first_touch_of_a_user() {
    loom::model(|| {
        let tracker = tracker(&ManualClock::new(), 10);
        let other = {
            let tracker = Arc::clone(&tracker);
            thread::spawn(move || tracker.update_token_count("alice", 1.0, 0.0).unwrap())
        };
        tracker.update_token_count("alice", 2.0, 0.0).unwrap();
        other.join().unwrap();
        assert_eq!(tracker.token_count("alice"), 3.0);
        assert_eq!(tracker.account_count(), 1);
    });
}

/// Two newcomers and room for one: never more accounts than the cap, and both charges are somewhere.
#[test]
fn two_newcomers_and_room_for_one() {
    loom::model(|| {
        let tracker = tracker(&ManualClock::new(), 1);
        let other = {
            let tracker = Arc::clone(&tracker);
            thread::spawn(move || tracker.update_token_count("bob", 1.0, 0.0).unwrap())
        };
        tracker.update_token_count("alice", 2.0, 0.0).unwrap();
        other.join().unwrap();
        assert!(tracker.account_count() <= 1);
        let counted: f64 = tracker.users().iter().map(|(_, count)| count).sum();
        assert_eq!(counted, 3.0);
    });
}

/// A charge by name against the closing of the account it goes to: the charge is not lost.
#[test]
fn a_charge_against_the_closing_of_its_account() {
    loom::model(|| {
        let clock = ManualClock::new();
        let tracker = tracker(&clock, 10);
        tracker.update_token_count("alice", 5.0, 0.0).unwrap();
        clock.advance(Duration::from_millis(2));
        let closer = {
            let tracker = Arc::clone(&tracker);
            thread::spawn(move || tracker.upkeep())
        };
        tracker.update_token_count("alice", 2.0, 0.0).unwrap();
        closer.join().unwrap();
        assert_eq!(tracker.token_count("alice"), 2.0);
        assert_eq!(tracker.account_count(), 1);
    });
}

/// A charge through a handle against the closing of idle accounts: the account that somebody holds stays the user's.
#[test]
fn a_handle_against_the_closing_of_its_account() {
    loom::model(|| {
        let clock = ManualClock::new();
        let tracker = tracker(&clock, 10);
        let alice = tracker.user("alice").unwrap();
        clock.advance(Duration::from_millis(2));
        let closer = {
            let tracker = Arc::clone(&tracker);
            thread::spawn(move || tracker.upkeep())
        };
        alice.charge(2.0, 0.0).unwrap();
        drop(alice);
        closer.join().unwrap();
        assert_eq!(tracker.token_count("alice"), 2.0);
        assert_eq!(tracker.account_count(), 1);
    });
}

/// A newcomer against the closing of idle accounts: the account, new and still without tokens, is not closed under it.
#[test]
fn a_newcomer_against_the_closing_of_idle_accounts() {
    loom::model(|| {
        let clock = ManualClock::new();
        let tracker = tracker(&clock, 10);
        clock.advance(Duration::from_millis(2));
        let closer = {
            let tracker = Arc::clone(&tracker);
            thread::spawn(move || tracker.upkeep())
        };
        tracker.update_token_count("alice", 2.0, 0.0).unwrap();
        closer.join().unwrap();
        assert_eq!(tracker.token_count("alice"), 2.0);
        assert_eq!(tracker.account_count(), 1);
    });
}

/// A ticket that settles against the closing of its account, after its reservation has expired: the account stays as
/// long as the ticket holds it, and the usage is charged to it.
#[test]
fn a_settlement_against_the_closing_of_its_account() {
    loom::model(|| {
        let clock = ManualClock::new();
        let router = Arc::new(tiny_router(&clock));
        let ticket = route(&router);
        clock.advance(Duration::from_millis(3));
        let closer = {
            let router = Arc::clone(&router);
            thread::spawn(move || router.tracker().upkeep())
        };
        assert!(ticket.settle(12.0, 0.0).unwrap());
        drop(ticket);
        closer.join().unwrap();
        // 10 were reserved, and have expired; the 2 beyond are charged now.
        assert_eq!(router.tracker().token_count("alice"), 2.0);
        assert_eq!(router.tracker().extremes().max, 2.0);
    });
}

/// A newcomer to a full tracker against the closing that makes room: it has an account of its own or the shared one, and
/// its charge is in exactly one of them.
#[test]
fn a_newcomer_against_the_closing_that_makes_room() {
    loom::model(|| {
        let clock = ManualClock::new();
        let tracker = tracker(&clock, 1);
        tracker.update_token_count("alice", 5.0, 0.0).unwrap();
        clock.advance(Duration::from_millis(2));
        let closer = {
            let tracker = Arc::clone(&tracker);
            thread::spawn(move || tracker.upkeep())
        };
        tracker.update_token_count("bob", 2.0, 0.0).unwrap();
        closer.join().unwrap();
        assert!(tracker.account_count() <= 1);
        let counted: f64 = tracker.users().iter().map(|(_, count)| count).sum();
        assert_eq!((counted, tracker.extremes().max), (2.0, 2.0));
    });
}
