//! The models bite: each rule of the ring's protocol, broken in a copy, makes one of them fail.
#![cfg(loom)]

use loom_tests::ring_models as models;
use loom_tests::weakened::{
    AllRules, BackInTime, Copy, FlagFirst, NoSwap, OldStays, SilentSweep, TotalLast, WatchByLoad,
};

/// Otherwise the failures below could be the copy's own mistakes.
#[test]
fn the_copy_that_keeps_all_rules_passes_every_model() {
    loom::model(models::two_adders_meet_a_stale_bucket::<Copy<AllRules>>);
    loom::model(models::add_against_read_against_expiry::<Copy<AllRules>>);
    loom::model(models::a_late_adder_against_a_reader::<Copy<AllRules>>);
    loom::model(models::refund_against_expiry::<Copy<AllRules>>);
    loom::model(models::refunds_and_an_addition_to_one_bucket::<Copy<AllRules>>);
    loom::model(models::two_readers_sweep_one_bucket::<Copy<AllRules>>);
    loom::model(models::charges_against_the_watcher::<Copy<AllRules>>);
    loom::model(models::a_sweep_against_the_watcher::<Copy<AllRules>>);
    loom::model(models::a_refund_against_the_watcher::<Copy<AllRules>>);
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

#[test]
#[should_panic(expected = "known after the last charge")]
fn a_watcher_that_only_loads_misses_a_charge() {
    loom::model(models::charges_against_the_watcher::<Copy<WatchByLoad>>);
}

#[test]
#[should_panic(expected = "known after the last charge")]
fn a_flag_raised_too_early_is_taken_down_too_early() {
    loom::model(models::charges_against_the_watcher::<Copy<FlagFirst>>);
}

#[test]
#[should_panic(expected = "known after the sweep")]
fn a_sweep_without_a_word_leaves_the_watcher_behind() {
    loom::model(models::a_sweep_against_the_watcher::<Copy<SilentSweep>>);
}
