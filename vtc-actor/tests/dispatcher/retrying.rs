//! Pods that fail before they answer.

use std::future::Future;
use std::task::{Context, Waker};

use vtc_actor::Capacity;
use vtc_actor::dispatcher::NoOtherPod;
use vtc_core::TokenTracker;

use super::{World, answer, exact, look, of, settle_down, used};

#[actix::test]
async fn a_request_moves_to_another_pod_and_is_charged_once() {
    let world = World::new(exact("vtc-fair"), 2, Capacity::of_requests(1)).await;
    let mut permit = world.get(of("alice")).await;
    let first = permit.pod().name().to_owned();
    permit.move_on(&[&first]).await.unwrap().unwrap();
    assert_ne!(permit.pod().name(), first);
    assert_eq!(world.handle.router().tracker().token_count("alice"), 30.0);
    assert_eq!([world.pods[0].in_flight(), world.pods[1].in_flight()].iter().sum::<u64>(), 1);
    let pods = world.snapshot().await.pods;
    for pod in &pods {
        let moved_there = *pod.name == *permit.pod().name();
        assert_eq!((pod.running, pod.suspect), (usize::from(moved_there), !moved_there), "{}", pod.name);
    }
    // The pod that failed gets nothing until it is listed again.
    let mut waiting = world.ask(of("bob")).await;
    assert!(look(&mut waiting).is_none());
    world.set_pods(&[0, 1], Capacity::of_requests(1)).await;
    settle_down().await;
    let bob = answer(&mut waiting);
    assert_eq!(bob.pod().name(), first);
    bob.settle(used());
    permit.settle(used());
    world.assert_all_is_back().await;
}

#[actix::test]
async fn if_no_other_has_room_one_gets_a_request_too_many() {
    let world = World::new(exact("vtc-fair"), 2, Capacity::of_requests(1)).await;
    let mut permit = world.get(of("alice")).await;
    let other = world.get(of("bob")).await;
    permit.move_on(&[]).await.unwrap().unwrap();
    assert_eq!(permit.pod().name(), other.pod().name());
    assert_eq!(other.pod().in_flight(), 2);
    let mut waiting = world.ask(of("carol")).await;
    permit.settle(used());
    settle_down().await;
    assert!(look(&mut waiting).is_none(), "it is full still");
    other.settle(used());
    settle_down().await;
    answer(&mut waiting).settle(used());
    world.assert_all_is_back().await;
}

#[actix::test]
async fn a_pod_with_room_is_preferred() {
    let world = World::new(exact("vtc-fair"), 3, Capacity::of_requests(1)).await;
    let mut permit = world.get(of("alice")).await;
    let other = world.get(of("bob")).await;
    permit.move_on(&[]).await.unwrap().unwrap();
    assert_ne!(permit.pod().name(), other.pod().name());
}

#[actix::test]
async fn when_every_pod_was_tried_there_is_no_other() {
    let world = World::new(exact("vtc-fair"), 2, Capacity::default()).await;
    let mut permit = world.get(of("alice")).await;
    assert_eq!(permit.move_on(&["pod-0", "pod-1"]).await.unwrap(), Err(NoOtherPod));
    permit.pod_failed();
    settle_down().await;
    assert_eq!(world.handle.router().tracker().token_count("alice"), 0.0, "it was never served");
    assert_eq!(world.pool().await.outcomes.voided, 1);
    world.assert_all_is_back().await;
}

#[actix::test]
async fn a_dead_pod_does_not_eat_the_queue() {
    let world = World::single(exact("vtc-fair")).await;
    let permit = world.get(of("alice")).await;
    let mut waiting = world.ask(of("bob")).await;
    permit.pod_failed();
    settle_down().await;
    assert!(look(&mut waiting).is_none());
    world.set_pods(&[0], Capacity::of_requests(1)).await;
    settle_down().await;
    answer(&mut waiting).settle(used());
    world.assert_all_is_back().await;
}

#[actix::test]
async fn whoever_gives_up_in_the_middle_of_a_move_keeps_a_good_permit() {
    let world = World::new(exact("vtc-fair"), 2, Capacity::of_requests(1)).await;
    let mut permit = world.get(of("alice")).await;
    {
        let mut moving = Box::pin(permit.move_on(&[]));
        assert!(moving.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        settle_down().await;
    }
    permit.settle(used());
    world.assert_all_is_back().await;
}
