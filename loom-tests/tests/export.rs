//! What a tracker tells other replicas: nothing that was charged or refunded is left out.
#![cfg(loom)]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use loom_tests::marks::{self, AllRules, MarkFirst, RaiseOnce, ReadByLoad};
use loom_tests::{route, tiny_router};
use vtc_core::{ManualClock, Router, TokenTracker};

/// What is told, by bucket.
#[derive(Debug, Default, PartialEq)]
struct Told(BTreeMap<u64, f64>);

impl Told {
    fn hear(&mut self, router: &Router<ManualClock>) {
        router.tracker().export_changes(|charged| {
            self.0.insert(charged.bucket, charged.amount.as_f64());
        });
    }
}

/// A charge against an export, in the bucket that is exported.
#[test]
fn a_charge_against_an_export() {
    loom::model(|| {
        let router = Arc::new(tiny_router(&ManualClock::new()));
        let mut told = Told::default();
        router.tracker().update_token_count("alice", 5.0, 0.0).unwrap();
        told.hear(&router);
        let charger = {
            let router = Arc::clone(&router);
            thread::spawn(move || router.tracker().update_token_count("alice", 2.0, 0.0).unwrap())
        };
        told.hear(&router);
        charger.join().unwrap();
        told.hear(&router);
        assert_eq!(told.0, [(0, 7.0)].into());
    });
}

/// A refund out of an older bucket against an export.
#[test]
fn a_refund_against_an_export() {
    loom::model(|| {
        let clock = ManualClock::new();
        let router = Arc::new(tiny_router(&clock));
        let mut told = Told::default();
        let ticket = route(&router);
        told.hear(&router);
        clock.advance(Duration::from_millis(1));
        let settler = thread::spawn(move || {
            assert!(ticket.settle(4.0, 0.0).unwrap());
        });
        told.hear(&router);
        settler.join().unwrap();
        told.hear(&router);
        assert_eq!(told.0, [(0, 4.0)].into());
    });
}

#[test]
fn the_copy_that_keeps_all_rules_passes() {
    loom::model(marks::a_refund_against_an_export::<AllRules>);
    loom::model(marks::refunds_against_an_export::<AllRules>);
}

#[test]
#[should_panic(expected = "told after the last refund")]
fn a_mark_before_the_change_is_taken_too_early() {
    loom::model(marks::refunds_against_an_export::<MarkFirst>);
}

#[test]
#[should_panic(expected = "told after the last refund")]
fn without_a_second_flag_a_mark_is_not_found() {
    loom::model(marks::a_refund_against_an_export::<RaiseOnce>);
}

#[test]
#[should_panic(expected = "told after the last refund")]
fn a_bucket_read_by_a_load_may_be_old() {
    loom::model(marks::refunds_against_an_export::<ReadByLoad>);
}
