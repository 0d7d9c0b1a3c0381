//! Who gets a no, and when it may come back.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use vtc_actor::dispatcher::ReportPod;
use vtc_actor::{Acquire, Capacity, DispatcherConfig, DispatcherHandle, HandleError, Refusal};
use vtc_core::queue::{QueueFull, QueueLimits};

use super::{Asking, World, answer, exact, limited, look, of, pass, refusal, seconds, settle_down, used};

#[actix::test]
async fn a_full_queue_says_so() {
    let limits = QueueLimits { requests: 3, per_user: 2, bytes: 100, ..QueueLimits::default() };
    let world = World::single(limited(limits)).await;
    let _running = world.get(of("alice")).await;
    let reason = |asking: &mut Asking| match refusal(asking) {
        Refusal::Full { reason, retry_after } => {
            assert_eq!(retry_after, seconds(60), "nothing has moved yet");
            reason
        }
        other => panic!("{other}"),
    };
    let _waiting = [world.ask(of("alice")).await, world.ask(of("alice")).await];
    assert_eq!(reason(&mut world.ask(of("alice")).await), QueueFull::User { limit: 2 });
    let mut large = of("bob");
    large.bytes = 101;
    assert_eq!(reason(&mut world.ask(large.clone()).await), QueueFull::Bytes { limit: 100 });
    large.bytes = 100;
    let _third = world.ask(large).await;
    assert_eq!(reason(&mut world.ask(of("carol")).await), QueueFull::Requests { limit: 3 });
    let pool = world.pool().await;
    assert_eq!((pool.outcomes.refused, pool.waiting, pool.bytes), (3, 3, 100));
    assert_eq!(pool.present_users, 2, "who was refused is not there");
}

#[actix::test]
async fn whoever_is_refused_is_told_by_the_pace_of_late() {
    let limits = QueueLimits { requests: 20, ..QueueLimits::default() };
    let world = World::single(limited(limits)).await;
    let mut running = world.get(of("alice")).await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(world.ask(of("alice")).await);
    }
    for _ in 0..100 {
        pass(Duration::from_millis(500)).await;
        running.settle(used());
        settle_down().await;
        running = answer(&mut waiting.remove(0));
        waiting.push(world.ask(of("alice")).await);
    }
    let rate = world.pool().await.drain_rate;
    assert!((1.9..2.1).contains(&rate), "{rate}");
    let retry_after = refusal(&mut world.ask(of("bob")).await).retry_after().unwrap().as_secs_f64();
    assert!((9.0..11.0).contains(&retry_after), "20 at 2 per second: {retry_after}");
}

#[actix::test]
async fn whoever_has_waited_too_long_is_told_at_once() {
    let world = World::single(exact("vtc-fair")).await;
    let running = world.get(of("alice")).await;
    let mut waiting = [
        world.ask(of("bob").within(seconds(5))).await,
        world.ask(of("carol").within(seconds(2))).await,
        world.ask(of("dave")).await,
    ];
    assert!(world.pool().await.has_deadlines);
    pass(seconds(2) - Duration::from_millis(1)).await;
    assert!(waiting.iter_mut().all(|asking| look(asking).is_none()));
    pass(Duration::from_millis(2)).await;
    let [bob, carol, dave] = &mut waiting;
    let Refusal::Expired { waited, retry_after } = refusal(carol) else { panic!("it expired") };
    assert!((seconds(2)..seconds(2) + Duration::from_millis(5)).contains(&waited), "{waited:?}");
    assert_eq!(retry_after, seconds(60), "nothing has moved yet");
    assert!(look(bob).is_none());
    pass(seconds(3)).await;
    assert!(matches!(refusal(bob), Refusal::Expired { .. }));
    assert!(look(dave).is_none());
    // The default: a minute.
    pass(seconds(55)).await;
    assert!(matches!(refusal(dave), Refusal::Expired { .. }));
    assert_eq!(world.pool().await.outcomes.expired, 3);
    running.settle(used());
    world.assert_all_is_back().await;
}

#[actix::test]
async fn without_a_longest_wait_one_waits_for_ever() {
    let config = DispatcherConfig { longest_wait: None, ..exact("vtc-fair") };
    let world = World::single(config).await;
    let running = world.get(of("alice")).await;
    let mut asking = world.ask(of("bob")).await;
    assert!(!world.pool().await.has_deadlines);
    pass(seconds(1_000_000)).await;
    assert!(look(&mut asking).is_none());
    running.settle(used());
    settle_down().await;
    assert_eq!(answer(&mut asking).grant().waited.as_secs(), 1_000_000);
}

