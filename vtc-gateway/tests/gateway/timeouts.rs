//! Pods that take too long.

use serde_json::Value;

use crate::common::question::Reply;
use crate::common::scripted_pod::{counted_piece, piece};
use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod};

/// Checks that the gateway gave the pod up for this reason, and that it cost nothing.
async fn is_given_up(gateway: &Gateway, reply: Reply, reason: &str) {
    assert_eq!(reply.status, 504);
    let error = &reply.json()["error"];
    assert_eq!((&error["code"], &error["type"]), (&"pod_timeout".into(), &"server_error".into()));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(reason), "{message}");
    assert!(reply.header("request-id").is_some());
    assert!(gateway.has_charged_nobody().await);
    assert_eq!(gateway.in_flight().await, 0);
}

/// Checks that this is the last event of a stream that was given up for this reason.
fn tells_that_it_was_given_up(event: &str, reason: &str) {
    let event: Value = serde_json::from_str(event).unwrap();
    assert_eq!(event["error"]["code"], "pod_timeout");
    assert!(event["error"]["message"].as_str().unwrap().contains(reason), "{event}");
}

#[actix_web::test]
async fn an_answer_that_does_not_begin_in_time_is_given_up_and_no_other_pod_is_asked() {
    let (mut slow, other) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    let gateway = Gateway::configured(&[&slow, &other], "[upstream]\nfirst_byte_timeout = \"20ms\"").await;
    for question in [ask_chat(), ask_chat().streamed()] {
        let reply = gateway.start_asking(question.of("alice"));
        let call = slow.call().await;
        is_given_up(&gateway, reply.await.unwrap(), "its answer did not begin within 20ms").await;
        call.closed().await;
    }
    assert_eq!(other.waiting_calls(), 0);
}

#[actix_web::test]
async fn an_answer_that_stands_still_is_given_up() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[upstream]\nidle_timeout = \"20ms\"").await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    let mut call = pod.call().await;
    call.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{").await;
    is_given_up(&gateway, reply.await.unwrap(), "its answer stood still for 20ms").await;
    call.closed().await;
}

#[actix_web::test]
async fn a_stream_that_stands_still_ends_with_an_error_and_costs_what_was_delivered() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[upstream]\nidle_timeout = \"20ms\"").await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    call.event(counted_piece("la", 7, 2)).await;
    let mut events = events.await.unwrap();
    assert_eq!(events.next_json().await, piece("la"));
    let rest = events.rest().await;
    assert_eq!(rest.len(), 1);
    tells_that_it_was_given_up(&rest[0], "its answer stood still for 20ms");
    call.closed().await;
    gateway.until_idle().await;
    assert_eq!(gateway.tokens("alice").await, 11.0);
}

#[actix_web::test]
async fn an_answer_that_goes_on_and_on_is_given_up() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[upstream]\nrequest_timeout = \"50ms\"").await;
    pod.always(async |mut call| {
        call.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        while call.still_listens() {
            call.chunk(" ").await;
            tokio::task::yield_now().await;
        }
    });
    let reply = gateway.ask(ask_chat().of("alice")).await;
    is_given_up(&gateway, reply, "its answer was not complete within 50ms").await;
}

#[actix_web::test]
async fn a_stream_that_goes_on_and_on_ends_with_an_error() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[upstream]\nrequest_timeout = \"50ms\"").await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    call.event(counted_piece("la", 7, 1)).await;
    let going_on = actix_web::rt::spawn(async move {
        while call.still_listens() {
            call.event("{\"choices\":[]}").await;
            tokio::task::yield_now().await;
        }
    });
    let rest = events.await.unwrap().rest().await;
    tells_that_it_was_given_up(rest.last().unwrap(), "its answer was not complete within 50ms");
    going_on.await.unwrap();
    gateway.until_idle().await;
    assert_eq!(gateway.tokens("alice").await, 9.0);
}

#[actix_web::test]
async fn a_pod_that_does_not_take_the_connection_in_time_is_replaced() {
    let (mut full, other) = (ScriptedPod::start("a").await, fast_pod("b"));
    let gateway = Gateway::configured(&[&full, &other], "[upstream]\nconnect_timeout = \"20ms\"").await;
    let _queue = full.stand_still().await;
    assert_eq!(gateway.ask(ask_chat()).await.pod(), "b");
}

#[actix_web::test]
async fn while_the_only_pod_takes_no_connections_requests_are_told_to_come_back() {
    let mut full = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&full], "[upstream]\nconnect_timeout = \"20ms\"").await;
    let _queue = full.stand_still().await;
    let reply = gateway.ask(ask_chat().of("alice")).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("2")));
    assert!(gateway.has_charged_nobody().await);
}
