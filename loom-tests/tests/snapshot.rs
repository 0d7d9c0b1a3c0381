//! Publication: readers see whole values, and never an older one after a newer one.
#![cfg(loom)]

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use loom_tests::tiny_config;
use vtc_core::__loom::snapshot;
use vtc_core::{ManualClock, SlidingWindowTracker, TokenTracker};

/// One writer, one reader: no torn value, no way back.
#[test]
fn a_reader_sees_whole_values_in_order() {
    loom::model(|| {
        let (mut publisher, snapshot) = snapshot((0, 0));
        let reader = {
            let snapshot = snapshot.clone();
            thread::spawn(move || [snapshot.with(|value| *value), snapshot.with(|value| *value)])
        };
        publisher.publish(Arc::new((1, 1)));
        publisher.publish(Arc::new((2, 2)));
        let [first, second] = reader.join().unwrap();
        assert!(first.0 == first.1 && second.0 == second.1 && first.0 <= second.0);
        assert_eq!(snapshot.with(|value| *value), (2, 2));
    });
}

/// Two users are charged while the extremes are published: what is published is a range that held at some moment,
/// and once all is quiet it is exact.
#[test]
fn charges_against_a_refresh() {
    loom::model(|| {
        let tracker = Arc::new(SlidingWindowTracker::new(tiny_config().tracker, ManualClock::new()).unwrap());
        tracker.update_token_count("alice", 5.0, 0.0).unwrap();
        let refresher = {
            let tracker = Arc::clone(&tracker);
            thread::spawn(move || tracker.upkeep())
        };
        tracker.update_token_count("bob", 3.0, 0.0).unwrap();
        let seen = refresher.join().unwrap();
        assert!((seen.min, seen.max) == (5.0, 5.0) || (seen.min, seen.max) == (3.0, 5.0), "saw {seen:?}");
        let quiet = tracker.extremes();
        assert_eq!((quiet.min, quiet.max, quiet.users), (3.0, 5.0, 2));
    });
}

/// With a staleness, readers that find the snapshot too old do not wait for the one that renews it, and never see
/// the time go back.
#[test]
fn readers_of_an_old_snapshot_against_its_renewal() {
    loom::model(|| {
        let clock = ManualClock::new();
        let config = vtc_core::TrackerConfig { staleness: Duration::from_nanos(1), ..tiny_config().tracker };
        let tracker = Arc::new(SlidingWindowTracker::new(config, clock.clone()).unwrap());
        clock.advance(Duration::from_nanos(10));
        let reader = {
            let tracker = Arc::clone(&tracker);
            thread::spawn(move || [tracker.extremes().as_of, tracker.extremes().as_of])
        };
        let here = tracker.extremes().as_of;
        let [first, second] = reader.join().unwrap();
        assert!(first <= second && here.as_nanos() <= 10);
        assert_eq!(tracker.last_extremes().as_of.as_nanos(), 10, "one of them renewed it");
    });
}

/// A charge whose thread was held up, so that it comes into a bucket before that of a refresh which has been: it leaves
/// the extremes with its bucket all the same.
#[test]
fn a_late_charge_against_a_refresh() {
    loom::model(|| {
        let clock = ManualClock::new();
        let tracker = Arc::new(SlidingWindowTracker::new(tiny_config().tracker, clock.clone()).unwrap());
        let alice = tracker.user("alice").unwrap();
        let _ = tracker.upkeep();
        let charger = thread::spawn(move || alice.charge(5.0, 0.0).unwrap());
        clock.advance(Duration::from_millis(1));
        let _ = tracker.upkeep();
        charger.join().unwrap();
        for _ in 0..3 {
            let (extremes, count) = (tracker.extremes(), tracker.token_count("alice"));
            assert_eq!((extremes.users, extremes.max), if count > 0.0 { (1, count) } else { (0, 8000.0) });
            clock.advance(Duration::from_millis(1));
        }
        assert_eq!(tracker.extremes().users, 0, "nothing is left");
    });
}
