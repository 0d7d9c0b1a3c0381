//! A ticket's endings, and the count of requests in flight.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use loom_tests::{in_flight, route, tiny_router};
use vtc_core::{ManualClock, TokenTracker};

/// Settle against close: exactly one ends the request, its charge stands, the place comes back once.
#[test]
fn settle_against_close() {
    loom::model(|| {
        let router = tiny_router(&ManualClock::new());
        let ticket = Arc::new(route(&router));
        let settler = {
            let ticket = Arc::clone(&ticket);
            thread::spawn(move || ticket.settle(3.0, 0.0).unwrap())
        };
        let closed = ticket.close();
        let settled = settler.join().unwrap();
        assert!(settled != closed, "exactly one");
        assert_eq!(router.tracker().token_count("alice"), if settled { 3.0 } else { 10.0 });
        assert_eq!(in_flight(&router), 0);
    });
}

/// Settle against the last drop on another thread.
#[test]
fn settle_against_drop() {
    loom::model(|| {
        let router = tiny_router(&ManualClock::new());
        let ticket = Arc::new(route(&router));
        let settler = {
            let ticket = Arc::clone(&ticket);
            thread::spawn(move || assert!(ticket.settle(3.0, 0.0).unwrap()))
        };
        drop(ticket);
        settler.join().unwrap();
        assert_eq!(router.tracker().token_count("alice"), 3.0);
        assert_eq!(in_flight(&router), 0);
    });
}

/// A stream that reports beyond its reservation against its settlement: the settlement stands.
#[test]
fn progress_against_settle() {
    loom::model(|| {
        let router = tiny_router(&ManualClock::new());
        let ticket = Arc::new(route(&router));
        let stream = {
            let ticket = Arc::clone(&ticket);
            thread::spawn(move || ticket.progress(15.0, 0.0).unwrap())
        };
        assert!(ticket.settle(20.0, 0.0).unwrap());
        stream.join().unwrap();
        assert_eq!(router.tracker().token_count("alice"), 20.0);
    });
}

/// A stream's report against its closing: what is charged is the estimate or the report, nothing in between or
/// on top.
#[test]
fn progress_against_close() {
    loom::model(|| {
        let router = tiny_router(&ManualClock::new());
        let ticket = Arc::new(route(&router));
        let stream = {
            let ticket = Arc::clone(&ticket);
            thread::spawn(move || ticket.progress(15.0, 0.0).unwrap())
        };
        assert!(ticket.close());
        stream.join().unwrap();
        let charged = router.tracker().token_count("alice");
        assert!(charged == 10.0 || charged == 15.0, "charged {charged}");
    });
}

/// Two requests come and go on one pod: the count is never above two, and zero in the end.
#[test]
fn in_flight_counts() {
    loom::model(|| {
        let router = Arc::new(tiny_router(&ManualClock::new()));
        let (first, second) = (route(&router), route(&router));
        let leaver = thread::spawn(move || drop(first));
        let seen = in_flight(&router);
        assert!((1..=2).contains(&seen), "saw {seen}");
        drop(second);
        leaver.join().unwrap();
        assert_eq!(in_flight(&router), 0);
    });
}
