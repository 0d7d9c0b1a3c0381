//! Laws of pools that share pods, over random scripts.
//!
//! 1. While somebody waits in a pool, every other pool goes at most once to the pods that both list.
//! 2. If places are all that is limited, no place is idle while somebody waits who could have it.
//! 3. Whoever may go has gone: if all pods are set anew, as they were, nobody goes.
//! 4. No pod runs more than it has room for, and in the end everything is back.

use std::sync::Arc;

use proptest::prelude::*;
use vtc_actor::dispatcher::{DispatcherSnapshot, PodReport};
use vtc_actor::{Acquire, Capacity, Permit, PoolPod};

use super::{Asking, Ticking, World, exact, look, pass, seconds, settle_down, used};

const PODS: usize = 3;
const POOLS: usize = 3;
/// Above every set of pods.
const ALL: u8 = 1 << PODS;

/// One bit per pod that a pool lists.
type Lists = [u8; POOLS];

#[derive(Clone, Copy, Debug)]
enum Op {
    Ask { pool: usize, input: u64, patient: bool },
    Leave(usize),
    Settle(usize),
    Void(usize),
    Fail(usize),
    List { pool: usize, pods: u8 },
    Report(usize),
    Pass(u64),
}

struct Script {
    world: World,
    capacity: Capacity,
    lists: Lists,
    waiting: Vec<Waiter>,
    running: Vec<Permit<Ticking>>,
    /// How often the second pool has passed the first, while that had somebody who waited.
    passed: [[usize; POOLS]; POOLS],
}

struct Waiter {
    pool: usize,
    asking: Asking,
    /// It waited before the operation: as long as there is one such, somebody did all the time.
    before: bool,
}

fn op() -> impl Strategy<Value = Op> {
    let nth = any::<usize>;
    prop_oneof![
        8 => (0..POOLS, 1..100u64, any::<bool>()).prop_map(|(pool, input, patient)| Op::Ask { pool, input, patient }),
        2 => nth().prop_map(Op::Leave),
        6 => nth().prop_map(Op::Settle),
        1 => nth().prop_map(Op::Void),
        1 => nth().prop_map(Op::Fail),
        1 => (0..POOLS, 1..ALL).prop_map(|(pool, pods)| Op::List { pool, pods }),
        1 => (0..PODS).prop_map(Op::Report),
        1 => (0..8u64).prop_map(Op::Pass),
    ]
}

fn name(pool: usize) -> String {
    format!("pool-{pool}")
}

fn lists(pods: u8, pod: usize) -> bool {
    pods & 1 << pod != 0
}

fn any_of<T>(list: &mut Vec<T>, nth: usize) -> Option<T> {
    let at = nth.checked_rem(list.len())?;
    Some(list.swap_remove(at))
}

impl Script {
    async fn new(capacity: Capacity, lists: Lists) -> Self {
        let world = World::new(exact("fcfs"), PODS, capacity).await;
        // That pool is none of these.
        world.set_pods(&[], capacity).await;
        let (passed, waiting, running) = ([[0; POOLS]; POOLS], Vec::new(), Vec::new());
        let mut script = Self { world, capacity, lists, waiting, running, passed };
        script.list_all().await;
        script
    }

    async fn list(&mut self, pool: usize, pods: u8) {
        self.lists[pool] = pods;
        let listed = (0..PODS).filter(|pod| lists(pods, *pod));
        let pods = listed.map(|pod| PoolPod::new(Arc::clone(&self.world.pods[pod]), self.capacity));
        self.world.handle.set_pool(name(pool), pods.collect::<Vec<_>>()).await.unwrap();
    }

    async fn list_all(&mut self) {
        for (pool, pods) in self.lists.into_iter().enumerate() {
            self.list(pool, pods).await;
        }
    }

