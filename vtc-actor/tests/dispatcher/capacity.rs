//! How much a pod takes, and pods that come and go.

use std::sync::Arc;

use vtc_actor::dispatcher::PodReport;
use vtc_actor::{Acquire, Capacity, PoolPod};

use super::{POOL, World, answer, exact, look, of, refusal, settle_down, used};

#[actix::test]
async fn a_pod_takes_as_many_requests_as_it_may() {
    let world = World::new(exact("vtc-fair"), 2, Capacity::of_requests(2)).await;
    let mut permits = Vec::new();
    for i in 0..4 {
        permits.push(world.get(of(&format!("user-{i}"))).await);
    }
    assert_eq!([world.pods[0].in_flight(), world.pods[1].in_flight()], [2, 2]);
    let mut fifth = world.ask(of("late")).await;
    assert!(look(&mut fifth).is_none());
    let freed = permits.swap_remove(1);
    let pod = freed.pod().name().to_owned();
    freed.settle(used());
    settle_down().await;
    assert_eq!(answer(&mut fifth).pod().name(), pod, "the one place there is, whatever the policy");
}

#[actix::test]
async fn a_request_holds_its_input_and_the_output_that_is_expected() {
    let capacity = Capacity { max_tokens: Some(100), ..Capacity::default() };
    let world = World::new(exact("vtc-fair"), 1, capacity).await;
    let mut request = of("alice");
    (request.input_tokens, request.output_tokens, request.max_output) = (30, 50, Some(20));
    let permit = world.get(request.clone()).await;
    assert_eq!(world.snapshot().await.pods[0].tokens, 50, "30, and of the 50 no more than is allowed");
    let second = world.get(request.clone()).await;
    let mut third = world.ask(request).await;
    assert!(look(&mut third).is_none());
    second.settle(used());
    // What is delivered past the guess is held too.
    permit.progress(30, 21);
    settle_down().await;
    assert!(look(&mut third).is_none());
    assert_eq!(world.snapshot().await.pods[0].tokens, 51);
    permit.settle(used());
    settle_down().await;
    answer(&mut third).settle(used());
    world.assert_all_is_back().await;
}

#[actix::test]
async fn a_request_that_is_larger_than_every_pod_goes_alone() {
    let capacity = Capacity { max_tokens: Some(100), ..Capacity::default() };
    let world = World::new(exact("vtc-fair"), 1, capacity).await;
    let running = world.get(of("alice")).await;
    let mut request = of("huge");
    request.input_tokens = 1000;
    let mut huge = world.ask(request).await;
    assert!(look(&mut huge).is_none());
    running.settle(used());
    settle_down().await;
    let huge = answer(&mut huge);
    let mut behind = world.ask(of("alice")).await;
    assert!(look(&mut behind).is_none());
    huge.settle(used());
    settle_down().await;
    answer(&mut behind).settle(used());
    world.assert_all_is_back().await;
}

#[actix::test]
async fn a_pod_that_says_it_is_busy_gets_nothing_new() {
    let capacity = Capacity { max_waiting: Some(2), max_kv_usage: Some(0.9), ..Capacity::default() };
    let world = World::new(exact("vtc-fair"), 2, capacity).await;
    let report = |pod, waiting, kv_usage| {
        let report = PodReport { waiting: Some(waiting), kv_usage: Some(kv_usage) };
        let handle = world.handle.clone();
        async move { handle.report_pod(pod, report).await.unwrap() }
    };
    report("pod-0", 3, 0.1).await;
    for _ in 0..20 {
        assert_eq!(world.get(of("alice")).await.pod().name(), "pod-1");
    }
    report("pod-1", 0, 0.95).await;
    let mut asking = world.ask(of("alice")).await;
    assert!(look(&mut asking).is_none());
    report("pod-0", 2, 0.1).await;
    settle_down().await;
    assert_eq!(answer(&mut asking).pod().name(), "pod-0");
    report("nobody", 0, 0.0).await;
    world.assert_all_is_back().await;
}

#[actix::test]
async fn new_pods_take_those_who_wait() {
    let world = World::new(exact("vtc-fair"), 3, Capacity::of_requests(1)).await;
    world.set_pods(&[0], Capacity::of_requests(1)).await;
    let _running = world.get(of("alice")).await;
    let mut waiting = [world.ask(of("bob")).await, world.ask(of("carol")).await];
    assert!(waiting.iter_mut().all(|asking| look(asking).is_none()));
    world.set_pods(&[0, 1, 2], Capacity::of_requests(1)).await;
    settle_down().await;
    let permits: Vec<_> = waiting.iter_mut().map(answer).collect();
    assert!(permits.iter().all(|permit| permit.pod().name() != "pod-0"));
    world.set_pods(&[0, 1, 2], Capacity::of_requests(2)).await;
    let _more = world.get(of("dave")).await;
}

