//! Pools that nobody will ask for any more.

use vtc_actor::{Capacity, Refusal};

use super::{
    POOL, World, answer, assert_balance, exact, look, of, pass, refusal, seconds, settle_down, used,
};

impl World {
    async fn forget(&self) {
        self.handle.forget_pool(POOL).await.unwrap();
    }

    async fn pools(&self) -> usize {
        self.snapshot().await.pools.len()
    }
}

#[actix::test]
async fn an_idle_pool_is_forgotten_at_once_and_may_come_again() {
    let world = World::single(exact("vtc-fair")).await;
    world.get(of("alice")).await.settle(used());
    settle_down().await;
    world.forget().await;
    let snapshot = world.snapshot().await;
    assert!(snapshot.pools.is_empty() && snapshot.pods.is_empty());
    assert!(matches!(refusal(&mut world.ask(of("alice")).await), Refusal::NoPods { .. }));
    world.forget().await;
    world.set_pods(&[0], Capacity::of_requests(1)).await;
    world.get(of("alice")).await.settle(used());
    assert_eq!(world.pool().await.outcomes.taken, 1, "it is a new one");
    world.assert_all_is_back().await;
}

#[actix::test]
async fn a_pool_is_forgotten_when_what_runs_and_waits_there_has_ended() {
    let world = World::single(exact("vtc-fair")).await;
    let running = world.get(of("alice")).await;
    let mut waiting = world.ask(of("bob").within(seconds(5))).await;
    let leaving = world.ask(of("carol")).await;
    world.forget().await;
    assert!(matches!(refusal(&mut world.ask(of("dave")).await), Refusal::NoPods { .. }));
    drop(leaving);
    assert_eq!(world.pools().await, 1);
    running.settle(used());
    assert_eq!(world.pools().await, 1);
    assert_balance(&world.pool().await);
    assert!(look(&mut waiting).is_none());
    pass(seconds(6)).await;
    assert!(matches!(refusal(&mut waiting), Refusal::Expired { .. }));
    assert_eq!(world.pools().await, 0);
    assert_eq!(world.pods[0].in_flight(), 0);
}

#[actix::test]
async fn the_last_to_end_and_the_last_to_leave_have_it_forgotten() {
    let world = World::single(exact("vtc-fair")).await;
    let running = world.get(of("alice")).await;
    world.forget().await;
    assert_eq!(world.pools().await, 1);
    running.settle(used());
    assert_eq!(world.pools().await, 0);

    world.set_pods(&[], Capacity::of_requests(1)).await;
    world.set_pods(&[0], Capacity::of_requests(1)).await;
    let running = world.get(of("alice")).await;
    let waiting = world.ask(of("bob")).await;
    world.forget().await;
    running.settle(used());
    assert_eq!(world.pools().await, 1);
    drop(waiting);
    assert_eq!(world.pools().await, 0);
}

#[actix::test]
async fn a_pool_that_is_set_again_before_it_is_forgotten_is_kept() {
    let world = World::single(exact("vtc-fair")).await;
    let running = world.get(of("alice")).await;
    let mut waiting = world.ask(of("bob")).await;
    world.forget().await;
    world.set_pods(&[0], Capacity::of_requests(1)).await;
    running.settle(used());
    settle_down().await;
    answer(&mut waiting).settle(used());
    assert_eq!(world.pool().await.outcomes.settled, 2);
    assert_eq!(world.pools().await, 1);
}
