//! A batch is the same as its messages one after the other, in one trip.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use vtc_actor::{Batch, GetTokenCount, HandleConfig, Request, Route, SetPods, TrackerHandle, Update};
use vtc_core::{Clock, ManualClock, Router, VtcConfig};

fn handle() -> TrackerHandle<ManualClock> {
    let router = Router::with_clock(VtcConfig::default(), ManualClock::new()).unwrap();
    TrackerHandle::start(Arc::new(router), HandleConfig::default()).unwrap()
}

#[actix::test]
async fn the_replies_come_in_the_order_of_the_messages() {
    let handle = handle();
    let updates = (1..=64).map(|n| Update::new(format!("user-{n}"), f64::from(n), 0.0)).collect();
    let charged = handle.send(Batch(updates)).await.unwrap();
    assert_eq!(charged, vec![Ok(()); 64]);
    let looks = (1..=64).rev().map(|n| GetTokenCount::new(format!("user-{n}"))).collect();
    let counts = handle.send(Batch(looks)).await.unwrap();
    assert_eq!(counts, (1..=64).rev().map(f64::from).collect::<Vec<_>>());
}

#[actix::test]
async fn a_message_that_is_refused_keeps_none_of_the_others_back() {
    let handle = handle();
    let updates = [("alice", 1.0), ("", 2.0), ("bob", f64::NAN), ("alice", 4.0)]
        .map(|(user, n)| Update::new(user, n, 0.0));
    let replies = handle.send(Batch(updates.into())).await.unwrap();
    assert_eq!(replies.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false, true]);
    assert_eq!(handle.token_count("alice").await.unwrap(), 5.0);
}

#[actix::test]
async fn each_message_sees_what_those_before_it_did() {
    let handle = handle();
    handle.send(Batch(vec![SetPods::new(["pod-0"]), SetPods::new(["pod-1", "pod-2"])])).await.unwrap();
    assert_eq!(handle.router().pods().table().pods().len(), 2);

    let routes = vec![Route::new("alice", 1.0, 0.0).by("least-request"); 4];
    let tickets: Vec<_> =
        handle.send(Batch(routes)).await.unwrap().into_iter().collect::<Result<_, _>>().unwrap();
    let loads =
        || handle.router().pods().table().pods().iter().map(|pod| pod.in_flight()).collect::<Vec<_>>();
    assert_eq!(loads(), [2, 2]);
    drop(tickets);
    assert_eq!(loads(), [0, 0]);
}

#[actix::test]
async fn an_empty_batch_has_no_replies() {
    assert_eq!(handle().send(Batch::<GetTokenCount>(Vec::new())).await.unwrap(), Vec::<f64>::new());
}

/// A message of the app's own.
#[derive(actix::Message)]
#[rtype(result = "usize")]
struct CountAccounts;

impl<C: Clock> Request<C> for CountAccounts {
    fn serve(self, router: &Router<C>) -> usize {
        router.tracker().account_count()
    }
}

#[actix::test]
async fn a_message_of_the_apps_own_is_served_alone_and_in_a_batch() {
    let handle = handle();
    handle.update("alice", 1.0, 0.0).await.unwrap().unwrap();
    assert_eq!(handle.send(CountAccounts).await.unwrap(), 1);
    assert_eq!(handle.send(Batch(vec![CountAccounts, CountAccounts])).await.unwrap(), [1, 1]);
}

#[test]
fn a_batch_settles_if_its_messages_do() {
    fn settles<M: Request<ManualClock>>() -> bool {
        M::SETTLES
    }
    assert!(settles::<Batch<Update>>());
    assert!(!settles::<Batch<Route<ManualClock>>>());
}
