//! A mailbox that fills: what is shed, what is not, and what becomes of those who do not wait.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::{ActorFutureExt, WrapFuture};
use actix::{AtomicResponse, Context, Handler, Message};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, yield_now};
use vtc_actor::{
    Answer, Batch, GetTokenCount, HandleConfig, HandleError, Route, TrackerActor, TrackerHandle,
};
use vtc_core::{ManualClock, Router, TokenTracker, VtcConfig};

/// More than actix's own mailbox takes before it calls itself full, 16.
const BOUND: usize = 20;
const TIMEOUT: Duration = Duration::from_millis(250);

fn handle() -> TrackerHandle<ManualClock> {
    let router = Router::with_clock(VtcConfig::default(), ManualClock::new()).unwrap();
    router.pods().set(["pod-0"]);
    let config = HandleConfig { max_in_flight: BOUND, timeout: TIMEOUT };
    TrackerHandle::start(Arc::new(router), config).unwrap()
}

/// Makes the actor busy until the sender is used or dropped: it takes no message from its mailbox.
#[derive(Message)]
#[rtype(result = "()")]
struct Hold(oneshot::Receiver<()>);

impl Handler<Hold> for TrackerActor<ManualClock> {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, hold: Hold, _: &mut Context<Self>) -> Self::Result {
        AtomicResponse::new(Box::pin(hold.0.into_actor(self).map(|_, _, _| ())))
    }
}

fn hold(handle: &TrackerHandle<ManualClock>) -> oneshot::Sender<()> {
    let (release, held) = oneshot::channel();
    handle.addr().do_send(Hold(held));
    release
}

/// Lets everything run that can.
async fn settle_down() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// A caller in a task of its own, who has sent its request when this returns.
async fn call<T: 'static>(request: impl Future<Output = T> + 'static) -> JoinHandle<T> {
    let task = actix::spawn(request);
    settle_down().await;
    task
}

/// Callers who take every place there is. All ask for `name`, of which each message in the mailbox has one.
async fn fill(handle: &TrackerHandle<ManualClock>, name: &Arc<str>) -> Vec<JoinHandle<Answer<f64>>> {
    let mut callers = Vec::new();
    for _ in 0..BOUND {
        let (handle, name) = (handle.clone(), Arc::clone(name));
        callers.push(call(async move { handle.send(GetTokenCount { user: name }).await }).await);
    }
    callers
}

fn in_flight_on_pod(handle: &TrackerHandle<ManualClock>) -> u64 {
    handle.router().pods().table().pods()[0].in_flight()
}

const OVERLOADED: HandleError = HandleError::Overloaded { retry_after: TIMEOUT };

#[actix::test]
async fn beyond_the_bound_requests_are_shed_and_the_mailbox_does_not_grow() {
    tokio::time::pause();
    let handle = handle();
    let release = hold(&handle);
    let name: Arc<str> = "alice".into();
    let callers = fill(&handle, &name).await;
    assert_eq!(handle.in_flight(), BOUND);

    for _ in 0..1000 {
        assert_eq!(handle.send(GetTokenCount { user: Arc::clone(&name) }).await, Err(OVERLOADED));
    }
    assert_eq!(handle.route(Route::new("alice", 1.0, 1.0)).await.unwrap_err(), OVERLOADED);
    assert_eq!(Arc::strong_count(&name), 1 + BOUND, "one name for each message in the mailbox");

    drop(release);
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Ok(0.0), "who was admitted is served");
    }
    assert_eq!((handle.in_flight(), Arc::strong_count(&name)), (0, 1));
    assert_eq!(handle.token_count("alice").await, Ok(0.0), "and there is room again");
}

#[actix::test]
async fn callers_who_give_up_do_not_make_room_in_a_mailbox_that_stands() {
    tokio::time::pause();
    let handle = handle();
    let release = hold(&handle);
    let name: Arc<str> = "alice".into();
    for caller in fill(&handle, &name).await {
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
    }
    assert_eq!(Arc::strong_count(&name), 1 + BOUND);
    assert_eq!(handle.token_count("alice").await, Err(OVERLOADED));

    drop(release);
    settle_down().await;
    assert_eq!((handle.in_flight(), Arc::strong_count(&name)), (0, 1));
    assert_eq!(handle.token_count("alice").await, Ok(0.0));
}

