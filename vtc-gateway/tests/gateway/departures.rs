//! Clients that leave.

use crate::common::question::ESTIMATE;
use crate::common::scripted_pod::{counted_piece, piece};
use crate::common::{Gateway, ScriptedPod, ask_chat};

#[actix_web::test]
async fn a_client_that_leaves_a_stream_pays_what_was_delivered_and_its_pod_stops() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    let mut events = events.await.unwrap();
    for written in 1..=2 {
        call.event(counted_piece("la", 4, written)).await;
        events.next().await.unwrap();
    }
    drop(events);
    call.closed().await;
    gateway.until_idle().await;
    assert_eq!(gateway.tokens("alice").await, 4.0 + 2.0 * 2.0);
}

#[actix_web::test]
async fn a_client_that_leaves_a_stream_without_usage_pays_for_the_pieces_it_got() {
    let mut pod = ScriptedPod::of_kind("a", "somebody", &["m"]).await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    let mut events = events.await.unwrap();
    for _ in 0..3 {
        call.event(piece("la")).await;
        events.next().await.unwrap();
    }
    drop(events);
    call.closed().await;
    gateway.until_idle().await;
    assert_eq!(gateway.tokens("alice").await, 3.0 + 2.0 * 3.0);
}

#[actix_web::test]
async fn a_client_that_leaves_a_stream_before_its_first_event_pays_for_the_prompt() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    drop(events.await.unwrap());
    call.closed().await;
    gateway.until_idle().await;
    assert_eq!(gateway.tokens("alice").await, 3.0);
}

#[actix_web::test]
async fn a_client_that_leaves_before_its_answer_pays_the_estimate_and_its_pod_stops() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    for question in [ask_chat(), ask_chat().streamed()] {
        let before = gateway.tokens("alice").await;
        let reply = gateway.start_asking(question.of("alice"));
        let call = pod.call().await;
        assert_eq!(gateway.in_flight().await, 1);
        reply.abort();
        call.closed().await;
        gateway.until_idle().await;
        assert_eq!(gateway.tokens("alice").await, before + ESTIMATE);
    }
}

#[actix_web::test]
async fn a_client_that_leaves_in_the_middle_of_the_pods_answer_pays_the_estimate() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    let mut call = pod.call().await;
    call.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{").await;
    assert_eq!(gateway.in_flight().await, 1);
    reply.abort();
    call.closed().await;
    gateway.until_idle().await;
    assert_eq!(gateway.tokens("alice").await, ESTIMATE);
}