#[actix::test]
async fn a_pod_that_goes_keeps_what_runs_on_it() {
    let world = World::new(exact("vtc-fair"), 2, Capacity::of_requests(1)).await;
    let permits = [world.get(of("alice")).await, world.get(of("bob")).await];
    let mut waiting = world.ask(of("carol")).await;
    world.set_pods(&[1], Capacity::of_requests(1)).await;
    let pods = world.snapshot().await.pods;
    let shown: Vec<_> = pods.iter().map(|pod| (&*pod.name, pod.listed, pod.running)).collect();
    assert_eq!(shown, [("pod-0", false, 1), ("pod-1", true, 1)]);
    let (gone, stays): (Vec<_>, Vec<_>) =
        permits.into_iter().partition(|permit| permit.pod().name() == "pod-0");
    drop(gone);
    settle_down().await;
    assert!(look(&mut waiting).is_none(), "its place is no place any more");
    assert_eq!(world.snapshot().await.pods.len(), 1);
    // One that comes back while something still runs on it has what it had.
    world.set_pods(&[], Capacity::default()).await;
    world.set_pods(&[1], Capacity::of_requests(1)).await;
    assert!(look(&mut waiting).is_none());
    drop(stays);
    settle_down().await;
    answer(&mut waiting).settle(used());
    world.assert_all_is_back().await;
}

#[actix::test]
async fn without_pods_new_requests_are_refused_and_old_ones_wait() {
    let world = World::single(exact("vtc-fair")).await;
    let running = world.get(of("alice")).await;
    let mut waiting = world.ask(of("bob")).await;
    world.set_pods(&[], Capacity::default()).await;
    running.settle(used());
    assert!(refusal(&mut world.ask(of("carol")).await).retry_after().is_some());
    assert!(look(&mut waiting).is_none());
    world.set_pods(&[0], Capacity::of_requests(1)).await;
    settle_down().await;
    answer(&mut waiting).settle(used());
    world.assert_all_is_back().await;
}

#[actix::test]
async fn a_pod_in_two_pools_has_one_capacity() {
    let world = World::single(exact("vtc-fair")).await;
    let both = PoolPod::new(Arc::clone(&world.pods[0]), Capacity::of_requests(2));
    world.handle.set_pool("other", [both.clone()]).await.unwrap();
    let other = |user: &str| Acquire::new("other", user, 10, 10);
    let first = world.get(of("alice")).await;
    let second = world.get(other("alice")).await;
    let mut here = world.ask(of("alice")).await;
    let mut there = world.ask(other("alice")).await;
    assert!(look(&mut here).is_none() && look(&mut there).is_none());
    // Each pool goes in turn: neither takes all the room that comes free.
    let mut went = [0, 0];
    let mut permits = vec![first, second];
    for _ in 0..20 {
        permits.remove(0).settle(used());
        settle_down().await;
        for (pool, asking) in [&mut here, &mut there].into_iter().enumerate() {
            if let Some(outcome) = look(asking) {
                permits.push(outcome.unwrap().unwrap());
                went[pool] += 1;
                let request = [of("alice"), other("alice")][pool].clone();
                *asking = world.ask(request).await;
            }
        }
        assert_eq!(world.pods[0].in_flight(), 2);
    }
    assert!(went[0] >= 9 && went[1] >= 9, "{went:?}");
    // Gone from one pool it is still in the other.
    world.handle.set_pool(POOL, []).await.unwrap();
    let pods = world.snapshot().await.pods;
    assert!(pods.len() == 1 && pods[0].listed);
}

#[actix::test]
async fn room_for_several_goes_to_the_pools_in_turn() {
    let world = World::single(exact("vtc-fair")).await;
    let pod = |room| [PoolPod::new(Arc::clone(&world.pods[0]), Capacity::of_requests(room))];
    world.handle.set_pool("other", pod(1)).await.unwrap();
    let other = |user: &str| Acquire::new("other", user, 10, 10);
    let _running = world.get(of("alice")).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        waiting.push((POOL, world.ask(of("alice")).await));
        waiting.push(("other", world.ask(other("alice")).await));
    }
    world.handle.set_pool("other", pod(3)).await.unwrap();
    settle_down().await;
    let mut went = Vec::new();
    let mut permits = Vec::new();
    for (pool, asking) in &mut waiting {
        if let Some(outcome) = look(asking) {
            went.push(*pool);
            permits.push(outcome.unwrap().unwrap());
        }
    }
    assert_eq!(went, [POOL, "other"], "one each, of the two that there was room for");
}

#[actix::test]
async fn a_pod_that_stays_keeps_what_it_said() {
    let world = World::new(exact("vtc-fair"), 1, Capacity::default()).await;
    let report = PodReport { waiting: Some(3), kv_usage: None };
    world.handle.report_pod("pod-0", report).await.unwrap();
    world.set_pods(&[0], Capacity::default()).await;
    assert_eq!(world.snapshot().await.pods[0].report, report);
}
