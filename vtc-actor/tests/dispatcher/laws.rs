//! Laws, over random scripts.
//!
//! 1. Each request is refused, cancelled, expired or dispatched, and each dispatched one ends, exactly once.
//! 2. No pod ever runs more than it has room for, and no room is idle while somebody waits.
//! 3. In the end everything is back: the queue is empty, no place is taken, nobody is present.

use proptest::prelude::*;
use vtc_actor::{Capacity, DispatcherConfig, Permit};
use vtc_core::queue::QueueLimits;

use super::{Asking, Ticking, World, assert_balance, exact, look, of, pass, seconds, settle_down, used};

const USERS: [&str; 4] = ["alice", "bob", "carol", ""];

#[derive(Clone, Copy, Debug)]
enum Op {
    Ask { user: usize, patient: bool },
    Leave(usize),
    Settle(usize),
    Close(usize),
    Void(usize),
    Abandon(usize),
    Progress { nth: usize, tokens: u64 },
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let nth = any::<usize>;
    prop_oneof![
        8 => (0..USERS.len(), any::<bool>()).prop_map(|(user, patient)| Op::Ask { user, patient }),
        2 => nth().prop_map(Op::Leave),
        4 => nth().prop_map(Op::Settle),
        1 => nth().prop_map(Op::Close),
        1 => nth().prop_map(Op::Void),
        1 => nth().prop_map(Op::Abandon),
        2 => (nth(), 0..100u64).prop_map(|(nth, tokens)| Op::Progress { nth, tokens }),
        2 => (0..8u64).prop_map(Op::Pass),
    ]
}

fn any_of<T>(list: &mut Vec<T>, nth: usize) -> Option<T> {
    let at = nth.checked_rem(list.len())?;
    Some(list.swap_remove(at))
}

async fn run(config: DispatcherConfig, pods: usize, room: usize, ops: Vec<Op>) {
    let world = World::new(config, pods, Capacity::of_requests(room)).await;
    let (mut waiting, mut running): (Vec<Asking>, Vec<Permit<Ticking>>) = (Vec::new(), Vec::new());
    for op in ops {
        match op {
            Op::Ask { user, patient } => {
                let mut request = of(USERS[user]);
                request.longest_wait = Some(seconds(if patient { 3600 } else { 5 }));
                waiting.push(world.ask(request).await);
            }
            Op::Leave(nth) => drop(any_of(&mut waiting, nth)),
            Op::Settle(nth) => any_of(&mut running, nth).into_iter().for_each(|permit| permit.settle(used())),
            Op::Close(nth) => any_of(&mut running, nth).into_iter().for_each(Permit::close),
            Op::Void(nth) => any_of(&mut running, nth).into_iter().for_each(Permit::void),
            Op::Abandon(nth) => drop(any_of(&mut running, nth)),
            Op::Progress { nth, tokens } => {
                if let Some(at) = nth.checked_rem(running.len()) {
                    running[at].progress(10, tokens);
                }
            }
            Op::Pass(span) => pass(seconds(span)).await,
        }
        settle_down().await;
        waiting.retain_mut(|asking| match look(asking) {
            None => true,
            // Else it was refused, or has expired.
            Some(outcome) => {
                running.extend(outcome.unwrap());
                false
            }
        });
        let pool = world.pool().await;
        assert_balance(&pool);
        assert_eq!((pool.waiting, pool.running), (waiting.len(), running.len()));
        let places = pods * room;
        assert!(pool.running <= places, "{} run in {places} places", pool.running);
        assert!(pool.waiting == 0 || pool.running == places, "a place is idle while somebody waits");
    }
    drop(running);
    while !waiting.is_empty() {
        settle_down().await;
        waiting.retain_mut(|asking| look(asking).is_none());
        waiting.pop();
    }
    world.assert_all_is_back().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_request_has_one_outcome_and_everything_comes_back(
        discipline in prop::sample::select(&["fcfs", "vtc-fair", "vtc-pred", "vtc-max-fair", "lcf", "drr"][..]),
        pods in 1..4usize,
        room in 1..3usize,
        most_waiting in 1..6usize,
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let limits = QueueLimits { requests: most_waiting, ..QueueLimits::default() };
        let config = DispatcherConfig { limits, ..exact(discipline) };
        actix::System::new().block_on(run(config, pods, room, ops));
    }
}
