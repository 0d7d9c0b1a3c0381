//! Whoever leaves: at each point of the way, and all at once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use actix::{ActorContext, Context, Handler, Message};
use vtc_actor::{Capacity, DispatcherActor, HandleError};
use vtc_core::TokenTracker;
use vtc_core::queue::QueueLimits;

use super::{Asking, Ticking, World, answer, assert_balance, exact, limited, look, of, settle_down, used};

#[actix::test]
async fn whoever_leaves_before_it_was_seen_was_never_there() {
    let world = World::single(exact("vtc-fair")).await;
    drop(world.send(of("alice")));
    let outcomes = world.pool().await.outcomes;
    assert_eq!((outcomes.taken, outcomes.dispatched), (0, 0));
    world.assert_all_is_back().await;
}

#[actix::test]
async fn whoever_leaves_while_it_waits_leaves_the_queue_at_once() {
    let world = World::single(exact("vtc-fair")).await;
    let running = world.get(of("alice")).await;
    let leaver = world.ask(of("bob")).await;
    let mut stayer = world.ask(of("carol")).await;
    drop(leaver);
    let pool = world.pool().await;
    assert_eq!((pool.waiting, pool.outcomes.cancelled, pool.present_users), (1, 1, 2));
    running.settle(used());
    settle_down().await;
    answer(&mut stayer).settle(used());
    assert_eq!(world.handle.router().tracker().token_count("bob"), 0.0);
    world.assert_all_is_back().await;
}

#[actix::test]
async fn whoever_leaves_in_front_of_its_permit_is_not_charged() {
    let world = World::single(exact("vtc-fair")).await;
    let running = world.get(of("alice")).await;
    let leaver = world.ask(of("bob")).await;
    let mut next = world.ask(of("carol")).await;
    running.settle(used());
    settle_down().await;
    assert_eq!(world.pool().await.outcomes.dispatched, 2, "the permit lies in front of the leaver");
    drop(leaver);
    settle_down().await;
    let next = answer(&mut next);
    let pool = world.pool().await;
    assert_eq!((pool.outcomes.voided, pool.outcomes.cancelled, pool.outcomes.dispatched), (1, 0, 3));
    assert_eq!(world.handle.router().tracker().token_count("bob"), 0.0);
    next.settle(used());
    world.assert_all_is_back().await;
}

/// The place comes free and its next holder leaves, and the dispatcher hears of the first before the second.
#[actix::test]
async fn whoever_leaves_while_it_is_dispatched_is_not_charged() {
    let world = World::single(exact("vtc-fair")).await;
    let running = world.get(of("alice")).await;
    let leaver = world.ask(of("bob")).await;
    let mut next = world.ask(of("carol")).await;
    running.settle(used());
    drop(leaver);
    settle_down().await;
    let next = answer(&mut next);
    let pool = world.pool().await;
    assert_eq!((pool.outcomes.voided, pool.outcomes.cancelled, pool.outcomes.dispatched), (1, 0, 3));
    assert_eq!(world.handle.router().tracker().token_count("bob"), 0.0);
    next.settle(used());
    world.assert_all_is_back().await;
}

/// The other way round.
#[actix::test]
async fn whoever_leaves_just_before_its_turn_is_cancelled() {
    let world = World::single(exact("vtc-fair")).await;
    let running = world.get(of("alice")).await;
    let leaver = world.ask(of("bob")).await;
    let mut next = world.ask(of("carol")).await;
    drop(leaver);
    running.settle(used());
    settle_down().await;
    let next = answer(&mut next);
    let pool = world.pool().await;
    assert_eq!((pool.outcomes.voided, pool.outcomes.cancelled, pool.outcomes.dispatched), (0, 1, 2));
    next.settle(used());
    world.assert_all_is_back().await;
}

#[actix::test]
async fn a_panic_in_whoever_holds_a_permit_gives_it_back() {
    let world = World::single(exact("vtc-fair")).await;
    let permit = world.get(of("alice")).await;
    let mut next = world.ask(of("bob")).await;
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _held = permit;
        panic!("in the middle of an answer");
    }));
    assert!(panicked.is_err());
    settle_down().await;
    answer(&mut next).settle(used());
    assert_eq!(world.pool().await.outcomes.abandoned, 1);
    world.assert_all_is_back().await;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Stop;

