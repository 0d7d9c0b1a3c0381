//! Laws of one fair queue over several replicas.
//!
//! 1. When news have flowed, a user has the same counter on every replica that knows it, to the unit.
//! 2. Users who wait throughout are served alike, whichever replicas they enter by.
//! 3. Room is not left idle for longer than two exchanges while somebody waits.
//! 4. No pod runs more than it has places for, times the number of replicas.

use proptest::prelude::*;

use crate::fleet::{Fate, Fleet};
use crate::model::Job;

/// Users who always have something that waits, by whatever replicas they enter.
struct Crowd {
    jobs: Vec<Job>,
    /// Where each one's requests enter.
    homes: Vec<Vec<usize>>,
    /// What the lengths are drawn from.
    random: u64,
}

impl Crowd {
    fn new(weights: &[u32], homes: &[&[usize]], output: u64) -> Self {
        let job = |(user, weight): (usize, &u32)| Job {
            user,
            weight: *weight,
            input: 8,
            output,
            predicted: output,
        };
        let jobs = weights.iter().enumerate().map(job).collect();
        Self { jobs, homes: homes.iter().map(|homes| homes.to_vec()).collect(), random: 1 }
    }

    /// Some number below that.
    fn any(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % below
    }

    /// Everybody has more requests where it enters than there are places, so that somebody waits after all that can go have gone.
    fn come(&mut self, fleet: &mut Fleet) {
        for user in 0..self.jobs.len() {
            for home in self.homes[user].clone() {
                while fleet.waiting(home, user) < 25 {
                    let Job { input, output, .. } = self.jobs[user];
                    let (input, output) = (self.any(input) + 1, self.any(output) + 1);
                    fleet.push(home, Job { input, output, ..self.jobs[user] });
                }
            }
        }
    }

    fn run(&mut self, fleet: &mut Fleet, steps: u64, mut fate: impl FnMut() -> Fate) {
        for _ in 0..steps {
            self.come(fleet);
            fleet.step(&mut fate);
        }
    }
}

