//! Requests that no pod gets to see.

use serde_json::Value;

use crate::common::question::{Question, Reply};
use crate::common::wire::Message;
use crate::common::{Gateway, ScriptedPod, ask_chat, ask_completion, ask_embeddings, fast_pod};

/// Checks OpenAI's shape, and returns the message.
fn error(body: &Value, code: &str, param: Option<&str>) -> String {
    let error = &body["error"];
    assert_eq!(error.as_object().unwrap().len(), 4, "{error}");
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(error["code"], code);
    assert_eq!(error["param"], param.map_or(Value::Null, Value::from));
    error["message"].as_str().unwrap().to_owned()
}

/// Has that question refused, and returns the message.
async fn refused(question: Question, status: u16, code: &str, param: Option<&str>) -> String {
    let pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.ask(question.of("alice").with_header("request-id", "mine")).await;
    assert_eq!(reply.status, status);
    assert_eq!(reply.header("request-id"), Some("mine"));
    assert_eq!(reply.header("target-pod"), None);
    assert!(gateway.has_charged_nobody().await);
    assert_eq!(pod.waiting_calls(), 0, "a pod saw it");
    error(&reply.json(), code, param)
}

#[actix_web::test]
async fn a_body_that_is_no_json_is_refused() {
    for body in ["", "no JSON", "{", "[1]", r#"{"model":"m","messages":[}"#] {
        for question in [ask_chat(), ask_completion(), ask_embeddings()] {
            let message = refused(question.with_body(body), 400, "invalid_request", None).await;
            assert!(message.contains("JSON"), "{message}");
        }
    }
}

#[actix_web::test]
async fn a_request_without_a_model_is_refused() {
    for body in [r#"{"messages":[]}"#, r#"{"model":null,"messages":[]}"#] {
        let message = refused(ask_chat().with_body(body), 400, "invalid_request", Some("model")).await;
        assert!(message.contains("GET /v1/models"), "{message}");
    }
    for question in [ask_completion(), ask_embeddings()] {
        refused(question.with_body("{}"), 400, "invalid_request", Some("model")).await;
    }
}

#[actix_web::test]
async fn a_field_of_the_wrong_type_is_refused_by_its_name() {
    let message = refused(ask_chat().with("n", "two"), 400, "invalid_request", Some("n")).await;
    assert!(message.contains("whole number"), "{message}");
}

#[actix_web::test]
async fn an_unknown_model_is_refused_with_the_models_there_are() {
    let pods = [
        ScriptedPod::of_kind("a", "vllm", &["x", "y"]).await,
        ScriptedPod::of_kind("b", "vllm", &["y", "z"]).await,
    ];
    let gateway = Gateway::before(&[&pods[0], &pods[1]]).await;
    let reply = gateway.ask(ask_chat().with("model", "gpt-9").of("alice")).await;
    assert_eq!(reply.status, 404);
    assert!(reply.header("request-id").is_some());
    let message = error(&reply.json(), "model_not_found", Some("model"));
    assert!(message.contains("\"gpt-9\"") && message.ends_with("there are: x, y, z"), "{message}");
    assert!(gateway.has_charged_nobody().await);
}

#[actix_web::test]
async fn an_unknown_routing_strategy_is_refused_with_those_there_are() {
    for name in ["fastest", "", "VTC-BASIC"] {
        let question = ask_chat().with_header("routing-strategy", name);
        let message = refused(question, 400, "unknown_routing_strategy", Some("routing-strategy")).await;
        for policy in ["vtc-basic", "random", "round-robin", "least-request", "power-of-two"] {
            assert!(message.contains(policy), "{message}");
        }
    }
}

#[actix_web::test]
async fn a_user_whose_name_has_no_end_is_refused() {
    let pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.ask(ask_chat().of(&"x".repeat(257))).await;
    assert_eq!(reply.status, 400);
    let message = error(&reply.json(), "invalid_request", Some("user"));
    assert!(message.contains("256 bytes"), "{message}");
    assert!(gateway.has_charged_nobody().await);
}

/// What there is at that path. It stands in the reply that it is not there.
async fn not_found(reply: Reply, what: &str) {
    assert_eq!(reply.status, 404);
    assert_eq!(reply.header("request-id").map(str::len), Some(36));
    let message = error(&reply.json(), "not_found", None);
    assert!(message.ends_with(what), "{message}");
}

