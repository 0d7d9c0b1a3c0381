//! Laws of the tracker, against a naive model that keeps every charge and sums on every read.
//!
//! 1. A user's count is the sum of its charges whose bucket is in the window.
//! 2. The extremes range over the positive counts, and are the configured ones if there is none.
//! 3. A handle and a name are the same account.
//! 4. Closing idle accounts changes no count.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use vtc_core::{ManualClock, SlidingWindowTracker, TokenTracker, TokenWeights, TrackerConfig, UserHandle};

const USERS: usize = 12;
const OPERATIONS_PER_CASE: usize = 2_000;
/// One million operations in all.
const CASES: u32 = 500;

#[derive(Clone, Debug)]
enum Op {
    Charge { user: usize, input: u32, output: u32 },
    ChargeByHandle { user: usize, input: u32, output: u32 },
    Move(Duration),
    Read(usize),
    ReadByHandle(usize),
    Extremes,
    Upkeep,
    DropHandle(usize),
}

#[derive(Clone, Debug)]
struct Setting {
    width: Duration,
    buckets_before_now: u32,
    weights: TokenWeights,
}

/// Thousandths of tokens, by user and bucket.
#[derive(Default)]
struct Naive(BTreeMap<usize, BTreeMap<u64, u64>>);

impl Naive {
    fn charge(&mut self, user: usize, bucket: u64, thousandths: u64) {
        *self.0.entry(user).or_default().entry(bucket).or_default() += thousandths;
    }

    fn count(&self, user: usize, oldest: u64) -> f64 {
        let charges = self.0.get(&user).into_iter().flat_map(|buckets| buckets.range(oldest..));
        charges.map(|(_, thousandths)| thousandths).sum::<u64>() as f64 / 1000.0
    }

    /// Minimum, maximum and number of the positive counts.
    fn extremes(&self, oldest: u64) -> Option<(f64, f64, usize)> {
        let counts: Vec<_> =
            (0..USERS).map(|user| self.count(user, oldest)).filter(|count| *count > 0.0).collect();
        let min = counts.iter().copied().reduce(f64::min)?;
        let max = counts.iter().copied().reduce(f64::max)?;
        Some((min, max, counts.len()))
    }
}

fn setting() -> impl Strategy<Value = Setting> {
    let weight = || prop_oneof![Just(0.0), Just(0.001), Just(0.25), Just(1.0), Just(2.0), Just(100.0)];
    (prop_oneof![Just(1u64), Just(7), Just(1_000), Just(60_000)], 1..70u32, weight(), weight()).prop_map(
        |(width_ms, buckets_before_now, input, output)| Setting {
            width: Duration::from_millis(width_ms),
            buckets_before_now,
            weights: TokenWeights { input, output },
        },
    )
}

/// Steps in thousandths of a bucket's width.
fn op() -> impl Strategy<Value = Op> {
    let tokens = || prop_oneof![3 => 0..5_000u32, 1 => Just(0u32), 1 => 5_000..1_000_000u32];
    prop_oneof![
        8 => (0..USERS, tokens(), tokens()).prop_map(|(user, input, output)| Op::Charge { user, input, output }),
        4 => (0..USERS, tokens(), tokens()).prop_map(|(user, input, output)| Op::ChargeByHandle { user, input, output }),
        5 => prop_oneof![6 => 0..1_500u64, 3 => 1_500..9_000u64, 1 => 9_000..200_000u64]
            .prop_map(|thousandths| Op::Move(Duration::from_micros(thousandths))),
        6 => (0..USERS).prop_map(Op::Read),
        2 => (0..USERS).prop_map(Op::ReadByHandle),
        4 => Just(Op::Extremes),
        1 => Just(Op::Upkeep),
        1 => (0..USERS).prop_map(Op::DropHandle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn a_million_random_operations_agree_with_the_naive_model_at_every_read(
        setting in setting(),
        ops in prop::collection::vec(op(), OPERATIONS_PER_CASE),
    ) {
        let clock = ManualClock::new();
        let config = TrackerConfig {
            time_unit: vtc_core::TimeUnit::Milliseconds,
            window_size: u64::try_from(setting.width.as_millis()).unwrap() * u64::from(setting.buckets_before_now),
            bucket_width: Some(setting.width),
            weights: setting.weights,
            staleness: Duration::ZERO,
            ..TrackerConfig::default()
        };
        let tracker = SlidingWindowTracker::new(config, clock.clone()).unwrap();
        let names: Vec<_> = (0..USERS).map(|user| format!("user-{user}")).collect();
        let mut handles: BTreeMap<usize, UserHandle<ManualClock>> = BTreeMap::new();
        let mut naive = Naive::default();
        let mut now = Duration::ZERO;
        // Whole thousandths, so that the model's sums are exact.
        let weigh = |input: u32, output: u32| {
            let thousandths = f64::from(input) * setting.weights.input + f64::from(output) * setting.weights.output;
            (thousandths * 1000.0).round() as u64
        };
        for op in ops {
            let bucket = u64::try_from(now.as_nanos() / setting.width.as_nanos()).unwrap();
            let oldest = bucket.saturating_sub(u64::from(setting.buckets_before_now));
            match op {
                Op::Charge { user, input, output } => {
                    tracker.update_token_count(&names[user], f64::from(input), f64::from(output)).unwrap();
                    naive.charge(user, bucket, weigh(input, output));
                }
                Op::ChargeByHandle { user, input, output } => {
                    let handle = handles.entry(user).or_insert_with(|| tracker.user(&names[user]).unwrap());
                    handle.charge(f64::from(input), f64::from(output)).unwrap();
                    naive.charge(user, bucket, weigh(input, output));
                }
                Op::Move(step) => {
                    let step = step * u32::try_from(setting.width.as_millis()).unwrap();
                    clock.advance(step);
                    now += step;
                }
                Op::Read(user) => prop_assert_eq!(tracker.token_count(&names[user]), naive.count(user, oldest)),
                Op::ReadByHandle(user) => {
                    if let Some(handle) = handles.get(&user) {
                        prop_assert_eq!(handle.token_count(), naive.count(user, oldest));
                    }
                }
                Op::Extremes => {
                    let extremes = tracker.extremes();
                    let (min, max, users) = naive.extremes(oldest).unwrap_or((1000.0, 8000.0, 0));
                    prop_assert_eq!((extremes.min, extremes.max, extremes.users), (min, max, users));
                }
                Op::Upkeep => {
                    tracker.upkeep();
                }
                Op::DropHandle(user) => drop(handles.remove(&user)),
            }
        }
        let bucket = u64::try_from(now.as_nanos() / setting.width.as_nanos()).unwrap();
        let oldest = bucket.saturating_sub(u64::from(setting.buckets_before_now));
        let counted: BTreeMap<_, _> = tracker.users().into_iter().map(|(name, count)| (name.to_string(), count)).collect();
        for (user, name) in names.iter().enumerate() {
            prop_assert_eq!(counted.get(name).copied().unwrap_or(0.0), naive.count(user, oldest));
        }
    }
}
