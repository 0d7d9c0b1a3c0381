//! Streams of the newer APIs: what they cost, and when they are over.

use serde_json::{Value, json};

use crate::common::question::Question;
use crate::common::scripted_pod::Call;
use crate::common::{Gateway, ScriptedPod, ask_chat};

fn ask_messages() -> Question {
    ask_chat().at("/v1/messages").streamed().with("max_tokens", 100).of("alice")
}

fn ask_responses() -> Question {
    let body = r#"{"model":"m","input":"twelve bytes","stream":true}"#;
    ask_chat().at("/v1/responses").with_body(body).of("alice")
}

/// An event with its name, as these APIs send them.
async fn tell(call: &mut Call, event: Value) {
    let name = event["type"].as_str().unwrap();
    call.chunk(&format!("event: {name}\ndata: {event}\n\n")).await;
}

fn message_start() -> Value {
    json!({ "type": "message_start", "message": { "type": "message", "usage":
        { "input_tokens": 4, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 6, "output_tokens": 1 } } })
}

fn text_delta() -> Value {
    json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "la" } })
}

#[actix_web::test]
async fn a_stream_of_messages_costs_its_usage_and_ends_with_message_stop() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_messages());
    let mut call = pod.call().await;
    assert_eq!(call.json().get("stream_options"), None, "there is nothing to ask for");
    call.begin().await;
    let mut events = events.await.unwrap();
    tell(&mut call, message_start()).await;
    events.next().await.unwrap();
    for written in 1..=3 {
        tell(&mut call, text_delta()).await;
        assert!(events.next().await.unwrap().starts_with("event: content_block_delta\ndata: {"));
        // It is charged as it goes, though only its end tells how much it was.
        assert_eq!(gateway.tokens("alice").await, 30.0 + 2.0 * f64::from(written));
    }
    tell(
        &mut call,
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 7 } }),
    )
    .await;
    tell(&mut call, json!({ "type": "message_stop" })).await;
    events.next().await.unwrap();
    events.next().await.unwrap();
    // The pod has not ended the body yet.
    assert_eq!((gateway.tokens("alice").await, gateway.in_flight().await), (44.0, 0));
    call.finish().await;
    assert_eq!(events.next().await, None);
}

#[actix_web::test]
async fn a_client_that_leaves_a_stream_of_messages_pays_what_was_read_and_the_pieces_it_got() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_messages());
    let mut call = pod.call().await;
    call.begin().await;
    let mut events = events.await.unwrap();
    tell(&mut call, message_start()).await;
    for _ in 0..3 {
        tell(&mut call, text_delta()).await;
    }
    for _ in 0..4 {
        events.next().await.unwrap();
    }
    drop(events);
    call.closed().await;
    gateway.until_idle().await;
    assert_eq!(gateway.tokens("alice").await, 30.0 + 2.0 * 3.0);
}

#[actix_web::test]
async fn a_stream_of_a_response_costs_its_usage_however_it_ends() {
    for end in ["response.completed", "response.incomplete"] {
        let mut pod = ScriptedPod::start("a").await;
        let gateway = Gateway::before(&[&pod]).await;
        let events = gateway.start_streaming(ask_responses());
        let mut call = pod.call().await;
        call.begin().await;
        tell(&mut call, json!({ "type": "response.created", "response": { "usage": null } })).await;
        tell(&mut call, json!({ "type": "response.output_text.delta", "delta": "la" })).await;
        let usage =
            json!({ "input_tokens": 11, "input_tokens_details": { "cached_tokens": 8 }, "output_tokens": 6 });
        tell(&mut call, json!({ "type": end, "response": { "output": [], "usage": usage } })).await;
        let mut events = events.await.unwrap();
        for _ in 0..3 {
            events.next().await.unwrap();
        }
        assert_eq!((gateway.tokens("alice").await, gateway.in_flight().await), (23.0, 0), "{end}");
        call.finish().await;
        assert_eq!(events.next().await, None, "nothing is added");
    }
}

#[actix_web::test]
async fn a_stream_that_ends_with_the_pods_own_error_costs_what_was_delivered_and_gets_no_other() {
    for (question, error) in [
        (
            ask_responses(),
            json!({ "type": "response.failed", "response": { "error": { "code": "server_error" } } }),
        ),
        (ask_messages(), json!({ "type": "error", "error": { "type": "overloaded_error", "message": "x" } })),
    ] {
        let mut pod = ScriptedPod::start("a").await;
        let gateway = Gateway::before(&[&pod]).await;
        let events = gateway.start_streaming(question);
        let mut call = pod.call().await;
        call.begin().await;
        tell(&mut call, json!({ "type": "response.output_text.delta", "delta": "la" })).await;
        tell(&mut call, error).await;
        call.finish().await;
        assert_eq!(events.await.unwrap().rest().await.len(), 2);
        assert_eq!((gateway.tokens("alice").await, gateway.in_flight().await), (5.0, 0));
    }
}

#[actix_web::test]
async fn a_stream_of_messages_that_breaks_off_ends_with_an_error_event() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_messages());
    let mut call = pod.call().await;
    call.begin().await;
    tell(&mut call, message_start()).await;
    call.close();
    let events = events.await.unwrap().rest().await;
    assert_eq!(events.len(), 2);
    assert!(events[1].contains("pod_failed"), "{}", events[1]);
    // It said that it had written one token by then.
    assert_eq!((gateway.tokens("alice").await, gateway.in_flight().await), (32.0, 0));
}

#[actix_web::test]
async fn a_stream_of_llama_cpps_own_costs_what_its_last_event_says() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let body = r#"{"prompt":"twelve bytes","stream":true}"#;
    let events = gateway.start_streaming(ask_chat().at("/completion").with_body(body).of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    for _ in 0..2 {
        call.event(json!({ "index": 0, "content": "la", "stop": false })).await;
    }
    call.event(json!({ "content": "", "stop": true, "tokens_predicted": 4, "tokens_evaluated": 9 })).await;
    call.finish().await;
    assert_eq!(events.await.unwrap().rest().await.len(), 3);
    assert_eq!((gateway.tokens("alice").await, gateway.in_flight().await), (17.0, 0));
}
