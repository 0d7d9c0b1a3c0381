//! Who is charged for an answer, and how much.

use serde_json::{Value, json};

use crate::common::question::{ESTIMATE, Question};
use crate::common::scripted_pod::piece;
use crate::common::{Gateway, ScriptedPod, ask_chat, ask_completion, ask_embeddings, cost, fast_pod};

/// Asks for an answer, and compares its usage with what its user has.
async fn costs_its_usage(question: Question) {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    let mut total = 0.0;
    for _ in 0..3 {
        let reply = gateway.ask(question.clone().of("alice")).await;
        assert_eq!(reply.status, 200);
        total += cost(&reply.json()["usage"]);
        assert_eq!(gateway.tokens("alice").await, total);
    }
    assert_eq!(gateway.in_flight().await, 0);
}

#[actix_web::test]
async fn a_chat_costs_its_user_what_its_pod_says_it_took() {
    costs_its_usage(ask_chat().with("max_tokens", 9)).await;
}

#[actix_web::test]
async fn a_completion_costs_its_user_what_its_pod_says_it_took() {
    costs_its_usage(ask_completion().with("max_tokens", 9)).await;
}

#[actix_web::test]
async fn embeddings_cost_their_user_what_their_pod_says_it_read() {
    costs_its_usage(ask_embeddings()).await;
}

/// Asks for a stream with these options, and compares what it costs with the same answer in one piece.
async fn streams_for_the_price_of_a_whole_answer(options: Value) {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    for question in [ask_chat().with("max_tokens", 9), ask_completion().with("max_tokens", 9)] {
        let whole = gateway.ask(question.clone()).await;
        let user = question.path;
        let streamed = question.streamed().with("stream_options", options.clone()).of(user);
        let events = gateway.stream(streamed).await.rest().await;
        assert_eq!(events.last().unwrap(), "[DONE]");
        assert_eq!(gateway.tokens(user).await, cost(&whole.json()["usage"]));
    }
    assert_eq!(gateway.in_flight().await, 0);
}

#[actix_web::test]
async fn a_stream_whose_client_asks_for_no_usage_costs_as_much_as_a_whole_answer() {
    streams_for_the_price_of_a_whole_answer(Value::Null).await;
}

#[actix_web::test]
async fn a_stream_whose_client_asks_for_usage_costs_as_much_as_a_whole_answer() {
    streams_for_the_price_of_a_whole_answer(json!({ "include_usage": true })).await;
}

#[actix_web::test]
async fn a_stream_whose_client_asks_for_usage_in_every_chunk_costs_as_much_as_a_whole_answer() {
    let options = json!({ "include_usage": true, "continuous_usage_stats": true });
    streams_for_the_price_of_a_whole_answer(options).await;
}

#[actix_web::test]
async fn a_stream_of_llama_cpp_costs_what_its_timings_say() {
    let mut pod = ScriptedPod::of_kind("a", "llamacpp", &["m"]).await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    assert_eq!(call.json()["timings_per_token"], true);
    assert_eq!(call.json().get("stream_options"), None);
    call.begin().await;
    for written in 1..=2 {
        let mut chunk = piece("la");
        chunk["timings"] = json!({ "cache_n": 4, "prompt_n": 6, "predicted_n": written });
        call.event(chunk).await;
    }
    call.event("[DONE]").await;
    call.finish().await;
    assert_eq!(events.await.unwrap().rest().await.len(), 3);
    assert_eq!(gateway.tokens("alice").await, 10.0 + 2.0 * 2.0);
}

#[actix_web::test]
async fn a_stream_that_tells_no_usage_costs_its_pieces_and_the_estimated_input() {
    let mut pod = ScriptedPod::of_kind("a", "somebody", &["m"]).await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    for data in [piece("one"), piece("two")] {
        call.event(data).await;
    }
    call.event("[DONE]").await;
    call.finish().await;
    events.await.unwrap().rest().await;
    assert_eq!(gateway.tokens("alice").await, 3.0 + 2.0 * 2.0);
}

#[actix_web::test]
async fn an_answer_that_tells_no_usage_costs_the_estimate() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    pod.call().await.answer(200, r#"{"choices":[]}"#).await;
    assert_eq!(reply.await.unwrap().status, 200);
    assert_eq!(gateway.tokens("alice").await, ESTIMATE);
    assert_eq!(gateway.in_flight().await, 0);
}

#[actix_web::test]
async fn while_an_answer_is_awaited_its_estimate_is_charged() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    let call = pod.call().await;
    assert_eq!((gateway.tokens("alice").await, gateway.in_flight().await), (ESTIMATE, 1));
    call.answer_chat(2, 1).await;
    reply.await.unwrap();
    assert_eq!((gateway.tokens("alice").await, gateway.in_flight().await), (4.0, 0));
}

#[actix_web::test]
async fn users_are_charged_apart() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    let short = gateway.ask(ask_chat().with("max_tokens", 1).of("alice")).await.json();
    let long = gateway.ask(ask_chat().with("max_tokens", 90).of("bob")).await.json();
    assert_eq!(gateway.tokens("alice").await, cost(&short["usage"]));
    assert_eq!(gateway.tokens("bob").await, cost(&long["usage"]));
}

#[actix_web::test]
async fn a_user_of_another_alphabet_is_charged_like_any_other() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    let body = r#"{"model":"m","messages":[{"role":"user","content":"twelve bytes"}],"max_tokens":4}"#;
    let length = body.len();
    // By hand: a library would not send it, others do.
    for (sent, told) in [("Żofia".as_bytes(), "Żofia"), (b"J\xf6rg", "J\u{fffd}rg")] {
        let head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nuser: ";
        let rest = format!("\r\ncontent-length: {length}\r\n\r\n{body}");
        let reply = gateway.exchange([&head[..], sent, rest.as_bytes()].concat()).await;
        let usage = &serde_json::from_slice::<Value>(&reply.body).unwrap()["usage"];
        assert_eq!(gateway.tokens(told).await, cost(usage), "{told}");
    }
}

#[actix_web::test]
async fn a_request_for_more_than_a_window_can_hold_wipes_nothing_out() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    pod.call().await.answer_chat(7, 5).await;
    reply.await.unwrap();
    assert_eq!(gateway.tokens("alice").await, 17.0);
    // Its reservation comes back when the pod refuses: no more than that, and all of it.
    let reply = gateway.start_asking(ask_chat().with("n", 1e15).of("alice"));
    pod.call().await.answer(400, "{}").await;
    assert_eq!(reply.await.unwrap().status, 400);
    assert_eq!(gateway.tokens("alice").await, 17.0);
}

#[actix_web::test]
async fn whoever_names_no_user_is_one_account_with_all_others_who_do_not() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    for question in [ask_chat(), ask_chat().of("")] {
        let reply = gateway.start_asking(question);
        pod.call().await.answer_chat(7, 5).await;
        assert_eq!(reply.await.unwrap().status, 200);
    }
    assert_eq!(gateway.tokens("@anonymous").await, 2.0 * 17.0);
    assert_eq!(gateway.in_flight().await, 0);
}

#[actix_web::test]
async fn a_stream_that_names_no_user_is_charged_to_that_account() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.stream(ask_chat().streamed().with("max_tokens", 9)).await.rest().await;
    // The role, nine tokens, and the end.
    assert_eq!(events.len(), 11);
    assert!(gateway.tokens("@anonymous").await > 18.0);
    assert_eq!(gateway.in_flight().await, 0);
}
