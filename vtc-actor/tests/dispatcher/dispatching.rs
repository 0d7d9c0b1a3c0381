//! Who goes, when, and what it is told.

use vtc_actor::{Capacity, DispatcherConfig};
use vtc_core::TokenTracker;
use vtc_core::queue::{Counter, QueueLimits, Weight};

use super::{Asking, POOL, World, answer, exact, limited, look, of, pass, seconds, settle_down, used};

#[actix::test]
async fn on_an_idle_fleet_a_request_goes_in_the_message_that_brought_it() {
    let world = World::single(exact("vtc-fair")).await;
    let mut asking = world.send(of("alice"));
    // This message is right behind the request: nothing comes between the two.
    let snapshot = world.handle.queues(10).await.unwrap();
    assert_eq!((snapshot.pools[0].waiting, snapshot.pools[0].running), (0, 1));
    let permit = answer(&mut asking);
    assert_eq!(permit.grant().waited, seconds(0));
    assert_eq!(world.pods[0].in_flight(), 1);
    permit.settle(used());
    world.assert_all_is_back().await;
}

#[actix::test]
async fn without_limits_nobody_ever_waits() {
    let world = World::new(exact("vtc-fair"), 3, Capacity::default()).await;
    let mut permits = Vec::new();
    for i in 0..100 {
        permits.push(world.get(of(&format!("user-{i}"))).await);
    }
    assert_eq!(world.pool().await.running, 100);
    drop(permits);
    world.assert_all_is_back().await;
}

#[actix::test]
async fn a_head_that_does_not_fit_holds_back_those_who_would() {
    let world =
        World::new(exact("vtc-fair"), 1, Capacity { max_tokens: Some(100), ..Capacity::default() }).await;
    let mut large = of("large");
    large.input_tokens = 90;
    let running = world.get(of("small")).await;
    let mut large = world.ask(large).await;
    let mut behind = world.ask(of("small")).await;
    assert!(look(&mut large).is_none() && look(&mut behind).is_none(), "there is room for the second one");
    assert_eq!(world.pool().await.waiting, 2);
    running.settle(used());
    settle_down().await;
    let large = answer(&mut large);
    assert!(look(&mut behind).is_none());
    large.settle(used());
    settle_down().await;
    answer(&mut behind).settle(used());
    world.assert_all_is_back().await;
}

/// A whale asks for 32 at a time, a minnow for one after the other, and a pod has one place. How many others go while a
/// request of the minnow waits, at most?
async fn longest_wait_of_a_minnow(discipline: &'static str) -> usize {
    let world = World::single(exact(discipline)).await;
    let mut whale: Vec<Asking> = Vec::new();
    for _ in 0..32 {
        whale.push(world.ask(of("whale")).await);
    }
    let mut minnow = world.ask(of("minnow")).await;
    let (mut longest, mut others) = (0, 0);
    for _ in 0..200 {
        settle_down().await;
        if let Some(outcome) = look(&mut minnow) {
            let permit = outcome.unwrap().unwrap();
            longest = longest.max(others);
            others = 0;
            permit.progress(10, 10);
            permit.settle(used());
            minnow = world.ask(of("minnow")).await;
            continue;
        }
        let (at, outcome) =
            whale.iter_mut().enumerate().find_map(|(at, asking)| Some((at, look(asking)?))).unwrap();
        others += 1;
        outcome.unwrap().unwrap().settle(used());
        whale[at] = world.ask(of("whale")).await;
    }
    longest.max(others)
}

#[actix::test]
async fn whoever_asks_for_little_waits_for_little() {
    assert!(longest_wait_of_a_minnow("vtc-fair").await <= 2);
    assert!(longest_wait_of_a_minnow("vtc-pred").await <= 2);
    assert!(longest_wait_of_a_minnow("fcfs").await >= 30, "which is what the queue is for");
}

