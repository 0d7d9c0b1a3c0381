//! Pods that fail, and pods that refuse.

use crate::common::question::{ESTIMATE, Reply};
use crate::common::scripted_pod::{Call, counted_piece, piece};
use crate::common::{Gateway, ScriptedPod, ask_chat, cost, fast_pod, soon};

/// Checks that the gateway gave up, and that it cost nothing.
async fn costs_nothing(gateway: &Gateway, reply: Reply) {
    assert_eq!(reply.status, 502);
    let error = &reply.json()["error"];
    assert_eq!((&error["code"], &error["type"]), (&"pod_failed".into(), &"server_error".into()));
    assert!(reply.header("request-id").is_some());
    assert!(gateway.has_charged_nobody().await);
    assert_eq!(gateway.in_flight().await, 0);
}

/// A new user's request goes to pod a, which fails, and then to b, which answers.
async fn is_answered_by_another_pod(fail: impl AsyncFn(Call)) {
    let (mut bad, good) = (ScriptedPod::start("a").await, fast_pod("b"));
    let gateway = Gateway::before(&[&bad, &good]).await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    fail(bad.call().await).await;
    let reply = reply.await.unwrap();
    assert_eq!(reply.pod(), "b");
    assert_eq!(gateway.tokens("alice").await, cost(&reply.json()["usage"]), "charged once");
    assert_eq!(gateway.in_flight().await, 0);
    assert_eq!(bad.waiting_calls(), 0, "asked once");
}

#[actix_web::test]
async fn a_pod_that_closes_the_connection_before_it_answers_is_replaced() {
    is_answered_by_another_pod(async |call| call.close()).await;
}

#[actix_web::test]
async fn a_pod_that_resets_the_connection_before_it_answers_is_replaced() {
    is_answered_by_another_pod(async |call| call.reset()).await;
}

#[actix_web::test]
async fn a_pod_that_dies_in_the_head_of_its_answer_is_replaced() {
    is_answered_by_another_pod(async |mut call| {
        call.send("HTTP/1.1 200 OK\r\ncontent-ty").await;
        call.close();
    })
    .await;
}

#[actix_web::test]
async fn a_pod_that_dies_in_the_middle_of_a_whole_answer_is_replaced() {
    is_answered_by_another_pod(async |mut call| {
        call.send(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"usage\"",
        )
        .await;
        call.close();
    })
    .await;
}

#[actix_web::test]
async fn a_pod_that_dies_in_the_middle_of_a_whole_answer_in_chunks_is_replaced() {
    is_answered_by_another_pod(async |mut call| {
        call.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        call.chunk(r#"{"choices":[],"usage":{"prompt_tokens":1}"#).await;
        call.close();
    })
    .await;
}

#[actix_web::test]
async fn a_pod_that_resets_the_connection_in_the_middle_of_a_whole_answer_is_replaced() {
    is_answered_by_another_pod(async |mut call| {
        call.send(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"usage\"",
        )
        .await;
        call.reset();
    })
    .await;
}

#[actix_web::test]
async fn a_pod_that_speaks_no_http_is_replaced() {
    is_answered_by_another_pod(async |mut call| call.send("220 mail ready\r\n\r\n").await).await;
}

#[actix_web::test]
async fn a_pod_that_refuses_connections_is_replaced() {
    let (mut bad, good) = (ScriptedPod::start("a").await, fast_pod("b"));
    let gateway = Gateway::before(&[&bad, &good]).await;
    bad.close().await;
    let reply = gateway.ask(ask_chat().of("alice")).await;
    assert_eq!(reply.pod(), "b");
    assert_eq!(gateway.tokens("alice").await, cost(&reply.json()["usage"]));
    // The failure had the pods asked again, though it is not the time.
    gateway.until_ready(1).await;
}

#[actix_web::test]
async fn a_stream_is_replaced_as_long_as_it_has_not_begun() {
    let (mut bad, mut good) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    let gateway = Gateway::before(&[&bad, &good]).await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let first = bad.call().await;
    let asked = first.request.clone();
    first.close();
    let mut second = good.call().await;
    assert_eq!(second.request.body, asked.body);
    assert_eq!(second.request.header("x-request-id"), asked.header("x-request-id"));
    second.begin().await;
    second.event(counted_piece("la", 7, 1)).await;
    second.event("[DONE]").await;
    second.finish().await;
    let events = events.await.unwrap();
    assert_eq!(events.header("target-pod"), Some("b"));
    assert_eq!(events.rest().await.len(), 2);
    assert_eq!(gateway.tokens("alice").await, 9.0);
}

#[actix_web::test]
async fn at_most_the_configured_number_of_other_pods_is_tried_each_once() {
    let mut pods = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        pods.push(ScriptedPod::start(name).await);
    }
    let [a, b, c, d, e] = &pods[..] else { panic!() };
    let gateway = Gateway::configured(&[a, b, c, d, e], "[upstream]\nretries = 2").await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    // A new user begins at the first pod, and with that one gone at the next.
    for pod in &mut pods[..3] {
        pod.call().await.close();
    }
    costs_nothing(&gateway, reply.await.unwrap()).await;
    assert!(pods.iter().all(|pod| pod.waiting_calls() == 0));
}

