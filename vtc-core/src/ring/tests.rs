//! Laws of a ring used by one thread, against a naive model: a list of charges, summed on each read.

use proptest::prelude::*;

use super::{Ring, StandaloneRing};
use crate::tokens::Tokens;

/// What the ring stands for: who put what where.
struct Naive {
    buckets: u64,
    charges: Vec<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Add(u64),
    Refund { nth: usize, amount: u64 },
    Move(u64),
    Read,
    Watch,
}

impl Naive {
    fn live(&self, bucket: u64, now: u64) -> bool {
        bucket + self.buckets > now
    }

    fn total(&self, now: u64) -> u64 {
        self.charges.iter().filter(|(bucket, _)| self.live(*bucket, now)).map(|(_, amount)| amount).sum()
    }
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (1..1_000_000u64).prop_map(Op::Add),
        2 => (any::<usize>(), 1..1_000_000u64).prop_map(|(nth, amount)| Op::Refund { nth, amount }),
        3 => prop_oneof![4 => 0..3u64, 2 => 3..9u64, 1 => 9..(Ring::LONGEST_IDLE_LAPS / 2)].prop_map(Op::Move),
        3 => Just(Op::Read),
        2 => Just(Op::Watch),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_ring_is_the_sum_of_the_charges_in_its_window(
        buckets in 1..8usize, start in 0..1_000u64, ops in prop::collection::vec(op(), 1..80),
    ) {
        let ring = StandaloneRing::new(buckets, start);
        let mut naive = Naive { buckets: buckets as u64, charges: Vec::new() };
        let (mut now, mut known) = (start, Tokens::ZERO);
        for op in ops {
            match op {
                Op::Add(amount) => {
                    let landed = ring.add(now, Tokens::from_units(amount));
                    prop_assert_eq!(landed, now);
                    naive.charges.push((now, amount));
                }
                Op::Refund { nth, amount } => {
                    let Some(count) = naive.charges.len().checked_sub(1) else { continue };
                    let nth = nth % (count + 1);
                    let (bucket, charged) = naive.charges[nth];
                    let asked = amount.min(charged);
                    let taken = ring.refund(bucket, now, Tokens::from_units(asked)).units();
                    prop_assert_eq!(taken, if naive.live(bucket, now) { asked } else { 0 });
                    if naive.live(bucket, now) {
                        naive.charges[nth].1 -= asked;
                    }
                }
                Op::Move(by) => now += by,
                Op::Read => prop_assert_eq!(ring.total(now).units(), naive.total(now)),
                Op::Watch => {
                    ring.total(now);
                    known = ring.watch_if_changed().unwrap_or(known);
                    prop_assert_eq!(known.units(), naive.total(now));
                }
            }
        }
        prop_assert_eq!(ring.total(now).units(), naive.total(now));
    }
}

#[test]
fn a_charge_stays_for_the_window_and_leaves_with_its_bucket() {
    let ring = StandaloneRing::new(4, 10);
    ring.add(10, Tokens::from_units(5));
    assert_eq!(ring.total(13).units(), 5);
    assert_eq!(ring.total(14).units(), 0);
}

#[test]
fn an_expired_bucket_leaves_without_a_flag_and_once() {
    let ring = StandaloneRing::new(3, 0);
    ring.add(0, Tokens::from_units(5));
    ring.add(1, Tokens::from_units(7));
    assert_eq!(ring.watch_if_changed().map(Tokens::units), Some(12));
    assert_eq!(ring.watch_expiry(0).units(), 7);
    assert_eq!(ring.watch_expiry(0).units(), 7);
    assert_eq!(ring.watch_if_changed(), None);
    assert_eq!(ring.total(3).units(), 7);
    assert_eq!(ring.total(4).units(), 0);
    assert_eq!(ring.watch_if_changed().map(Tokens::units), Some(0));
}

#[test]
fn an_idle_ring_forgets_everything_within_its_range() {
    let longest = Ring::LONGEST_IDLE_LAPS * 2 - 2;
    for idle in [2, 3, 1 << 10, 1 << 20, longest] {
        let ring = StandaloneRing::new(2, 0);
        ring.add(0, Tokens::from_units(5));
        assert_eq!(ring.total(1).units(), 5);
        ring.add(1 + idle, Tokens::from_units(7));
        assert_eq!(ring.total(1 + idle).units(), 7, "after {idle} buckets");
    }
}

#[test]
fn a_late_charge_counts_in_the_bucket_that_now_has_its_place() {
    let ring = StandaloneRing::new(3, 0);
    assert_eq!(ring.total(3).units(), 0, "the ring moves on to bucket 3");
    assert_eq!(ring.add(0, Tokens::from_units(5)), 3);
    assert_eq!(ring.total(3).units(), 5);
    assert_eq!(ring.refund(3, 3, Tokens::from_units(5)).units(), 5);
    assert_eq!(ring.total(3).units(), 0);
}

#[test]
fn a_clock_that_goes_back_however_far_loses_nothing() {
    for back_to in [0, 1_000_000, 9_999_996, 9_999_999] {
        let ring = StandaloneRing::new(3, 0);
        ring.add(10_000_000, Tokens::from_units(5));
        assert_eq!(ring.total(10_000_000).units(), 5);
        assert_eq!(ring.add(back_to, Tokens::from_units(7)), 10_000_000);
        assert_eq!(ring.total(back_to).units(), 12);
        assert_eq!(ring.total(10_000_002).units(), 12);
        assert_eq!(ring.total(10_000_003).units(), 0);
    }
}

#[test]
fn a_refund_comes_out_of_its_own_bucket_and_is_moot_after_the_window() {
    let ring = StandaloneRing::new(4, 0);
    ring.add(0, Tokens::from_units(5));
    ring.add(2, Tokens::from_units(10));
    assert_eq!(ring.refund(0, 3, Tokens::from_units(8)).units(), 5, "no more than the bucket holds");
    assert_eq!(ring.total(3).units(), 10);
    assert_eq!(ring.refund(2, 6, Tokens::from_units(1)).units(), 0, "bucket 2 has left the window");
}

#[test]
fn sums_saturate_and_never_wrap() {
    let ring = StandaloneRing::new(2, 0);
    for _ in 0..3 {
        ring.add(0, Tokens::MAX);
    }
    assert_eq!(ring.total(0), Tokens::MAX);
    ring.add(1, Tokens::MAX);
    assert_eq!(ring.total(1), Tokens::MAX, "two full buckets read as the largest amount");
    assert_eq!(ring.total(2), Tokens::MAX);
    assert_eq!(ring.total(3), Tokens::ZERO);
}