/// Two users who always want more, of these weights. How much is each served?
async fn shares(weights: [f64; 2], pods: usize) -> [u64; 2] {
    let world = World::new(exact("vtc-fair"), pods, Capacity::of_requests(2)).await;
    let request = |user: usize| of(["alice", "bob"][user]).weighing(Weight::new(weights[user]).unwrap());
    let mut asking = Vec::new();
    for user in [0, 1].repeat(20) {
        asking.push((user, world.ask(request(user)).await));
    }
    let mut served = [0; 2];
    for _ in 0..400 {
        settle_down().await;
        let found =
            asking.iter_mut().enumerate().find_map(|(at, (user, asking))| Some((at, *user, look(asking)?)));
        let (at, user, outcome) = found.unwrap();
        served[user] += 1;
        outcome.unwrap().unwrap().settle(used());
        asking[at] = (user, world.ask(request(user)).await);
    }
    served
}

#[actix::test]
async fn two_users_share_by_weight() {
    let [alice, bob] = shares([1.0, 1.0], 1).await;
    assert!(alice.abs_diff(bob) <= 4, "{alice} and {bob}");
    let [alice, bob] = shares([3.0, 1.0], 2).await;
    assert!(alice.abs_diff(3 * bob) <= 24, "{alice} and {bob}");
}

#[actix::test]
async fn tokens_that_flow_count_before_they_are_settled() {
    let world = World::new(exact("vtc-fair"), 1, Capacity::of_requests(2)).await;
    let (alice, bob) = (world.get(of("alice")).await, world.get(of("bob")).await);
    let mut waiting = Vec::new();
    for user in ["alice", "bob"] {
        waiting.push(world.ask(of(user)).await);
    }
    // Without it alice would go first: her request came first.
    alice.progress(10, 500);
    bob.settle(used());
    settle_down().await;
    assert!(look(&mut waiting[0]).is_none());
    let permit = answer(&mut waiting[1]);
    assert_eq!(
        permit.grant().counter,
        Counter::from_units(40_000_000),
        "bob: lifted to alice's 10; 10 read, 10 written"
    );
    let standing = &world.pool().await.users[0];
    assert_eq!(
        (&*standing.user, standing.counter.as_f64()),
        ("alice", 1020.0),
        "lifted to bob's 20; 500 written"
    );
    alice.settle(used());
    settle_down().await;
    let permit = answer(&mut waiting[0]);
    assert_eq!(
        permit.grant().counter,
        Counter::from_units(40_000_000),
        "the usage is what counts in the end"
    );
}

#[actix::test]
async fn what_is_charged_in_the_window_is_what_the_ending_says() {
    let world = World::new(exact("vtc-fair"), 1, Capacity::default()).await;
    let tracker = world.handle.router().tracker();
    let count = |user| tracker.token_count(user);
    let permit = world.get(of("settled")).await;
    assert_eq!(count("settled"), 30.0, "the estimate");
    permit.settle(vtc_core::Usage::new(5, 7));
    assert_eq!(count("settled"), 19.0);
    let permit = world.get(of("closed")).await;
    permit.progress(10, 3);
    permit.close();
    assert_eq!(count("closed"), 16.0);
    drop(world.get(of("abandoned")).await);
    assert_eq!(count("abandoned"), 30.0);
    world.get(of("voided")).await.void();
    assert_eq!(count("voided"), 0.0);
    let outcomes = world.pool().await.outcomes;
    assert_eq!((outcomes.settled, outcomes.closed, outcomes.abandoned, outcomes.voided), (1, 1, 1, 1));
    let counter = |user: &str, snapshot: &vtc_actor::dispatcher::PoolSnapshot| {
        snapshot
            .users
            .iter()
            .find(|standing| &*standing.user == user)
            .map(|standing| standing.counter.as_f64())
    };
    let pool = world.pool().await;
    assert_eq!(counter("settled", &pool).unwrap_or(19.0), 19.0, "or it is forgotten by now");
    world.assert_all_is_back().await;
}

#[actix::test]
async fn a_grant_tells_why() {
    let world = World::single(exact("vtc-pred")).await;
    let running = world.get(of("alice")).await;
    let mut ahead: Vec<_> = Vec::new();
    for user in ["bob", "carol"] {
        ahead.push(world.ask(of(user)).await);
    }
    let mut request = of("alice").by("least-request");
    request.explain = true;
    request.max_output = Some(4);
    let mut asking = world.ask(request).await;
    pass(seconds(3)).await;
    running.settle(used());
    for asking in &mut ahead {
        settle_down().await;
        answer(asking).settle(used());
    }
    settle_down().await;
    let permit = answer(&mut asking);
    let grant = permit.grant();
    assert_eq!((&*grant.pool, grant.discipline, grant.policy), (POOL, "vtc-pred", "least-request"));
    assert_eq!((grant.waited, grant.ahead), (seconds(3), Some(2)));
    assert_eq!(grant.prepaid, 4, "the average is 10, and 4 is allowed");
    assert_eq!(permit.pod().name(), "pod-0");
    assert_eq!(permit.ticket().user(), Some("alice"));
}

