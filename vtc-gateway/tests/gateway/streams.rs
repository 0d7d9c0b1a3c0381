//! What a client sees of a stream, and when.

use serde_json::json;

use crate::common::scripted_pod::{counted_piece, only_usage, piece};
use crate::common::{Gateway, ScriptedPod, ask_chat};

#[actix_web::test]
async fn an_event_reaches_its_client_before_the_pod_goes_on() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed());
    let mut call = pod.call().await;
    call.begin().await;
    // The head comes without any event, and every event without the next.
    let mut events = events.await.unwrap();
    for number in 0..5 {
        call.event(piece(&format!("{number}"))).await;
        assert_eq!(events.next_json().await["choices"][0]["delta"]["content"], format!("{number}"));
    }
    call.event("[DONE]").await;
    call.finish().await;
    assert_eq!(events.rest().await, ["[DONE]"]);
}

#[actix_web::test]
async fn events_that_come_in_pieces_or_together_stay_the_same() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed());
    let mut call = pod.call().await;
    call.begin().await;
    for chunk in
        ["da", "ta: {\"choices\":[]", "}\n", "\ndata: 1\n\ndata: 2\n\n", ": ping\n\n", "data: [DONE]\n\n"]
    {
        call.chunk(chunk).await;
    }
    call.finish().await;
    assert_eq!(events.await.unwrap().rest().await, [r#"{"choices":[]}"#, "1", "2", ": ping\n\n", "[DONE]"]);
}

#[actix_web::test]
async fn usage_that_only_the_gateway_asked_for_is_taken_out() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    let asked = json!({ "include_usage": true, "continuous_usage_stats": true });
    assert_eq!(call.json()["stream_options"], asked);
    call.begin().await;
    call.event(counted_piece("la", 7, 1)).await;
    call.event(only_usage(7, 1)).await;
    call.event("[DONE]").await;
    call.finish().await;
    assert_eq!(events.await.unwrap().rest().await, [piece("la").to_string().as_str(), "[DONE]"]);
    assert_eq!(gateway.tokens("alice").await, 9.0);
}

#[actix_web::test]
async fn usage_that_the_client_asked_for_stays() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let question = ask_chat().streamed().with("stream_options", json!({ "include_usage": true }));
    let events = gateway.start_streaming(question.of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    call.event(counted_piece("la", 7, 1)).await;
    call.event(only_usage(7, 1)).await;
    call.event("[DONE]").await;
    call.finish().await;
    // At the end it was asked for, with the piece it was not.
    let expected = [piece("la").to_string(), only_usage(7, 1).to_string(), "[DONE]".to_owned()];
    assert_eq!(events.await.unwrap().rest().await, expected);
    assert_eq!(gateway.tokens("alice").await, 9.0);
}

#[actix_web::test]
async fn a_request_is_settled_before_its_client_sees_the_end() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    call.event(piece("la")).await;
    call.event(only_usage(2, 1)).await;
    call.event("[DONE]").await;
    let mut events = events.await.unwrap();
    while events.next().await.unwrap() != "[DONE]" {}
    // The pod has not ended the body yet: it was the event that settled it. It cost less than its estimate.
    assert_eq!((gateway.tokens("alice").await, gateway.in_flight().await), (4.0, 0));
    call.finish().await;
    assert_eq!(events.next().await, None);
}

#[actix_web::test]
async fn what_passes_the_reservation_is_charged_while_the_stream_goes_on() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    let mut events = events.await.unwrap();
    for (written, tokens) in [(1, 13.0), (50, 107.0), (100, 207.0)] {
        call.event(counted_piece("la", 7, written)).await;
        events.next().await.unwrap();
        assert_eq!(gateway.tokens("alice").await, tokens);
    }
    assert_eq!(gateway.in_flight().await, 1);
}

#[actix_web::test]
async fn a_client_of_http_1_0_gets_a_stream_without_chunks_that_ends_with_the_connection() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let body = r#"{"model":"m","messages":[],"stream":true}"#;
    let head = format!("POST /v1/chat/completions HTTP/1.0\r\ncontent-length: {}\r\n\r\n", body.len());
    let answering = async {
        let mut call = pod.call().await;
        call.begin().await;
        call.event("[DONE]").await;
        call.finish().await;
    };
    let (reply, ()) = tokio::join!(gateway.exchange_to_the_end(format!("{head}{body}")), answering);
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("200 OK") && !head.contains("transfer-encoding"), "{head}");
    assert_eq!(body, "data: [DONE]\n\n");
}
