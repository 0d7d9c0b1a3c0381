//! Pods that serve several pools.

use std::sync::Arc;

use vtc_actor::dispatcher::PodReport;
use vtc_actor::{Acquire, Capacity, DispatcherConfig, Permit, PoolPod};
use vtc_core::queue::QueueLimits;

use super::{
    Asking, POOL, Ticking, World, answer, exact, limited, look, of, pass, refusal, seconds, settle_down, used,
};

const OTHER: &str = "other";

/// Room for 100 tokens.
fn of_100_tokens() -> Capacity {
    Capacity { max_tokens: Some(100), ..Capacity::default() }
}

fn of_other(user: &str) -> Acquire {
    Acquire::new(OTHER, user, 10, 10)
}

/// 90 tokens of input and an answer of 10: all there is room for.
fn large() -> Acquire {
    let mut large = of("large");
    large.input_tokens = 90;
    large
}

impl World {
    /// One pod that serves both pools.
    async fn shared(config: DispatcherConfig, capacity: Capacity) -> Self {
        let world = Self::new(config, 1, capacity).await;
        world.set_other(&[0], capacity).await;
        world
    }

    async fn set_other(&self, which: &[usize], capacity: Capacity) {
        let pods = which.iter().map(|i| PoolPod::new(Arc::clone(&self.pods[*i]), capacity));
        self.handle.set_pool(OTHER, pods).await.unwrap();
    }
}

#[actix::test]
async fn whoever_went_last_stands_last_whatever_happens_in_between() {
    let world = World::shared(exact("vtc-fair"), Capacity::of_requests(1)).await;
    let mut running = world.get(of("alice")).await;
    let mut asking = [world.ask(of("alice")).await, world.ask(of_other("alice")).await];
    let mut went = [0, 0];
    for _ in 0..20 {
        running.settle(used());
        settle_down().await;
        let (pool, outcome) =
            (0..).zip(&mut asking).find_map(|(i, asking)| Some((i, look(asking)?))).unwrap();
        running = outcome.unwrap().unwrap();
        went[pool] += 1;
        asking[pool] = world.ask([of("alice"), of_other("alice")][pool].clone()).await;
        // An event that lets nobody go takes nobody's turn.
        world.handle.report_pod("pod-0", PodReport::default()).await.unwrap();
    }
    assert_eq!(went, [10, 10]);
}

/// The other pool's requests are small, and one of them always waits.
#[actix::test]
async fn a_large_request_is_not_passed_over_by_those_of_another_pool() {
    let world = World::shared(exact("vtc-fair"), of_100_tokens()).await;
    let mut running = Vec::new();
    for _ in 0..5 {
        running.push(world.get(of_other("small")).await);
    }
    let mut large = world.ask(large()).await;
    let mut small = world.ask(of_other("small")).await;
    for round in 1.. {
        running.remove(0).settle(used());
        settle_down().await;
        if let Some(permit) = look(&mut large) {
            permit.unwrap().unwrap().settle(used());
            break;
        }
        assert!(round < 5, "passed over {round} times");
        if let Some(permit) = look(&mut small) {
            running.push(permit.unwrap().unwrap());
            small = world.ask(of_other("small")).await;
        }
    }
    settle_down().await;
    answer(&mut small).settle(used());
    world.assert_all_is_back().await;
}

/// A large request waits, its turn is before that of the small one, and there is room for that.
async fn held_back(large: Acquire) -> (World, Permit<Ticking>, Asking, Asking) {
    let world = World::shared(exact("vtc-fair"), of_100_tokens()).await;
    let running = world.get(of_other("small")).await;
    let large = world.ask(large).await;
    let mut small = world.ask(of_other("small")).await;
    assert!(look(&mut small).is_none(), "it is not its turn");
    (world, running, large, small)
}

#[actix::test]
async fn when_it_leaves_the_others_may_go() {
    let (_world, _running, large, mut small) = held_back(large()).await;
    drop(large);
    settle_down().await;
    answer(&mut small).settle(used());
}

#[actix::test]
async fn when_it_expires_the_others_may_go() {
    let (_world, _running, mut large, mut small) = held_back(large().within(seconds(5))).await;
    pass(seconds(6)).await;
    refusal(&mut large);
    answer(&mut small).settle(used());
}

#[actix::test]
async fn when_its_pods_are_taken_from_it_the_others_may_go() {
    let (world, _running, mut large, mut small) = held_back(large()).await;
    world.set_pods(&[], of_100_tokens()).await;
    settle_down().await;
    answer(&mut small).settle(used());
    assert!(look(&mut large).is_none());
}

#[actix::test]
async fn when_it_goes_to_a_pod_that_the_others_have_not_they_may_go() {
    let world = World::new(exact("vtc-fair"), 2, of_100_tokens()).await;
    world.set_other(&[0], of_100_tokens()).await;
    let _small = world.get(of_other("small")).await;
    let own = world.get(large()).await;
    assert_eq!(own.pod().name(), "pod-1");
    let mut second = world.ask(large()).await;
    let _turn = world.ask(of_other("small")).await;
    let mut small = world.ask(of_other("small")).await;
    assert!(look(&mut small).is_none());
    own.settle(used());
    settle_down().await;
    assert_eq!(answer(&mut second).pod().name(), "pod-1");
    answer(&mut small).settle(used());
}

#[actix::test]
async fn whoever_may_not_go_holds_nobody_back() {
    let limits = QueueLimits { running_per_user: 1, ..QueueLimits::default() };
    let world = World::shared(limited(limits), of_100_tokens()).await;
    let running = world.get(of("alice")).await;
    let mut waiting = world.ask(of("alice")).await;
    world.get(of_other("small")).await.settle(used());
    assert!(look(&mut waiting).is_none());
    running.settle(used());
    settle_down().await;
    answer(&mut waiting).settle(used());
    world.assert_all_is_back().await;
}

/// Its pod serves the pool no more, and that it ends is news all the same.
#[actix::test]
async fn whoever_had_as_much_running_as_it_may_goes_when_that_ends_wherever_it_ran() {
    let limits = QueueLimits { running_per_user: 1, ..QueueLimits::default() };
    let world = World::new(limited(limits), 2, Capacity::of_requests(1)).await;
    world.set_pods(&[0], Capacity::of_requests(1)).await;
    let running = world.get(of("alice")).await;
    let mut waiting = world.ask(of("alice")).await;
    world.set_pods(&[1], Capacity::of_requests(1)).await;
    assert!(look(&mut waiting).is_none());
    running.settle(used());
    settle_down().await;
    assert_eq!(answer(&mut waiting).pod().name(), "pod-1");
}

#[actix::test]
async fn pools_that_share_nothing_do_not_wait_for_each_other() {
    let world = World::new(exact("vtc-fair"), 2, of_100_tokens()).await;
    world.set_pods(&[0], of_100_tokens()).await;
    world.set_other(&[1], of_100_tokens()).await;
    let _running = world.get(of("small")).await;
    let mut large = world.ask(large()).await;
    assert!(look(&mut large).is_none());
    for _ in 0..5 {
        let permit = world.get(of_other("small")).await;
        assert_eq!(permit.pod().name(), "pod-1");
    }
    assert_eq!(world.snapshot().await.pools[0].name.as_ref(), POOL);
}