#[actix_web::test]
async fn with_no_retries_the_first_failure_is_the_answer() {
    let (mut bad, good) = (ScriptedPod::start("a").await, fast_pod("b"));
    let gateway = Gateway::configured(&[&bad, &good], "[upstream]\nretries = 0").await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    bad.call().await.close();
    costs_nothing(&gateway, reply.await.unwrap()).await;
}

#[actix_web::test]
async fn when_all_pods_fail_the_request_costs_nothing() {
    let mut pods = [ScriptedPod::start("a").await, ScriptedPod::start("b").await];
    let gateway = Gateway::before(&[&pods[0], &pods[1]]).await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    pods[0].call().await.close();
    pods[1].call().await.reset();
    costs_nothing(&gateway, reply.await.unwrap()).await;
}

#[actix_web::test]
async fn an_answer_longer_than_is_allowed_is_asked_for_once_and_costs_the_estimate() {
    let (mut pod, other) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    let gateway = Gateway::configured(&[&pod, &other], "[upstream]\nanswer_bytes = 100").await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    pod.call().await.answer(200, &"x".repeat(101)).await;
    let reply = reply.await.unwrap();
    assert_eq!(reply.status, 502);
    let message = &reply.json()["error"]["message"];
    assert!(message.as_str().unwrap().contains("100 bytes"), "{message}");
    assert_eq!(gateway.tokens("alice").await, ESTIMATE);
    assert_eq!((gateway.in_flight().await, other.waiting_calls()), (0, 0));
}

/// A stream of two events, which cost 7 + 2 * 2, and then this.
async fn breaks_off(end: impl AsyncFn(Call)) {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    let mut events = events.await.unwrap();
    for written in 1..=2 {
        call.event(counted_piece("la", 7, written)).await;
        assert_eq!(events.next_json().await, piece("la"));
    }
    end(call).await;
    let rest = events.rest().await;
    let error: serde_json::Value = serde_json::from_str(rest.last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "pod_failed");
    assert_eq!(gateway.tokens("alice").await, 11.0);
    assert_eq!(gateway.in_flight().await, 0);
}

#[actix_web::test]
async fn a_stream_whose_pod_dies_ends_with_an_error_and_costs_what_was_delivered() {
    breaks_off(async |call| call.close()).await;
}

#[actix_web::test]
async fn a_stream_whose_pod_resets_the_connection_ends_with_an_error_and_costs_what_was_delivered() {
    breaks_off(async |call| call.reset()).await;
}

#[actix_web::test]
async fn a_stream_that_ends_without_its_last_event_ends_with_an_error() {
    breaks_off(async |call| call.finish().await).await;
}

#[actix_web::test]
async fn the_error_is_an_event_of_its_own_behind_one_that_came_in_part() {
    breaks_off(async |mut call| {
        call.chunk("data: {\"choices\":[{\"del").await;
        call.close();
    })
    .await;
}

#[actix_web::test]
async fn a_stream_that_is_complete_may_end_anyhow() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let ends: [fn(Call); 2] = [Call::close, Call::reset];
    for end in ends {
        let events = gateway.start_streaming(ask_chat().streamed());
        let mut call = pod.call().await;
        call.begin().await;
        call.event("[DONE]").await;
        let mut events = events.await.unwrap();
        assert_eq!(events.next().await.unwrap(), "[DONE]");
        end(call);
        assert_eq!(events.next().await, None);
    }
}

#[actix_web::test]
async fn a_pods_own_error_passes_through_and_costs_nothing() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let errors = [
        (400, r#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#),
        (429, r#"{ "error": "later" }"#),
        (500, "no JSON"),
    ];
    for (status, body) in errors {
        for question in [ask_chat(), ask_chat().streamed()] {
            let reply = gateway.start_asking(question.of("alice"));
            pod.call().await.answer(status, body).await;
            let reply = reply.await.unwrap();
            assert_eq!((reply.status, &reply.body[..]), (status, body.as_bytes()));
            assert_eq!(reply.header("target-pod"), Some("a"));
            assert!(gateway.has_charged_nobody().await);
            assert_eq!(gateway.in_flight().await, 0);
        }
    }
    assert_eq!(pod.waiting_calls(), 0, "an error is an answer: nobody else is asked");
}

#[actix_web::test]
async fn a_pod_that_failed_once_and_still_lists_its_models_stays_in_use() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.start_asking(ask_chat());
    pod.call().await.close();
    assert_eq!(reply.await.unwrap().status, 502);
    pod.always(|call| call.answer_chat(7, 5));
    assert_eq!(soon(gateway.ask(ask_chat())).await.status, 200);
}