const REPLICAS: usize = 3;
const USERS: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Op {
    Push(usize, Job),
    Steps(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let weight = prop_oneof![4 => Just(1000), 1 => Just(500), 1 => Just(3000)];
    let job = (0..USERS, weight, 0..20u64, 1..20u64, 0..30u64)
        .prop_map(|(user, weight, input, output, predicted)| Job { user, weight, input, output, predicted });
    prop_oneof![
        8 => (0..REPLICAS, job).prop_map(|(replica, job)| Op::Push(replica, job)),
        4 => (1..15u64).prop_map(Op::Steps),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    (0..15u64, 0..5u8, prop::option::of(1..30u64)).prop_map(|(delay, lost, again)| Fate {
        delay,
        is_lost: lost == 0,
        again,
    })
}

/// Exchanges in which everything is heard, until nothing is left to say.
fn converge(fleet: &mut Fleet) {
    for _ in 0..4 {
        fleet.step += 100;
        (0..fleet.replicas.len()).for_each(|replica| fleet.exchange(replica, || Fate::after(0)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counters_are_the_same_everywhere_when_news_have_flowed(
        ops in prop::collection::vec(op(), 1..60),
        fates in prop::collection::vec(fate(), 1..40),
        discipline in prop::sample::select(&["vtc-fair", "vtc-pred", "drr", "lcf"]),
    ) {
        let mut fleet = Fleet::new(discipline, REPLICAS, USERS, &[2, 3], 10);
        converge(&mut fleet);
        let mut fates = fates.iter().cycle();
        for op in ops {
            match op {
                Op::Push(replica, job) => fleet.push(replica, job),
                Op::Steps(steps) => (0..steps).for_each(|_| fleet.step(|| *fates.next().unwrap())),
            }
        }
        converge(&mut fleet);
        for user in 0..USERS {
            let present = (0..REPLICAS).any(|replica| fleet.is_present(replica, user));
            let counters: Vec<_> = (0..REPLICAS).filter_map(|replica| fleet.counter(replica, user)).collect();
            let is_one = counters.windows(2).all(|pair| pair[0] == pair[1]);
            prop_assert!(is_one || !present, "user {user}: {counters:?}");
            // Without a lift, it is all that was ever charged.
            if discipline == "lcf" && let Some(counter) = counters.first() {
                prop_assert_eq!(*counter, u128::from(fleet.served[user]));
            }
        }
    }
}

/// How much more the first user was served than the second, whose weight is a quarter.
fn ratio(interval: u64, replicas: usize, homes: &[&[usize]]) -> f64 {
    let mut fleet = Fleet::new("vtc-fair", replicas, 2, &[10, 10], interval);
    converge(&mut fleet);
    let mut crowd = Crowd::new(&[4000, 1000], homes, 200);
    crowd.run(&mut fleet, 500, || Fate::after(3));
    let before = fleet.served.clone();
    (fleet.idle, fleet.offered) = (0, 0);
    crowd.run(&mut fleet, 6000, || Fate::after(3));
    let served = |user: usize| (fleet.served[user] - before[user]) as f64;
    let idle = fleet.idle as f64 / fleet.offered as f64;
    assert!(idle < 0.04, "{idle} of all places were idle");
    4.0 * served(0) / served(1)
}

#[test]
fn weights_hold_whatever_replica_requests_enter_by_and_without_sharing_they_do_not() {
    let skewed: &[&[usize]] = &[&[0], &[1]];
    let everywhere: &[usize] = &[0, 1, 2];
    for (replicas, homes) in [(2, skewed), (3, &[everywhere, everywhere]), (3, &[&[0, 2], &[1]])] {
        let ratio = ratio(10, replicas, homes);
        assert!((3.6..4.4).contains(&ratio), "{homes:?}: {ratio}");
    }
    let alone = ratio(0, 2, skewed);
    assert!((0.9..1.1).contains(&alone), "{alone}");
}

/// Users who wait throughout, and how news travel.
#[derive(Clone, Debug)]
struct Case {
    weights: Vec<u32>,
    homes: Vec<Vec<usize>>,
    places: Vec<u64>,
    interval: u64,
    output: u64,
    delays: Vec<u64>,
}

fn case() -> impl Strategy<Value = Case> {
    let user =
        (prop::sample::select(&[1000u32, 2000, 4000]), prop::sample::subsequence(vec![0usize, 1, 2], 1..=3));
    let users = prop::collection::vec(user, 2..6);
    let places = prop::collection::vec(1..8u64, 1..4);
    let delays = prop::collection::vec(0..100u64, 1..40);
    (users, places, 5..20u64, 10..200u64, delays).prop_map(|(users, places, interval, output, delays)| {
        let (weights, homes) = users.into_iter().unzip();
        Case { weights, homes, places, interval, output, delays }
    })
}

impl Case {
    /// How far the service of two users is apart at most, less what is allowed for one queue, in units of what is served
    /// to all in one interval.
    fn worst_gap(&self, is_polite: bool) -> f64 {
        let users = self.weights.len();
        let mut fleet = Fleet::new("vtc-fair", REPLICAS, users, &self.places, self.interval);
        fleet.is_polite = is_polite;
        converge(&mut fleet);
        let homes: Vec<_> = self.homes.iter().map(Vec::as_slice).collect();
        let mut crowd = Crowd::new(&self.weights, &homes, self.output);
        let mut delays = self.delays.iter().cycle();
        let mut gap = i128::MIN;
        for _ in 0..1500 {
            crowd.come(&mut fleet);
            fleet.step(|| Fate::after(delays.next().unwrap() % self.interval));
            let places = self.places.iter().sum::<u64>() + fleet.excess;
            let most = |user: usize| i128::from(crowd.jobs[user].charge(8, self.output) * places);
            for (f, g) in (0..users).flat_map(|f| (0..users).map(move |g| (f, g))) {
                let ahead = i128::from(fleet.served[f]) - i128::from(fleet.served[g]);
                gap = gap.max(ahead - most(f) - most(g));
            }
        }
        gap as f64 / fleet.rate as f64
    }
}

/// What `vtc_core::queue::bounds` derives.
const INTERVALS: f64 = 12.0;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn users_who_wait_throughout_are_served_alike(case in case()) {
        let gap = case.worst_gap(true);
        prop_assert!(gap <= INTERVALS, "{gap} intervals more than in one queue");
    }
}

#[test]
fn if_nobody_left_room_to_others_users_would_not_be_served_alike() {
    let homes = vec![vec![0], vec![1]];
    let (weights, places, delays) = (vec![4000, 1000], vec![6], vec![3]);
    let case = Case { weights, homes, places, interval: 10, output: 50, delays };
    assert!(case.worst_gap(true) <= INTERVALS);
    assert!(case.worst_gap(false) > INTERVALS);
}

#[test]
fn room_that_a_dead_replica_does_not_take_is_taken() {
    let interval = 10;
    let mut fleet = Fleet::new("vtc-fair", 2, 2, &[10], interval);
    converge(&mut fleet);
    // Each has half of the places when the second stops, whose user then falls behind.
    let mut crowd = Crowd::new(&[1000, 1000], &[&[0], &[1]], 100);
    crowd.run(&mut fleet, 3000, || Fate::after(3));
    fleet.stop(1);
    let (mut waited, mut idle) = (0, Vec::new());
    for _ in 0..1000 {
        crowd.run(&mut fleet, 1, || Fate::after(3));
        waited = if fleet.is_idle(0) { waited + 1 } else { 0 };
        idle.push(waited);
    }
    let longest = idle.iter().max().unwrap();
    assert!((1..=5 * interval).contains(longest), "room was left for {longest} steps");
    // What ends in a step leaves a place until the next.
    let last = idle.iter().rposition(|waited| *waited > 3).unwrap() as u64;
    assert!(last <= 12 * interval, "and not again and again: still {last} steps after");
    // What it ran is held against the pod until it is gone.
    fleet.lose(0, 1);
    crowd.run(&mut fleet, interval, || Fate::after(3));
    fleet.idle = 0;
    crowd.run(&mut fleet, 500, || Fate::after(3));
    assert_eq!(fleet.idle, 0);
}

/// The share of each user of all service in so many steps, from now on.
fn shares(fleet: &mut Fleet, crowd: &mut Crowd, steps: u64) -> Vec<f64> {
    let before = fleet.served.clone();
    crowd.run(fleet, steps, || Fate::after(3));
    let served: Vec<_> = fleet.served.iter().zip(before).map(|(now, before)| (now - before) as f64).collect();
    let all: f64 = served.iter().sum();
    served.into_iter().map(|served| served / all).collect()
}

#[test]
fn replicas_that_were_apart_for_long_have_one_scale_when_they_meet_and_nobody_waits_for_it() {
    for steps in [100, 20_000] {
        let mut fleet = Fleet::new("vtc-fair", 3, 3, &[10], 10);
        converge(&mut fleet);
        // The third serves one user alone meanwhile, and has counters ten times as high, or the others have.
        fleet.part(0, 2);
        fleet.part(1, 2);
        let mut crowd = Crowd::new(&[1000, 1000, 1000], &[&[0], &[1], &[2]], 100);
        crowd.run(&mut fleet, steps, || Fate::after(3));
        fleet.cuts.clear();
        crowd.run(&mut fleet, 300, || Fate::after(3));
        let shares = shares(&mut fleet, &mut crowd, 3000);
        assert!(shares.iter().all(|share| (0.29..0.38).contains(share)), "{shares:?}");
    }
}

#[test]
fn what_a_lost_replica_has_charged_stays_charged_also_for_who_comes_later() {
    let mut fleet = Fleet::new("vtc-fair", 4, 2, &[10], 10);
    converge(&mut fleet);
    (0..3).for_each(|replica| fleet.part(replica, 3));
    let mut crowd = Crowd::new(&[1000, 1000], &[&[0, 1, 2], &[0, 1, 2]], 100);
    crowd.run(&mut fleet, 1000, || Fate::after(3));
    fleet.stop(2);
    crowd.run(&mut fleet, 100, || Fate::after(3));
    let counters = |fleet: &Fleet| [0, 1].map(|replica| fleet.counter(replica, 0).unwrap());
    converge(&mut fleet);
    let before = counters(&fleet);
    assert_eq!(before[0], before[1]);
    (0..2).for_each(|replica| fleet.lose(replica, 2));
    assert_eq!(counters(&fleet), before);
    // The fourth has never heard of the one that is lost.
    fleet.cuts.clear();
    converge(&mut fleet);
    let after = [0, 1, 3].map(|replica| fleet.counter(replica, 0).unwrap());
    assert!(
        after.iter().all(|counter| *counter == after[0] && *counter >= before[0]),
        "{before:?} {after:?}"
    );
}

#[test]
fn what_was_charged_while_nobody_had_heard_of_a_lift_is_not_lost() {
    let mut fleet = Fleet::new("vtc-fair", 2, 2, &[10], 10);
    converge(&mut fleet);
    let job = |user| Job { user, weight: 1000, input: 100, output: 1000, predicted: 1000 };
    // The first user runs at one replica and waits nowhere; the other is at 500 and waits.
    fleet.push(0, job(0));
    fleet.dispatch(0);
    fleet.push(1, Job { input: 500, ..job(1) });
    fleet.dispatch(1);
    fleet.push(1, job(1));
    converge(&mut fleet);
    let level = fleet.counter(1, 1).unwrap();
    assert!(fleet.counter(0, 0).unwrap() < level);
    // It is lifted at the other replica, and served at the first meanwhile.
    fleet.push(1, job(0));
    (0..20).for_each(|_| fleet.write());
    let served = 40_000_000;
    converge(&mut fleet);
    let counters = [0, 1].map(|replica| fleet.counter(replica, 0).unwrap());
    assert_eq!(counters, [level + served; 2]);
}

#[test]
fn no_pod_runs_more_than_its_places_times_the_replicas_and_in_the_long_run_hardly_more_than_its_places() {
    let everywhere: &[usize] = &[0, 1, 2];
    let mut fleet = Fleet::new("vtc-fair", 3, 2, &[10], 10);
    converge(&mut fleet);
    let mut crowd = Crowd::new(&[1000, 1000], &[everywhere, everywhere], 200);
    crowd.run(&mut fleet, 500, || Fate::after(3));
    assert!(fleet.excess <= 20, "{}", fleet.excess);
    fleet.excess = 0;
    crowd.run(&mut fleet, 5000, || Fate::after(3));
    assert!(fleet.excess <= 2, "{}", fleet.excess);
}