impl Handler<Stop> for DispatcherActor<Ticking> {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

#[actix::test]
async fn when_the_dispatcher_stops_nobody_waits_and_tickets_still_end() {
    let world = World::single(exact("vtc-fair")).await;
    let permit = world.get(of("alice")).await;
    let mut waiting = world.ask(of("bob")).await;
    world.handle.addr().do_send(Stop);
    let mut behind = world.send(of("carol"));
    settle_down().await;
    for asking in [&mut waiting, &mut behind] {
        assert_eq!(look(asking).expect("an answer").unwrap_err(), HandleError::Stopped);
    }
    assert_eq!(world.handle.acquire(of("dave")).await.unwrap_err(), HandleError::Stopped);
    assert_eq!(world.handle.queues(10).await.unwrap_err(), HandleError::Stopped);
    permit.settle(used());
    assert_eq!(world.pods[0].in_flight(), 0);
    assert_eq!(world.handle.router().tracker().token_count("alice"), 30.0);
    assert_eq!(world.handle.in_mailbox(), 0);
}

#[actix::test]
async fn a_dispatcher_ends_after_its_last_handle_and_permit() {
    let world = World::single(exact("vtc-fair")).await;
    let router = std::sync::Arc::downgrade(world.handle.router());
    let permit = world.get(of("alice")).await;
    let World { handle, .. } = world;
    drop(handle);
    settle_down().await;
    assert!(router.upgrade().is_some(), "somebody has to be told of the end");
    permit.settle(used());
    settle_down().await;
    assert!(router.upgrade().is_none());
}

const CROWD: usize = 100_000;

/// So many clients wait, and then leave: with one user each, or all of one.
async fn a_crowd_comes_and_goes(user: impl Fn(usize) -> String) {
    let limits = QueueLimits { requests: CROWD, per_user: CROWD, ..QueueLimits::default() };
    let world = World::single(limited(limits)).await;
    let permit = world.get(of("alice")).await;
    let mut crowd: Vec<Asking> = Vec::with_capacity(CROWD);
    for i in 0..CROWD {
        crowd.push(world.send(of(&user(i))));
        if i % 1000 == 0 {
            settle_down().await;
        }
    }
    let pool = world.pool().await;
    assert_eq!((pool.waiting, pool.running), (CROWD, 1));
    drop(crowd);
    let pool = world.pool().await;
    assert_eq!((pool.waiting, pool.running, pool.outcomes.cancelled), (0, 1, CROWD as u64));
    assert_balance(&pool);
    permit.settle(used());
    world.assert_all_is_back().await;
    assert!(world.pool().await.known_users <= 1, "the last one to leave, perhaps");
}

#[actix::test]
async fn of_a_crowd_of_users_that_leaves_nothing_is_left() {
    a_crowd_comes_and_goes(|i| format!("user-{i}")).await;
}

#[actix::test]
async fn of_a_crowd_of_one_user_that_leaves_nothing_is_left() {
    a_crowd_comes_and_goes(|_| "bob".to_owned()).await;
}

#[actix::test]
async fn whoever_blocked_the_others_and_leaves_lets_them_pass() {
    let capacity = Capacity { max_tokens: Some(100), ..Capacity::default() };
    let world = World::new(exact("vtc-fair"), 1, capacity).await;
    let _running = world.get(of("small")).await;
    let mut large = of("large");
    large.input_tokens = 90;
    let large = world.ask(large).await;
    let mut behind = world.ask(of("small")).await;
    assert!(look(&mut behind).is_none());
    drop(large);
    settle_down().await;
    answer(&mut behind).settle(used());
}

#[actix::test]
async fn a_dispatcher_does_not_wait_for_a_deadline_that_is_nobodys() {
    let world = World::single(exact("vtc-fair")).await;
    let router = std::sync::Arc::downgrade(world.handle.router());
    let permit = world.get(of("alice")).await;
    let mut waiting = world.ask(of("bob")).await;
    permit.settle(used());
    settle_down().await;
    answer(&mut waiting).settle(used());
    drop((waiting, world));
    settle_down().await;
    assert!(router.upgrade().is_none());
}