    async fn run(&mut self, op: Op) {
        match op {
            Op::Ask { pool, input, patient } => {
                let request = Acquire::new(name(pool), "alice", input, 0);
                let request = request.within(seconds(if patient { 3600 } else { 5 }));
                let asking = self.world.ask(request).await;
                self.waiting.push(Waiter { pool, asking, before: false });
            }
            Op::Leave(nth) => drop(any_of(&mut self.waiting, nth)),
            Op::Settle(nth) => {
                any_of(&mut self.running, nth).into_iter().for_each(|permit| permit.settle(used()));
            }
            Op::Void(nth) => any_of(&mut self.running, nth).into_iter().for_each(Permit::void),
            Op::Fail(nth) => {
                any_of(&mut self.running, nth).into_iter().for_each(Permit::pod_failed);
                settle_down().await;
                self.look();
                // The app looks at its pods, and all are well.
                self.list_all().await;
            }
            Op::List { pool, pods } => {
                self.list(pool, pods).await;
                self.passed = [[0; POOLS]; POOLS];
            }
            Op::Report(pod) => {
                let silent = PodReport::default();
                self.world.handle.report_pod(format!("pod-{pod}"), silent).await.unwrap();
            }
            Op::Pass(span) => pass(seconds(span)).await,
        }
        settle_down().await;
        self.look();
        self.assert_laws().await;
    }

    /// Takes what permits there are, and counts who has passed whom.
    fn look(&mut self) {
        let mut went = Vec::new();
        let running = &mut self.running;
        self.waiting.retain_mut(|Waiter { pool, asking, .. }| match look(asking) {
            None => true,
            // Else it has expired.
            Some(outcome) => {
                if let Ok(permit) = outcome.unwrap() {
                    let pod = permit.pod().name().strip_prefix("pod-").unwrap().parse::<usize>().unwrap();
                    went.push((*pool, pod));
                    running.push(permit);
                }
                false
            }
        });
        for first in 0..POOLS {
            let waits = self.waiting.iter().any(|waiter| waiter.pool == first && waiter.before);
            if waits && went.iter().all(|(pool, _)| *pool != first) {
                for (second, pod) in &went {
                    self.passed[first][*second] += usize::from(lists(self.lists[first], *pod));
                }
            } else {
                self.passed[first] = [0; POOLS];
            }
        }
        self.waiting.iter_mut().for_each(|waiter| waiter.before = true);
    }

    async fn assert_laws(&mut self) {
        assert!(self.passed.iter().flatten().all(|times| *times <= 1), "{:?}", self.passed);
        let DispatcherSnapshot { pools, pods } = self.world.snapshot().await;
        for pod in &pods {
            let Capacity { max_running, max_tokens, .. } = self.capacity;
            assert!(max_running.is_none_or(|most| pod.running <= most), "{pod:?}");
            assert!(max_tokens.is_none_or(|most| pod.tokens <= most || pod.running == 1), "{pod:?}");
            let has_place = max_tokens.is_none() && max_running.is_some_and(|most| pod.running < most);
            let number: usize = pod.name.strip_prefix("pod-").unwrap().parse().unwrap();
            for pool in (0..POOLS).filter(|pool| has_place && lists(self.lists[*pool], number)) {
                let pool = pools.iter().find(|found| *found.name == *name(pool)).unwrap();
                assert_eq!(pool.waiting, 0, "{} waits, {} has a place", pool.name, pod.name);
            }
        }
        for pool in &pools {
            super::assert_balance(pool);
        }
        self.list_all().await;
        settle_down().await;
        assert!(
            self.waiting.iter_mut().all(|waiter| look(&mut waiter.asking).is_none()),
            "somebody was forgotten"
        );
    }
}

async fn run(capacity: Capacity, lists: Lists, ops: Vec<Op>) {
    let mut script = Script::new(capacity, lists).await;
    for op in ops {
        script.run(op).await;
    }
    // Whoever waits goes when the others have ended: nobody is forgotten.
    while !script.running.is_empty() {
        script.run(Op::Settle(0)).await;
    }
    assert!(script.waiting.is_empty(), "{} wait for ever", script.waiting.len());
    script.world.assert_all_is_back().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pools_that_share_pods_take_turns(
        max_running in prop::option::of(1..3usize),
        max_tokens in prop::option::of(Just(100u64)),
        lists in prop::array::uniform3(1..ALL),
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let capacity = Capacity { max_running, max_tokens, ..Capacity::default() };
        actix::System::new().block_on(run(capacity, lists, ops));
    }
}
