//! One message, one reply: what each says is what the router says.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use actix::Actor;
use vtc_actor::{
    Answer, GetExtremes, GetTokenCount, HandleConfig, Route, RouteRefusal, SetPods, TrackerActor,
    TrackerHandle, Update,
};
use vtc_core::{
    EmptyUser, ManualClock, RouteError, RouteRequest, Router, SimpleTokenEstimator, TokenEstimator,
    TokenTracker, UpdateError, VtcConfig,
};

fn router() -> Arc<Router<ManualClock>> {
    let mut config = VtcConfig::default();
    config.tracker.staleness = std::time::Duration::ZERO;
    Arc::new(Router::with_clock(config, ManualClock::new()).unwrap())
}

fn handle() -> TrackerHandle<ManualClock> {
    TrackerHandle::start(router(), HandleConfig::default()).unwrap()
}

#[actix::test]
async fn a_route_takes_a_place_and_charges_the_estimate_until_its_ticket_settles() {
    let handle = handle();
    handle.set_pods(["pod-0"]).await.unwrap();
    let ticket = handle.route(Route::new("alice", 10.0, 15.0)).await.unwrap().unwrap();
    assert_eq!((ticket.user(), ticket.pod().name(), ticket.reserved()), (Some("alice"), "pod-0", 40.0));
    assert_eq!(handle.token_count("alice").await.unwrap(), 40.0);
    assert_eq!(ticket.pod().in_flight(), 1);

    assert!(ticket.settle(12.0, 100.0).unwrap());
    assert_eq!(handle.token_count("alice").await.unwrap(), 212.0);
    assert_eq!(ticket.pod().in_flight(), 0);
}

#[actix::test]
async fn a_route_that_names_nobody_charges_nobody() {
    let handle = handle();
    handle.set_pods(["pod-0"]).await.unwrap();
    let ticket = handle.route(Route::anonymous(10.0, 15.0)).await.unwrap().unwrap();
    assert_eq!((ticket.user(), ticket.reserved()), (None, 0.0));
    assert_eq!(handle.extremes().await.unwrap().users, 0);
}

#[actix::test]
async fn a_route_is_refused_with_the_routers_own_words_and_charges_nobody() {
    let handle = handle();
    let refusal = |answer: Answer<Result<_, RouteRefusal>>| answer.unwrap().unwrap_err();

    let no_pods = refusal(handle.route(Route::new("alice", 1.0, 1.0)).await);
    assert_eq!(no_pods, RouteRefusal::Route(RouteError::NoPods));

    handle.set_pods(["pod-0"]).await.unwrap();
    let unknown = refusal(handle.route(Route::new("alice", 1.0, 1.0).by("fastest")).await);
    assert!(unknown.to_string().contains("\"fastest\"") && unknown.to_string().contains("vtc-basic"));

    let no_number = refusal(handle.route(Route::new("alice", f64::INFINITY, 1.0)).await);
    assert!(matches!(no_number, RouteRefusal::Route(RouteError::Tokens(_))));
    assert_eq!(handle.token_count("alice").await.unwrap(), 0.0);
}

#[actix::test]
async fn the_policy_that_a_route_names_is_the_one_that_chooses() {
    let handle = handle();
    handle.set_pods(["pod-0", "pod-1"]).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(handle.route(Route::new("alice", 1.0, 1.0).by("least-request")).await.unwrap().unwrap());
    }
    let loads: Vec<_> = handle.router().pods().table().pods().iter().map(|pod| pod.in_flight()).collect();
    // The configured policy would keep so poor a user on the first pod.
    assert_eq!(loads, [3, 3]);
}

#[actix::test]
async fn a_request_estimated_from_its_text_becomes_a_route_of_the_same_numbers() {
    let estimator = SimpleTokenEstimator::default();
    let text = "Tell me a long story about a fair queue.";
    let request = RouteRequest::from_text(Some("alice"), text, &estimator);
    let route: Route<ManualClock> = request.into();
    assert_eq!(route.user.as_deref(), Some("alice"));
    assert_eq!(route.input_tokens, estimator.estimate_input_tokens(text));
    assert_eq!(route.output_tokens, estimator.estimate_output_tokens(text));
    assert_eq!(route.policy, None);
}

#[actix::test]
async fn an_update_charges_weighted_tokens_or_changes_nothing() {
    let handle = handle();
    handle.update("alice", 100.0, 50.0).await.unwrap().unwrap();
    assert_eq!(handle.token_count("alice").await.unwrap(), 200.0);

    let unnamed = handle.update("", 1.0, 1.0).await.unwrap();
    assert_eq!(unnamed, Err(UpdateError::EmptyUser(EmptyUser)));
    assert!(matches!(handle.update("alice", f64::NAN, 1.0).await.unwrap(), Err(UpdateError::Tokens(_))));
    assert_eq!(handle.token_count("alice").await.unwrap(), 200.0);
    assert_eq!(handle.token_count("nobody").await.unwrap(), 0.0);
}

#[actix::test]
async fn the_extremes_are_the_least_and_the_most_of_all_users() {
    let handle = handle();
    let nobody = handle.extremes().await.unwrap();
    assert_eq!((nobody.min, nobody.max, nobody.users), (1000.0, 8000.0, 0));
    handle.update("alice", 100.0, 0.0).await.unwrap().unwrap();
    handle.update("bob", 0.0, 450.0).await.unwrap().unwrap();
    let extremes = handle.extremes().await.unwrap();
    assert_eq!((extremes.min, extremes.max, extremes.users), (100.0, 900.0, 2));
}

#[actix::test]
async fn messages_and_direct_calls_meet_in_one_router() {
    let handle = handle();
    handle.router().pods().set(["pod-0"]);
    handle.router().tracker().update_token_count("alice", 3.0, 0.0).unwrap();
    assert_eq!(handle.token_count("alice").await.unwrap(), 3.0);
    let ticket = handle.route(Route::new("alice", 4.0, 0.0)).await.unwrap().unwrap();
    assert_eq!(handle.router().tracker().token_count("alice"), 7.0);
    drop(ticket);
}

#[actix::test]
async fn every_message_can_be_sent_to_the_bare_address_too() {
    let router = router();
    let addr = TrackerActor::new(Arc::clone(&router)).start();
    addr.send(SetPods::new(["pod-0"])).await.unwrap();
    addr.send(Update::new("alice", 5.0, 0.0)).await.unwrap().unwrap();
    let ticket = addr.send(Route::new("alice", 2.0, 0.0)).await.unwrap().unwrap();
    assert_eq!(addr.send(GetTokenCount::new("alice")).await.unwrap(), 7.0);
    assert_eq!(addr.send(GetExtremes).await.unwrap().max, 7.0);
    drop(ticket);
}

#[actix::test]
async fn a_handle_works_from_another_thread() {
    let handle = handle();
    let elsewhere = actix::Arbiter::new();
    let (tell, told) = tokio::sync::oneshot::channel();
    let moved = handle.clone();
    assert!(elsewhere.spawn(async move {
        tell.send(moved.update("alice", 1.0, 1.0).await).unwrap();
    }));
    told.await.unwrap().unwrap().unwrap();
    assert_eq!(handle.token_count("alice").await.unwrap(), 3.0);
    elsewhere.stop();
}
