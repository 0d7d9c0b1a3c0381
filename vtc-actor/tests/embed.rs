//! The example's app, driven in-process.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use actix::fut::WrapFuture;
use actix::{AtomicResponse, Context, Handler, Message};
use actix_web::http::{StatusCode, header};
use actix_web::test::{TestRequest, call_service, init_service, read_body_json};
use actix_web::{App, web};
use serde_json::{Value, json};
use vtc_actor::{HandleConfig, TrackerActor, TrackerHandle};
use vtc_core::{Router, VtcConfig};

#[path = "../examples/embed.rs"]
mod embed;

fn handle() -> TrackerHandle {
    let mut config = VtcConfig::default();
    config.tracker.staleness = Duration::ZERO;
    let router = Arc::new(Router::new(config).unwrap());
    router.pods().set(["pod-0"]);
    TrackerHandle::start(router, HandleConfig::default()).unwrap()
}

/// Status, seconds to wait, body.
async fn answer(handle: &TrackerHandle, request: TestRequest) -> (StatusCode, Option<String>, Value) {
    let app = App::new().app_data(web::Data::new(handle.clone())).configure(embed::routes);
    let app = init_service(app).await;
    let response = call_service(&app, request.to_request()).await;
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let retry_after = retry_after.map(|seconds| seconds.to_str().unwrap().to_owned());
    (response.status(), retry_after, read_body_json(response).await)
}

fn complete(user: &str, body: Value) -> TestRequest {
    TestRequest::post().uri(&format!("/complete?user={user}")).set_json(body)
}

#[actix::test]
async fn a_completion_is_settled_with_the_usage_that_is_reported() {
    let handle = handle();
    // 8 bytes: an estimate of 2 tokens read and 3 written.
    let request = complete("alice", json!({ "prompt": "12345678", "usage": [2, 500] }));
    let (status, _, body) = answer(&handle, request).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body, json!({ "user": "alice", "pod": "pod-0", "reserved": 8.0 }));

    let (_, _, count) = answer(&handle, TestRequest::get().uri("/users/alice")).await;
    assert_eq!(count, json!({ "user": "alice", "tokens": 1002.0 }));
    assert_eq!(handle.router().pods().table().pods()[0].in_flight(), 0);
}

#[actix::test]
async fn a_completion_without_usage_is_charged_its_estimate() {
    let handle = handle();
    answer(&handle, complete("alice", json!({ "prompt": "12345678" }))).await;
    answer(&handle, complete("bob", json!({ "prompt": "1234" }))).await;
    let (status, _, extremes) = answer(&handle, TestRequest::get().uri("/extremes")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(extremes, json!({ "min": 5.0, "max": 8.0, "users": 2 }));
}

#[actix::test]
async fn a_completion_that_names_nobody_is_served_and_charged_to_nobody() {
    let handle = handle();
    let request = TestRequest::post().uri("/complete").set_json(json!({ "prompt": "1234" }));
    let (status, _, body) = answer(&handle, request).await;
    assert_eq!((status, &body["user"]), (StatusCode::OK, &Value::Null));
    assert_eq!(handle.router().tracker().users(), []);
}

#[actix::test]
async fn each_refusal_has_its_status_and_says_why() {
    let handle = handle();
    let unknown = complete("alice", json!({ "prompt": "1234", "policy": "fastest" }));
    let (status, _, body) = answer(&handle, unknown).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body["error"]["message"].as_str().unwrap().contains("vtc-basic"), "{body}");

    handle.set_pods([""; 0]).await.unwrap();
    let (status, _, _) = answer(&handle, complete("alice", json!({ "prompt": "1234" }))).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(handle.token_count("alice").await, Ok(0.0));
}

/// Makes the actor busy for good.
#[derive(Message)]
#[rtype(result = "()")]
struct Hold;

impl Handler<Hold> for TrackerActor {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, _: Hold, _: &mut Context<Self>) -> Self::Result {
        AtomicResponse::new(Box::pin(std::future::pending().into_actor(self)))
    }
}

#[actix::test]
async fn whoever_is_shed_is_told_when_to_come_back_and_whoever_waits_too_long_that_it_was_too_long() {
    tokio::time::pause();
    let first = handle();
    first.addr().do_send(Hold);
    let config = HandleConfig { max_in_flight: 1, timeout: Duration::from_millis(1500) };
    let narrow = TrackerHandle::from_addr(first.addr().clone(), Arc::clone(first.router()), config).unwrap();
    let request = || complete("alice", json!({ "prompt": "1234" }));

    let (status, retry_after, _) = answer(&narrow, request()).await;
    assert_eq!((status, retry_after), (StatusCode::GATEWAY_TIMEOUT, None));
    // Its message is in the mailbox still, and holds the only place.
    let (status, retry_after, _) = answer(&narrow, request()).await;
    assert_eq!((status, retry_after.as_deref()), (StatusCode::SERVICE_UNAVAILABLE, Some("2")));
}
