//! First touch of a user, the cap, and the closing of idle accounts.
#![cfg(loom)]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use loom_tests::tiny_config;
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
