//! Laws of trackers that tell each other what they charged.
//!
//! Each replica has a twin that sees the same requests at the same times and shares nothing; what the twins count together
//! is what each replica has to count.
//!
//! 1. Once all have exported and heard what changed, a user's count is the sum over the twins, to the unit: refunds into
//!    whatever bucket included, with clocks of different origins, with users who come and go.
//! 2. So are the extremes and the total.
//! 3. An export of everything says what all exports of changes said together.
//! 4. Whoever has no room for a user counts it with those who share an account.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use vtc_core::{
    ManualClock, RouteRequest, Router, SlidingWindowTracker, Tick, Ticket, TimeUnit, TokenTracker, Tokens,
    TrackerConfig, VtcConfig,
};

const REPLICAS: usize = 3;
const USERS: usize = 6;

type Tracker = SlidingWindowTracker<ManualClock>;

struct Replica {
    clock: ManualClock,
    shares: Router<ManualClock>,
    twin: Router<ManualClock>,
    open: Vec<[Ticket<ManualClock>; 2]>,
}

/// By replica and bucket, the amount and when it leaves the window.
type Buckets = BTreeMap<(usize, u64), (u64, Duration)>;

/// What was heard, by user.
#[derive(Clone, Debug, Default, PartialEq)]
struct Book(BTreeMap<String, Buckets>);

#[derive(Clone, Copy, Debug)]
enum Op {
    Charge { replica: usize, user: usize, tokens: u32 },
    Route { replica: usize, user: usize, output: u32 },
    Settle { replica: usize, nth: usize, output: u32 },
    Abandon { replica: usize, nth: usize },
    Move(u64),
    Upkeep(usize),
    Export(usize),
    Check,
}

fn op() -> impl Strategy<Value = Op> {
    let replica = || 0..REPLICAS;
    prop_oneof![
        6 => (replica(), 0..USERS, 0..500u32).prop_map(|(replica, user, tokens)| Op::Charge { replica, user, tokens }),
        6 => (replica(), 0..USERS, 0..500u32).prop_map(|(replica, user, output)| Op::Route { replica, user, output }),
        6 => (replica(), any::<usize>(), 0..500u32).prop_map(|(replica, nth, output)| Op::Settle { replica, nth, output }),
        1 => (replica(), any::<usize>()).prop_map(|(replica, nth)| Op::Abandon { replica, nth }),
        6 => prop_oneof![6 => 0..900u64, 3 => 900..4_000u64, 1 => 4_000..40_000u64].prop_map(Op::Move),
        2 => replica().prop_map(Op::Upkeep),
        4 => replica().prop_map(Op::Export),
        4 => Just(Op::Check),
    ]
}

impl Replica {
    fn new(number: usize, config: &TrackerConfig) -> Self {
        let clock = ManualClock::new();
        clock.set(Tick::after_origin(Duration::from_millis(333) * u32::try_from(number).unwrap()));
        let router = || {
            let config = VtcConfig { tracker: config.clone(), ..VtcConfig::default() };
            let router = Router::with_clock(config, clock.clone()).unwrap();
            router.pods().set(["pod"]);
            router
        };
        let (shares, twin) = (router(), router());
        Self { clock, shares, twin, open: Vec::new() }
    }

    fn routers(&self) -> [&Router<ManualClock>; 2] {
        [&self.shares, &self.twin]
    }

    fn route(&mut self, user: &str, output: u32) {
        let request = RouteRequest { user: Some(user), input_tokens: 0.0, output_tokens: f64::from(output) };
        self.open.push(self.routers().map(|router| router.route(&request).unwrap()));
    }

    fn take(&mut self, nth: usize) -> Option<[Ticket<ManualClock>; 2]> {
        (!self.open.is_empty()).then(|| self.open.swap_remove(nth % self.open.len()))
    }
}

impl Book {
    fn hear(&mut self, from: usize, tracker: &Tracker, now: Duration, all: bool) {
        let write = |charged: vtc_core::Charged<'_>| {
            let leaves = now + charged.left;
            let buckets = self.0.entry(charged.user.to_owned()).or_default();
            buckets.insert((from, charged.bucket), (charged.amount.units(), leaves));
        };
        if all { tracker.export_all(write) } else { tracker.export_changes(write) }
    }

    /// What everybody but `replica` charged each user.
    fn elsewhere(&self, replica: usize, now: Duration) -> Vec<(&str, Tokens)> {
        let of = |buckets: &Buckets| {
            let live = buckets.iter().filter(|((from, _), (_, leaves))| *from != replica && *leaves > now);
            Tokens::from_units(live.map(|(_, (amount, _))| amount).sum())
        };
        self.0.iter().map(|(user, buckets)| (user.as_str(), of(buckets))).collect()
    }

    /// What there is of each bucket, without those that are empty or gone.
    fn live(&self, now: Duration) -> BTreeSet<(&str, usize, u64, u64)> {
        let rows = self.0.iter().flat_map(|(user, buckets)| buckets.iter().map(move |row| (user, row)));
        rows.filter(|(_, (_, (amount, leaves)))| *amount > 0 && *leaves > now)
            .map(|(user, ((from, bucket), (amount, _)))| (user.as_str(), *from, *bucket, *amount))
            .collect()
    }
}