#[actix_web::test]
async fn an_unknown_path_is_refused() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    not_found(gateway.get("/assets").await, "GET /assets").await;
    not_found(gateway.get("/v1").await, "GET /v1").await;
    not_found(gateway.get("/v1/vtc/secrets").await, "GET /v1/vtc/secrets").await;
    not_found(gateway.ask(ask_chat().at("/v2/chat")).await, "POST /v2/chat").await;
    let named = ask_chat().at("/nowhere").with_header("request-id", "mine");
    assert_eq!(gateway.ask(named).await.header("request-id"), Some("mine"));
    assert!(gateway.has_charged_nobody().await);
}

#[actix_web::test]
async fn a_wrong_method_is_refused_with_those_there_are() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    for path in ["/v1/chat/completions", "/v1/rerank", "/rerank", "/v1/audio/speech", "/v1/images/edits"] {
        let reply = gateway.get(path).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{path}");
        assert_eq!(reply.header("request-id").map(str::len), Some(36));
        let message = error(&reply.json(), "method_not_allowed", None);
        assert_eq!(message, format!("{path} takes POST, and no GET"));
    }
    for path in ["/v1/models", "/v1/models/m", "/healthz"] {
        let reply = gateway.ask(ask_chat().at(path)).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    assert!(gateway.has_charged_nobody().await);
}

#[actix_web::test]
async fn a_limit_that_is_no_number_is_refused() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.get("/v1/vtc/users?limit=many").await;
    assert_eq!(reply.status, 400);
    error(&reply.json(), "invalid_request", Some("limit"));
}

/// A gateway that takes at most a hundred bytes in at most that time gets these bytes, and nothing more, for a
/// request. Returns the message of the refusal.
async fn refused_while_it_comes(body_timeout: &str, rest: String, status: &str, code: &str) -> String {
    let pod = ScriptedPod::start("a").await;
    let limits = format!("[limits]\nbody_bytes = 100\nbody_timeout = \"{body_timeout}\"");
    let gateway = Gateway::configured(&[&pod], &limits).await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nuser: alice\r\nrequest-id: mine\r\n";
    let reply: Message = gateway.exchange(format!("{head}{rest}")).await;
    assert!(reply.first_line.starts_with(&format!("HTTP/1.1 {status}")), "{}", reply.first_line);
    assert_eq!(reply.header("request-id"), Some("mine"));
    assert_eq!(reply.header("connection"), Some("close"), "what is left of the body is not read");
    assert!(gateway.has_charged_nobody().await);
    assert_eq!(pod.waiting_calls(), 0, "a pod saw it");
    error(&serde_json::from_slice(&reply.body).unwrap(), code, None)
}

#[actix_web::test]
async fn a_body_that_is_announced_too_long_is_refused_at_once() {
    let rest = "content-length: 101\r\n\r\n".to_owned();
    let message = refused_while_it_comes("1h", rest, "413", "request_too_large").await;
    assert!(message.contains("100 bytes"), "{message}");
}

#[actix_web::test]
async fn a_body_that_becomes_too_long_is_refused_before_its_end() {
    let chunk = format!("3c\r\n{}\r\n", "x".repeat(60));
    let rest = format!("transfer-encoding: chunked\r\n\r\n{chunk}{chunk}");
    refused_while_it_comes("1h", rest, "413", "request_too_large").await;
}

#[actix_web::test]
async fn a_body_that_does_not_come_is_refused_in_time() {
    let rest = "content-length: 90\r\n\r\n{\"model\":".to_owned();
    let message = refused_while_it_comes("20ms", rest, "408", "request_timeout").await;
    assert!(message.contains("20ms"), "{message}");
}

#[actix_web::test]
async fn a_body_of_just_the_longest_length_is_read() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(&[&pod], "[limits]\nbody_bytes = 100").await;
    let body = format!("{:<100}", r#"{"model":"m","messages":[{"role":"user","content":"hello"}]}"#);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-length: 100\r\n\r\n";
    let reply = gateway.exchange(format!("{head}{body}")).await;
    assert!(reply.first_line.starts_with("HTTP/1.1 200"), "{}", reply.first_line);
}