#[actix::test]
async fn whoever_asks_one_after_the_other_is_never_shed() {
    let shared = handle();
    let config = HandleConfig { max_in_flight: 1, timeout: Duration::from_secs(60) };
    let narrow =
        TrackerHandle::from_addr(shared.addr().clone(), Arc::clone(shared.router()), config).unwrap();
    // From another thread: the place must be free before the answer is seen.
    let elsewhere = actix::Arbiter::new();
    let (tell, told) = oneshot::channel();
    elsewhere.spawn(async move {
        let mut shed = 0;
        for _ in 0..10_000 {
            shed += usize::from(narrow.token_count("alice").await.is_err());
        }
        tell.send(shed).unwrap();
    });
    assert_eq!(told.await.unwrap(), 0);
    elsewhere.stop();
}

#[actix::test]
async fn updates_go_through_when_the_bound_is_reached() {
    tokio::time::pause();
    let handle = handle();
    let release = hold(&handle);
    let callers = fill(&handle, &"bob".into()).await;
    let mut updates = Vec::new();
    for _ in 0..3 * BOUND {
        let handle = handle.clone();
        updates.push(call(async move { handle.update("alice", 1.0, 0.0).await }).await);
    }
    assert_eq!(handle.token_count("alice").await, Err(OVERLOADED));

    drop(release);
    for update in updates {
        assert_eq!(update.await.unwrap(), Ok(Ok(())));
    }
    assert_eq!(handle.router().tracker().token_count("alice"), 60.0);
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Ok(0.0));
    }
}

#[actix::test]
async fn an_update_is_made_though_its_caller_has_gone() {
    tokio::time::pause();
    let handle = handle();
    let release = hold(&handle);
    let moved = handle.clone();
    let leaver = call(async move { moved.update("alice", 5.0, 0.0).await }).await;
    leaver.abort();
    assert!(leaver.await.unwrap_err().is_cancelled());
    let late = handle.send(Batch(vec![vtc_actor::Update::new("alice", 2.0, 0.0)])).await;
    assert_eq!(late, Err(HandleError::Timeout));
    assert_eq!(handle.router().tracker().token_count("alice"), 0.0);

    drop(release);
    settle_down().await;
    assert_eq!(handle.router().tracker().token_count("alice"), 7.0);
}

#[actix::test]
async fn the_whole_wait_is_timed_while_the_actor_is_busy_and_its_mailbox_full() {
    tokio::time::pause();
    let handle = handle();
    let _release = hold(&handle);
    let start = tokio::time::Instant::now();
    let callers = fill(&handle, &"alice".into()).await;
    assert_eq!(start.elapsed(), Duration::ZERO, "paused: time moves only when all wait");
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Err(HandleError::Timeout));
    }
    let waited = start.elapsed();
    assert!(waited >= TIMEOUT && waited < 2 * TIMEOUT, "scripted time: {waited:?}");
}

#[actix::test]
async fn a_route_whose_caller_gave_up_before_it_was_served_is_not_served() {
    tokio::time::pause();
    let handle = handle();
    let release = hold(&handle);
    assert_eq!(handle.route(Route::new("alice", 1.0, 1.0)).await.unwrap_err(), HandleError::Timeout);

    drop(release);
    settle_down().await;
    assert_eq!(in_flight_on_pod(&handle), 0);
    assert_eq!(handle.router().tracker().token_count("alice"), 0.0, "nobody was charged");
}

#[actix::test]
async fn a_ticket_that_nobody_picks_up_abandons_itself() {
    tokio::time::pause();
    let handle = handle();
    let mut caller = Box::pin(handle.route(Route::new("alice", 10.0, 15.0)));
    // One look: the message is in the mailbox. The reply waits for a second one, which never comes.
    std::future::poll_fn(|cx| {
        assert!(caller.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
    settle_down().await;
    assert_eq!((handle.in_flight(), in_flight_on_pod(&handle)), (0, 1));

    drop(caller);
    assert_eq!(in_flight_on_pod(&handle), 0, "the place is free");
    assert_eq!(
        handle.router().tracker().token_count("alice"),
        40.0,
        "to leave early is not to be served for nothing"
    );
}

#[actix::test]
async fn a_batch_takes_one_place() {
    tokio::time::pause();
    let handle = handle();
    let release = hold(&handle);
    let moved = handle.clone();
    let batch = vec![GetTokenCount::new("alice"); 2 * BOUND];
    let caller = call(async move { moved.send(Batch(batch)).await }).await;
    assert_eq!(handle.in_flight(), 1);
    drop(release);
    assert_eq!(caller.await.unwrap().unwrap().len(), 2 * BOUND);
}