fn users() -> impl Iterator<Item = String> {
    (0..USERS).map(|user| format!("user-{user}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn replicas_that_hear_of_each_other_count_what_all_charged(
        buckets in prop_oneof![Just(2u64), Just(5), Just(70)], ops in prop::collection::vec(op(), 1..300),
    ) {
        let config = TrackerConfig {
            window_size: buckets,
            time_unit: TimeUnit::Seconds,
            bucket_width: Some(Duration::from_secs(1)),
            staleness: Duration::ZERO,
            ..TrackerConfig::default()
        };
        let mut replicas: Vec<_> = (0..REPLICAS).map(|number| Replica::new(number, &config)).collect();
        let (mut book, mut now) = (Book::default(), Duration::ZERO);
        for op in ops.into_iter().chain([Op::Check]) {
            match op {
                Op::Charge { replica, user, tokens } => {
                    for router in replicas[replica].routers() {
                        router.tracker().update_token_count(&format!("user-{user}"), f64::from(tokens), 0.0).unwrap();
                    }
                }
                Op::Route { replica, user, output } => replicas[replica].route(&format!("user-{user}"), output),
                Op::Settle { replica, nth, output } => {
                    for ticket in replicas[replica].take(nth).into_iter().flatten() {
                        ticket.settle(0.0, f64::from(output)).unwrap();
                    }
                }
                Op::Abandon { replica, nth } => drop(replicas[replica].take(nth)),
                Op::Move(millis) => {
                    let step = Duration::from_millis(millis);
                    replicas.iter().for_each(|replica| replica.clock.advance(step));
                    now += step;
                }
                Op::Upkeep(replica) => drop(replicas[replica].shares.tracker().upkeep()),
                Op::Export(from) => book.hear(from, replicas[from].shares.tracker(), now, false),
                Op::Check => {
                    for (from, replica) in replicas.iter().enumerate() {
                        book.hear(from, replica.shares.tracker(), now, false);
                    }
                    for (number, replica) in replicas.iter().enumerate() {
                        replica.shares.tracker().set_elsewhere(book.elsewhere(number, now));
                    }
                    let mut expected = BTreeMap::new();
                    for user in users() {
                        // Thousandths of whole tokens: sums of f64 are exact.
                        let sum: f64 = replicas.iter().map(|r| r.twin.tracker().token_count(&user)).sum();
                        if sum > 0.0 {
                            expected.insert(user, sum);
                        }
                    }
                    for replica in &replicas {
                        let tracker = replica.shares.tracker();
                        for user in users() {
                            let expected = expected.get(&user).copied().unwrap_or_default();
                            prop_assert_eq!(tracker.token_count(&user), expected, "{}", user);
                        }
                        prop_assert_eq!(&tracker.users().into_iter().collect::<BTreeMap<_, _>>(), &expected);
                        prop_assert_eq!(tracker.total_tokens(), expected.values().sum::<f64>());
                        let extremes = tracker.extremes();
                        prop_assert_eq!(extremes.users, expected.len());
                        if let Some(most) = expected.values().copied().reduce(f64::max) {
                            prop_assert_eq!(extremes.max, most);
                            prop_assert_eq!(extremes.min, expected.values().copied().fold(most, f64::min));
                        }
                    }
                }
            }
        }
        let mut everything = Book::default();
        for (from, replica) in replicas.iter().enumerate() {
            everything.hear(from, replica.shares.tracker(), now, true);
        }
        prop_assert_eq!(everything.live(now), book.live(now));
    }
}

fn tracker(clock: &ManualClock, max_users: usize) -> Tracker {
    let config = TrackerConfig { max_users, staleness: Duration::ZERO, ..TrackerConfig::default() };
    SlidingWindowTracker::new(config, clock.clone()).unwrap()
}

fn tokens(tokens: f64) -> Tokens {
    Tokens::new(tokens).unwrap()
}

#[test]
fn who_has_no_room_here_is_counted_with_those_who_share_until_there_is_some() {
    let clock = ManualClock::new();
    let tracker = tracker(&clock, 2);
    tracker.update_token_count("alice", 1.0, 0.0).unwrap();
    tracker.update_token_count("bob", 2.0, 0.0).unwrap();
    tracker.set_elsewhere([("alice", tokens(10.0)), ("carol", tokens(20.0)), ("dave", tokens(40.0))]);
    tracker.set_elsewhere([("carol", tokens(21.0)), (Tracker::OVERFLOW, tokens(100.0)), ("", tokens(7.0))]);
    let counts = |names: [&str; 5]| names.map(|name| tracker.token_count(name));
    let names = ["alice", "bob", "carol", "dave", Tracker::OVERFLOW];
    assert_eq!(counts(names), [11.0, 2.0, 161.0, 161.0, 161.0]);
    assert_eq!((tracker.extremes().max, tracker.extremes().users), (161.0, 3));

    // Bob's and alice's own tokens expire; what alice has elsewhere is for whoever said so to take back.
    clock.advance(Duration::from_secs(305));
    tracker.upkeep();
    assert_eq!(tracker.account_count(), 1);
    tracker.update_token_count("dave", 3.0, 0.0).unwrap();
    tracker.upkeep();
    assert_eq!(counts(names), [10.0, 121.0, 121.0, 43.0, 121.0], "dave's are where dave is");
    tracker.set_elsewhere(names.map(|name| (name, Tokens::ZERO)));
    tracker.upkeep();
    assert_eq!(counts(names), [0.0, 0.0, 0.0, 3.0, 0.0]);
    assert_eq!(tracker.account_count(), 1);
}

#[test]
fn a_user_who_was_refunded_everything_is_told_of_before_the_account_closes() {
    let clock = ManualClock::new();
    let router = Router::with_clock(VtcConfig::default(), clock.clone()).unwrap();
    router.pods().set(["pod"]);
    let exported = |all: bool| {
        let mut rows = Vec::new();
        let write = |charged: vtc_core::Charged<'_>| {
            rows.push((charged.user.to_owned(), charged.bucket, charged.amount.as_f64(), charged.left));
        };
        if all {
            router.tracker().export_all(write)
        } else {
            router.tracker().export_changes(write)
        }
        rows
    };
    let request = RouteRequest { user: Some("alice"), input_tokens: 5.0, output_tokens: 0.0 };
    let ticket = router.route(&request).unwrap();
    clock.advance(Duration::from_secs(4));
    let left = Duration::from_secs(301);
    assert_eq!(exported(false), [("alice".to_owned(), 0, 5.0, left)], "the first is of everything");
    assert_eq!(exported(false), []);
    ticket.settle(0.0, 0.0).unwrap();
    drop(ticket);
    router.tracker().upkeep();
    assert_eq!(router.tracker().account_count(), 1, "it is not told yet");
    assert_eq!(exported(false), [("alice".to_owned(), 0, 0.0, left)]);
    router.tracker().upkeep();
    assert_eq!(router.tracker().account_count(), 0);
    assert_eq!(exported(true), []);
}

