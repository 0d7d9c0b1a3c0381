//! What a tracker tells other replicas: nothing that was charged or refunded is left out.
#![cfg(loom)]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use loom_tests::marks::{self, AllRules, MarkFirst, RaiseOnce, ReadByLoad, TakeSeen};
use loom_tests::{route, tiny_router};
use vtc_core::{ManualClock, Router, TokenTracker};

/// What was said last of each of alice's buckets.
#[derive(Default)]
struct Told(BTreeMap<u64, f64>);

impl Told {
    fn hear(&mut self, router: &Router<ManualClock>) {
        router.tracker().export_changes(|charged| {
            self.0.insert(charged.bucket, charged.amount.as_f64());
        });
    }

    fn sum(&self) -> f64 {
        self.0.values().sum()
    }
}

/// The exporter is the thread that is spawned: loom looks for other orders where a step meets what another thread has
/// changed before, and an export that finds nothing changes nothing.
fn export_beside(mut told: Told, router: &Arc<Router<ManualClock>>, change: impl FnOnce()) -> Told {
    let exporter = {
        let router = Arc::clone(router);
        thread::spawn(move || {
            told.hear(&router);
            told
        })
    };
    change();
    let mut told = exporter.join().unwrap();
    told.hear(router);
    told
}

/// A charge against an export: with the next export at the latest it is told.
#[test]
fn a_charge_against_an_export() {
    loom::model(|| {
        let router = Arc::new(tiny_router(&ManualClock::new()));
        let charge = |tokens| router.tracker().update_token_count("alice", tokens, 0.0).unwrap();
        let mut told = Told::default();
        charge(1.0);
        told.hear(&router);
        assert_eq!(export_beside(told, &router, || charge(2.0)).sum(), 3.0);
    });
}

/// A refund into the bucket before against an export: with the next export at the latest it is told, though nobody looks at
/// that bucket by itself any more.
#[test]
fn a_refund_into_an_older_bucket_against_an_export() {
    loom::model(|| {
        let clock = ManualClock::new();
        let router = Arc::new(tiny_router(&clock));
        let ticket = route(&router);
        let mut told = Told::default();
        told.hear(&router);
        clock.advance(Duration::from_millis(1));
        told.hear(&router);
        assert_eq!(told.sum(), 10.0);
        let told = export_beside(told, &router, || assert!(ticket.settle(3.0, 0.0).unwrap()));
        assert_eq!(told.sum(), 3.0);
    });
}

#[test]
fn the_copy_that_keeps_all_rules_passes() {
    loom::model(marks::refunds_against_an_export::<AllRules>);
    loom::model(marks::an_export_against_a_refund::<AllRules>);
}

#[test]
#[should_panic(expected = "told after the last refund")]
fn a_mark_before_the_change_is_taken_too_early() {
    loom::model(marks::refunds_against_an_export::<MarkFirst>);
}

#[test]
#[should_panic(expected = "told after the last refund")]
fn without_a_second_flag_a_mark_is_not_found() {
    loom::model(marks::an_export_against_a_refund::<RaiseOnce>);
}

#[test]
#[should_panic(expected = "told after the last refund")]
fn a_bucket_read_by_a_load_may_be_old() {
    loom::model(marks::refunds_against_an_export::<ReadByLoad>);
}

#[test]
#[should_panic(expected = "told after the last refund")]
fn an_export_that_leaves_marks_it_does_not_see_leaves_the_flag_to_be_seen_up() {
    loom::model(marks::an_export_against_a_refund::<TakeSeen>);
}
