//! Laws of one fair queue over several replicas.
//!
//! 1. When news have flowed, a user has the same counter on every replica that knows it, to the unit.
//! 2. Users who wait throughout are served alike, whichever replicas they enter by.
//! 3. Room is not left idle for longer than two exchanges while somebody waits.
//! 4. No pod runs more than it has places for, times the number of replicas.

use proptest::prelude::*;

use crate::fleet::{Fate, Fleet};
use crate::model::Job;

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
    (0..15u64, 0..5u8, prop::option::of(1..30u64))
        .prop_map(|(delay, lost, again)| Fate { delay, is_lost: lost == 0, again })
}

/// Exchanges in which everything is heard, until nothing is left to say.
fn converge(fleet: &mut Fleet) {
    fleet.cuts.clear();
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
            prop_assert!(is_one || !present, "user {user}: {counters:?} {:#?}", (0..REPLICAS).map(|r| fleet.replicas[r].queue.dbg(&crate::fleet::name(user))).collect::<Vec<_>>());
            // Without a lift, it is all that was ever charged.
            if discipline == "lcf" && let Some(counter) = counters.first() {
                prop_assert_eq!(*counter, u128::from(fleet.served[user]));
            }
        }
    }
}
