//! The models bite: each rule of the ring's protocol, broken in a copy, makes one of them fail.
#![cfg(loom)]

use loom_tests::ring_models as models;
use loom_tests::weakened::{AllRules, BackInTime, Copy, NoSwap, OldStays, TotalLast};

/// Otherwise the failures below could be the copy's own mistakes.
#[test]
fn the_copy_that_keeps_all_rules_passes_every_model() {
    loom::model(models::two_adders_meet_a_stale_bucket::<Copy<AllRules>>);
    loom::model(models::add_against_read_against_expiry::<Copy<AllRules>>);
    loom::model(models::a_late_adder_against_a_reader::<Copy<AllRules>>);
    loom::model(models::refund_against_expiry::<Copy<AllRules>>);
    loom::model(models::refunds_and_an_addition_to_one_bucket::<Copy<AllRules>>);
    loom::model(models::two_readers_sweep_one_bucket::<Copy<AllRules>>);
}

#[test]
#[should_panic(expected = "100 left exactly once")]
fn without_the_swap_two_reclaim_one_bucket() {
    loom::model(models::two_adders_meet_a_stale_bucket::<Copy<NoSwap>>);
}

#[test]
#[should_panic(expected = "of 5")]
fn with_the_total_last_a_reader_sees_a_negative_sum() {
    loom::model(models::a_late_adder_against_a_reader::<Copy<TotalLast>>);
}

#[test]
#[should_panic(expected = "100 left exactly once")]
fn an_old_amount_that_does_not_leave_is_noticed() {
    loom::model(models::two_adders_meet_a_stale_bucket::<Copy<OldStays>>);
}

#[test]
#[should_panic(expected = "landed in bucket")]
fn a_bucket_taken_back_in_time_is_noticed() {
    loom::model(models::a_late_adder_against_a_reader::<Copy<BackInTime>>);
}
