//! Whatever else there is under `/v1/`.

use crate::common::wire::Message;
use crate::common::{Gateway, ScriptedPod, ask_chat};

/// Sends these very bytes, and has the pod answer them. Returns the reply and what the pod saw.
async fn passed(gateway: &Gateway, pod: &mut ScriptedPod, request: &str, answer: &str) -> (Message, Message) {
    let answering = async {
        let mut call = pod.call().await;
        let seen = call.request.clone();
        call.send(answer).await;
        seen
    };
    tokio::join!(gateway.exchange(request), answering)
}

const EMPTY: &str = "HTTP/1.1 204 No Content\r\nx-own: 1\r\n\r\n";

#[actix_web::test]
async fn a_path_that_nobody_knows_goes_to_a_pod_as_it_is_by_whatever_method() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    for (method, path) in [
        ("GET", "/v1/files?limit=2&after=a%20b"),
        ("DELETE", "/v1/files/x%2Fy"),
        ("PUT", "/v1/fine_tuning/jobs/"),
        ("PATCH", "/v1/a"),
        ("OPTIONS", "/v1/a"),
    ] {
        let before = gateway.tokens("alice").await;
        let request = format!("{method} {path} HTTP/1.1\r\nhost: gateway\r\nuser: alice\r\n\r\n");
        let (reply, seen) = passed(&gateway, &mut pod, &request, EMPTY).await;
        assert_eq!(seen.first_line, format!("{method} {path} HTTP/1.1"));
        assert!(reply.first_line.contains(" 204 "), "{}", reply.first_line);
        assert_eq!((reply.header("x-own"), reply.header("target-pod")), (Some("1"), Some("a")));
        gateway.until_idle().await;
        assert_eq!(gateway.tokens("alice").await - before, 1.0, "the least that a request costs");
    }
}

#[actix_web::test]
async fn it_is_routed_by_its_model_and_costs_its_usage_or_its_estimate() {
    let mut pods =
        [ScriptedPod::of_kind("a", "vllm", &["x"]).await, ScriptedPod::of_kind("b", "vllm", &["m"]).await];
    let gateway = Gateway::configured(&[&pods[0], &pods[1]], "[models.aliases]\nother = \"m\"").await;
    for (sent, seen, answer, cost) in [
        (
            r#"{"model":"m","input":["twelve bytes"]}"#,
            r#"{"model":"m","input":["twelve bytes"]}"#,
            r#"{"usage":{"prompt_tokens":9,"completion_tokens":2}}"#,
            13.0,
        ),
        (
            r#"{"input":"twelve bytes","model":"other"}"#,
            r#"{"input":"twelve bytes","model":"m"}"#,
            r#"{"input_tokens":7}"#,
            3.0,
        ),
    ] {
        let before = gateway.tokens("alice").await;
        let reply = gateway.start_asking(ask_chat().at("/v1/pooling").with_body(sent).of("alice"));
        let call = pods[1].call().await;
        assert_eq!(call.request.body, seen.as_bytes());
        call.answer(200, answer).await;
        assert_eq!(reply.await.unwrap().body, answer);
        assert_eq!(gateway.tokens("alice").await - before, cost);
    }
    let reply = gateway.ask(ask_chat().at("/v1/pooling").with("model", "gpt-9")).await;
    assert_eq!(reply.status, 404);
    assert_eq!(pods[0].waiting_calls(), 0);
}

#[actix_web::test]
async fn its_answer_reaches_its_client_before_the_pod_goes_on() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    for kind in ["application/json", "application/jsonl", "text/event-stream"] {
        let answer = gateway.start_streaming(ask_chat().at("/v1/batches").of("alice"));
        let mut call = pod.call().await;
        call.send(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        ))
        .await;
        let mut answer = answer.await.unwrap();
        for _ in 0..2 {
            call.chunk("data: 1\n\n").await;
            assert_eq!(answer.next().await.unwrap(), "1", "{kind}");
        }
        call.chunk("data: [DONE]\n\n").await;
        call.finish().await;
        assert_eq!(answer.rest().await, ["[DONE]"]);
        gateway.until_idle().await;
    }
}

#[actix_web::test]
async fn a_client_that_leaves_in_its_middle_frees_its_place() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let answer = gateway.start_streaming(ask_chat().at("/v1/batches").of("alice"));
    let mut call = pod.call().await;
    call.send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n1\n\n").await;
    let mut answer = answer.await.unwrap();
    answer.next().await.unwrap();
    assert_eq!(gateway.in_flight().await, 1);
    drop(answer);
    call.closed().await;
    gateway.until_idle().await;
    assert_eq!(gateway.tokens("alice").await, 3.0);
}

#[actix_web::test]
async fn what_may_do_something_is_not_done_twice() {
    let (mut bad, mut good) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    let gateway = Gateway::before(&[&bad, &good]).await;
    let reply = gateway.start_asking(ask_chat().at("/v1/files").of("alice"));
    bad.call().await.close();
    let reply = reply.await.unwrap();
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (502, &"pod_failed".into()));
    assert_eq!(good.waiting_calls(), 0);
    assert!(gateway.has_charged_nobody().await);
    // To look does nothing.
    let request = "GET /v1/files HTTP/1.1\r\nhost: gateway\r\nuser: alice\r\n\r\n";
    let failing = async { bad.call().await.close() };
    let answering = async { good.call().await.answer(200, "{}").await };
    let (reply, (), ()) = tokio::join!(gateway.exchange(request), failing, answering);
    assert!(reply.first_line.contains(" 200 "), "{}", reply.first_line);
}

#[actix_web::test]
async fn a_path_that_climbs_out_of_it_goes_nowhere() {
    let pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    for path in ["/v1/../metrics", "/v1/%2e%2E/metrics", "/v1/x/..%2f..%2fmetrics"] {
        let reply = gateway.exchange(format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n\r\n")).await;
        assert!(reply.first_line.contains(" 404 "), "{path}: {}", reply.first_line);
    }
    assert_eq!(pod.waiting_calls(), 0);
}

#[actix_web::test]
async fn nothing_is_passed_where_that_is_turned_off() {
    let pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[endpoints]\npass_unknown = false").await;
    let reply = gateway.ask(ask_chat().at("/v1/load_lora_adapter")).await;
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &"not_found".into()));
    assert_eq!(pod.waiting_calls(), 0);
}
