//! The ring's races, on the ring that ships.
#![cfg(loom)]

use loom_tests::ring_models as models;
use vtc_core::__loom::Ring;

#[test]
fn two_adders_meet_a_stale_bucket() {
    loom::model(models::two_adders_meet_a_stale_bucket::<Ring>);
}

#[test]
fn add_against_read_against_expiry() {
    loom::model(models::add_against_read_against_expiry::<Ring>);
}

#[test]
fn a_late_adder_against_a_reader() {
    loom::model(models::a_late_adder_against_a_reader::<Ring>);
}

#[test]
fn refund_against_expiry() {
    loom::model(models::refund_against_expiry::<Ring>);
}

#[test]
fn refunds_and_an_addition_to_one_bucket() {
    loom::model(models::refunds_and_an_addition_to_one_bucket::<Ring>);
}

#[test]
fn two_readers_sweep_one_bucket() {
    loom::model(models::two_readers_sweep_one_bucket::<Ring>);
}

#[test]
fn charges_against_the_watcher() {
    loom::model(models::charges_against_the_watcher::<Ring>);
}

#[test]
fn a_sweep_against_the_watcher() {
    loom::model(models::a_sweep_against_the_watcher::<Ring>);
}

#[test]
fn a_refund_against_the_watcher() {
    loom::model(models::a_refund_against_the_watcher::<Ring>);
}