#[actix::test]
async fn of_one_user_no_more_runs_than_may() {
    let world = World::new(
        limited(QueueLimits { running_per_user: 2, ..QueueLimits::default() }),
        1,
        Capacity::default(),
    )
    .await;
    let first = world.get(of("whale")).await;
    let _second = world.get(of("whale")).await;
    let mut third = world.ask(of("whale")).await;
    assert!(look(&mut third).is_none());
    let _other = world.get(of("minnow")).await;
    first.settle(used());
    settle_down().await;
    let _third = answer(&mut third);
}

#[actix::test]
async fn the_snapshot_tells_who_stands_how() {
    let world = World::single(exact("vtc-fair")).await;
    let running = world.get(of("alice")).await;
    running.progress(10, 45);
    let _waiting = [
        world.ask(of("alice")).await,
        world.ask(of("bob")).await,
        world.ask(of("bob").weighing(Weight::new(2.0).unwrap())).await,
    ];
    let pool = world.pool().await;
    let shown: Vec<_> = pool
        .users
        .iter()
        .map(|user| (&*user.user, user.waiting, user.running, user.weight.as_f64(), user.counter.as_f64()))
        .collect();
    // Alice came in first, with 100 charged; bob at her level.
    assert_eq!(shown, [("bob", 2, 0, 2.0, 100.0), ("alice", 1, 1, 1.0, 100.0)]);
    assert_eq!((pool.gap, pool.present_users), (0.0, 2));
    assert_eq!(pool.jain, 0.5, "all that was served in the window was alice's");
    let top = world.handle.queues(1).await.unwrap();
    assert_eq!(top.pools[0].users.len(), 1);
    assert_eq!(&*top.pools[0].users[0].user, "bob");
}

#[actix::test]
async fn whoever_comes_in_is_lifted_from_where_it_stands_now() {
    let world = World::new(exact("vtc-fair"), 1, Capacity::of_requests(2)).await;
    let (alice, bob) = (world.get(of("alice")).await, world.get(of("bob")).await);
    bob.progress(10, 245);
    let _bob_waits = world.ask(of("bob")).await;
    // Nobody has looked at it yet. Lifted from 10 to the level of bob, 510, and charged after that, she would stand at 1000.
    alice.progress(10, 245);
    let _alice_waits = world.ask(of("alice")).await;
    let pool = world.pool().await;
    let counters: Vec<_> = pool.users.iter().map(|user| (&*user.user, user.counter.as_f64())).collect();
    assert_eq!(counters, [("alice", 510.0), ("bob", 510.0)]);
}

#[actix::test]
async fn what_has_flowed_at_the_end_is_charged_though_nobody_looked() {
    let world = World::new(exact("vtc-fair"), 1, Capacity::default()).await;
    // The second one keeps her account.
    let (permit, _second) = (world.get(of("alice")).await, world.get(of("alice")).await);
    permit.progress(10, 45);
    permit.close();
    assert_eq!(world.pool().await.users[0].counter.as_f64(), 10.0 + 90.0 + 10.0);
}

#[actix::test]
async fn meters_are_looked_at_no_more_often_than_they_may_be_old() {
    let config = DispatcherConfig { meter_age: seconds(1), ..exact("vtc-fair") };
    let world = World::new(config, 1, Capacity::default()).await;
    let permit = world.get(of("alice")).await;
    permit.progress(10, 45);
    let counter = async || world.pool().await.users[0].counter.as_f64();
    assert_eq!(counter().await, 10.0);
    pass(seconds(1)).await;
    assert_eq!(counter().await, 100.0);
    permit.progress(10, 50);
    assert_eq!(counter().await, 100.0);
}
