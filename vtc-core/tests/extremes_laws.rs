//! Laws of the extremes, which are kept up by watching what changes: against a full look at all users.
//!
//! 1. With a staleness of 0 the extremes are the range of the counts that [`SlidingWindowTracker::users`] shows at that
//!    moment: whoever charged, settled or expired, however seldom anybody looks, wherever the clock has been.
//! 2. The top users are the first of all, ordered by count and name.
//! 3. The cap holds, and whoever has nothing left and is not held is forgotten within two laps of the window.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use vtc_core::{
    ManualClock, RouteRequest, Router, SlidingWindowTracker, Tick, Ticket, TimeUnit, TokenTracker,
    UserHandle, VtcConfig,
};

const USERS: usize = 150;
const CAP: usize = 100;

#[derive(Clone, Debug)]
enum Op {
    Charge { user: usize, tokens: u32 },
    ChargeByHandle { user: usize, tokens: u32 },
    DropHandle(usize),
    Route { user: usize, tokens: u32 },
    Settle { nth: usize, tokens: u32 },
    Forward { thousandths: u64 },
    Back { thousandths: u64 },
    Read(usize),
    Upkeep,
    Check,
}

/// Steps of time in thousandths of a bucket's width.
fn op() -> impl Strategy<Value = Op> {
    let user = || prop_oneof![3 => 0..5usize, 2 => 0..USERS];
    let tokens = || prop_oneof![1 => Just(0u32), 5 => 1..5_000u32];
    prop_oneof![
        8 => (user(), tokens()).prop_map(|(user, tokens)| Op::Charge { user, tokens }),
        4 => (user(), tokens()).prop_map(|(user, tokens)| Op::ChargeByHandle { user, tokens }),
        2 => user().prop_map(Op::DropHandle),
        4 => (user(), tokens()).prop_map(|(user, tokens)| Op::Route { user, tokens }),
        4 => (any::<usize>(), tokens()).prop_map(|(nth, tokens)| Op::Settle { nth, tokens }),
        6 => prop_oneof![6 => 0..1_500u64, 3 => 1_500..9_000u64, 1 => 9_000..200_000u64]
            .prop_map(|thousandths| Op::Forward { thousandths }),
        1 => (0..6_000u64).prop_map(|thousandths| Op::Back { thousandths }),
        3 => user().prop_map(Op::Read),
        1 => Just(Op::Upkeep),
        2 => Just(Op::Check),
    ]
}

fn assert_exact(tracker: &SlidingWindowTracker<ManualClock>) -> Result<(), TestCaseError> {
    let extremes = tracker.extremes();
    let counts: Vec<f64> = tracker.users().into_iter().map(|(_, count)| count).collect();
    prop_assert_eq!(extremes.users, counts.len());
    if !counts.is_empty() {
        prop_assert_eq!(extremes.min, counts.iter().copied().fold(f64::INFINITY, f64::min));
        prop_assert_eq!(extremes.max, counts.iter().copied().fold(0.0, f64::max));
    }
    let mut by_count = tracker.users();
    by_count.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for limit in [0, 1, 7, CAP + 1] {
        prop_assert_eq!(&tracker.top_users(limit), &by_count[..limit.min(by_count.len())]);
    }
    prop_assert!(tracker.account_count() <= CAP);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_extremes_are_the_range_of_all_counts(
        buckets in 1..70u64, ops in prop::collection::vec(op(), 1..600),
    ) {
        let clock = ManualClock::new();
        let mut config = VtcConfig::default();
        config.tracker.time_unit = TimeUnit::Milliseconds;
        config.tracker.window_size = buckets;
        config.tracker.bucket_width = Some(Duration::from_millis(1));
        config.tracker.staleness = Duration::ZERO;
        config.tracker.max_users = CAP;
        // The policy that does not look at the extremes, so that they are looked at only where the case says so.
        config.policy = "round-robin".to_owned();
        let router = Router::with_clock(config, clock.clone()).unwrap();
        router.pods().set(["a", "b"]);
        let tracker = router.tracker();
        let names: Vec<_> = (0..USERS).map(|user| format!("user-{user}")).collect();
        let mut handles: BTreeMap<usize, UserHandle<ManualClock>> = BTreeMap::new();
        let mut tickets: Vec<Ticket<ManualClock>> = Vec::new();
        let (mut now, mut latest) = (0, 0);
        for op in ops {
            match op {
                Op::Charge { user, tokens } => {
                    tracker.update_token_count(&names[user], f64::from(tokens), 0.0).unwrap();
                }
                Op::ChargeByHandle { user, tokens } => {
                    let handle = handles.entry(user).or_insert_with(|| tracker.user(&names[user]).unwrap());
                    handle.charge(f64::from(tokens), 0.0).unwrap();
                }
                Op::DropHandle(user) => drop(handles.remove(&user)),
                Op::Route { user, tokens } => {
                    let user = Some(names[user].as_str());
                    let request = RouteRequest { user, input_tokens: f64::from(tokens), output_tokens: 0.0 };
                    tickets.push(router.route(&request).unwrap());
                }
                Op::Settle { nth, tokens } if !tickets.is_empty() => {
                    let ticket = tickets.swap_remove(nth % tickets.len());
                    ticket.settle(f64::from(tokens), 0.0).unwrap();
                }
                Op::Settle { .. } => {}
                Op::Forward { thousandths } => now += thousandths * 1_000,
                Op::Back { thousandths } => now = now.saturating_sub(thousandths * 1_000),
                Op::Read(user) => {
                    let _ = tracker.token_count(&names[user]);
                }
                Op::Upkeep => {
                    tracker.upkeep();
                }
                Op::Check => {
                    clock.set(Tick::from_nanos(latest));
                    assert_exact(tracker)?;
                }
            }
            latest = latest.max(now);
            clock.set(Tick::from_nanos(now));
        }
        clock.set(Tick::from_nanos(latest));
        assert_exact(tracker)?;
        drop((handles, tickets));
        for _ in 0..2 {
            latest += (buckets + 1) * 1_000_000;
            clock.set(Tick::from_nanos(latest));
            tracker.upkeep();
        }
        assert_exact(tracker)?;
        prop_assert_eq!(tracker.account_count(), 0);
    }
}

/// Whatever was charged between two looks that lie further apart than the window.
#[test]
fn a_look_after_a_long_time_sees_only_what_is_left() {
    let clock = ManualClock::new();
    let tracker = SlidingWindowTracker::builder()
        .window_size(10)
        .time_unit(TimeUnit::Seconds)
        .staleness(Duration::ZERO)
        .clock(clock.clone())
        .build()
        .unwrap();
    let alice = tracker.user("alice").unwrap();
    assert_eq!(tracker.extremes().users, 0);
    clock.advance(Duration::from_secs(5));
    alice.charge(100.0, 0.0).unwrap();
    clock.advance(Duration::from_secs(60));
    alice.charge(7.0, 0.0).unwrap();
    assert_eq!((tracker.extremes().min, tracker.extremes().max), (7.0, 7.0));
    clock.advance(Duration::from_secs(11));
    assert_eq!(tracker.extremes().users, 0);
}