#[actix::test]
async fn with_no_time_to_wait_it_is_now_or_never() {
    let world = World::single(exact("vtc-fair")).await;
    let now_or_never = || of("alice").within(Duration::ZERO);
    let permit = world.get(now_or_never()).await;
    assert!(matches!(refusal(&mut world.ask(now_or_never()).await), Refusal::Expired { .. }));
    permit.settle(used());
    world.assert_all_is_back().await;
}

#[actix::test]
async fn whoever_blocked_the_others_and_expires_lets_them_pass() {
    let capacity = Capacity { max_tokens: Some(100), ..Capacity::default() };
    let world = World::new(exact("vtc-fair"), 1, capacity).await;
    let _running = world.get(of("small")).await;
    let mut large = of("large").within(seconds(1));
    large.input_tokens = 90;
    let mut large = world.ask(large).await;
    let mut behind = world.ask(of("small")).await;
    assert!(look(&mut behind).is_none());
    pass(seconds(1) + Duration::from_millis(1)).await;
    assert!(matches!(refusal(&mut large), Refusal::Expired { .. }));
    let _permit = answer(&mut behind);
}

#[actix::test]
async fn what_cannot_be_served_is_refused_before_it_waits() {
    let world = World::single(exact("vtc-fair")).await;
    let unknown = refusal(&mut world.ask(of("alice").by("fastest")).await);
    assert!(matches!(&unknown, Refusal::Policy(policy) if policy.name == "fastest"));
    assert_eq!(unknown.retry_after(), None);
    let nowhere = refusal(&mut world.ask(Acquire::new("no such pool", "alice", 1, 1)).await);
    assert!(matches!(nowhere, Refusal::NoPods { .. }));
    assert_eq!(world.snapshot().await.pools.len(), 1, "who asks makes no pool");
    world.assert_all_is_back().await;
}

#[actix::test]
async fn what_is_on_its_way_is_bounded() {
    let config = DispatcherConfig { max_in_mailbox: 2, ..exact("vtc-fair") };
    let world = World::single(config).await;
    let mut first = world.send(of("alice"));
    let second = world.send(of("alice"));
    let handle = world.handle.clone();
    let mut third: Asking = Box::pin(async move { handle.acquire(of("alice")).await });
    let shed = look(&mut third).expect("an answer without the dispatcher").unwrap_err();
    assert_eq!(shed, HandleError::Overloaded { retry_after: seconds(1) });
    settle_down().await;
    assert_eq!(world.handle.in_mailbox(), 0, "those who wait in the queue are on no way");
    drop(second);
    answer(&mut first).settle(used());
    world.assert_all_is_back().await;
}

#[actix::test]
async fn a_bad_configuration_starts_nothing() {
    let world = World::single(exact("vtc-fair")).await;
    let router = world.handle.router();
    let error = DispatcherHandle::start(router.clone(), exact("lottery")).unwrap_err();
    assert_eq!((&*error.field, &*error.value), ("discipline", "lottery"));
    world.handle.addr().do_send(ReportPod::new("nobody", Default::default()));
}

/// The time has come, but the dispatcher sees a request before its timer.
#[actix::test]
async fn whoever_has_waited_too_long_takes_nobodys_place() {
    let limits = QueueLimits { requests: 1, ..QueueLimits::default() };
    let world = World::single(limited(limits)).await;
    let _running = world.get(of("alice")).await;
    let mut late = world.ask(of("bob").within(seconds(1))).await;
    let mut later = Box::pin(tokio::time::advance(seconds(2)));
    assert!(later.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "the time has moved");
    let mut asking = world.send(of("carol"));
    settle_down().await;
    assert!(matches!(refusal(&mut late), Refusal::Expired { .. }));
    assert!(look(&mut asking).is_none(), "the queue is not full");
}

/// Nothing was heard of the queue for a while: it has not moved, and that is known.
#[actix::test]
async fn time_in_which_nothing_happened_counts() {
    let limits = QueueLimits { requests: 20, ..QueueLimits::default() };
    let config = DispatcherConfig { longest_wait: None, ..limited(limits) };
    let world = World::single(config).await;
    let mut running = world.get(of("alice")).await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(world.ask(of("alice")).await);
    }
    for _ in 0..10 {
        pass(seconds(1)).await;
        running.settle(used());
        settle_down().await;
        running = answer(&mut waiting.remove(0));
        waiting.push(world.ask(of("alice")).await);
    }
    pass(seconds(100)).await;
    let [first, second] =
        [refusal(&mut world.ask(of("bob")).await), refusal(&mut world.ask(of("bob")).await)];
    assert_eq!(first.retry_after(), second.retry_after());
}