/// Threads charge and refund while another exports: what was told in the end is what is there.
#[test]
fn what_threads_charge_while_others_export_is_told() {
    let router = Router::with_clock(VtcConfig::default(), ManualClock::new()).unwrap();
    router.pods().set(["pod"]);
    let mut told = BTreeMap::new();
    let work = |seed: u32| {
        for round in 0..20_000u32 {
            let user = format!("user-{}", (round * 7 + seed) % 5);
            let request = RouteRequest { user: Some(&user), input_tokens: 30.0, output_tokens: 0.0 };
            let ticket = router.route(&request).unwrap();
            ticket.settle(f64::from(round % 40), 0.0).unwrap();
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|seed| scope.spawn(move || work(seed))).collect();
        let mut last = false;
        while !std::mem::replace(&mut last, threads.iter().all(|thread| thread.is_finished())) {
            router.tracker().export_changes(|charged| {
                told.insert((charged.user.to_owned(), charged.bucket), charged.amount.as_f64());
            });
        }
        router.tracker().export_changes(|charged| {
            told.insert((charged.user.to_owned(), charged.bucket), charged.amount.as_f64());
        });
    });
    let mut sums = BTreeMap::new();
    for ((user, _), amount) in told {
        *sums.entry(user).or_insert(0.0) += amount;
    }
    assert_eq!(sums, router.tracker().users().into_iter().collect());
}
