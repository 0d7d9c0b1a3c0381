//! What passes between client and pod, and what ends at the gateway.

use serde_json::json;

use crate::common::question::{Question, Reply};
use crate::common::scripted_pod::Call;
use crate::common::wire::Message;
use crate::common::{Gateway, ScriptedPod, ask_chat, ask_embeddings};

/// Asks a pod that answers so; what it saw, and what its client got.
async fn passed(question: Question, answer: impl AsyncFnOnce(Call) -> Message) -> (Message, Reply) {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.start_asking(question);
    let seen = answer(pod.call().await).await;
    (seen, reply.await.unwrap())
}

/// Answers with these headers.
async fn answer_with(mut call: Call, headers: &str) -> Message {
    let body = r#"{ "choices":[] , "usage": {"prompt_tokens":1,"completion_tokens":1} }"#;
    let length = body.len();
    call.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{headers}\r\n{body}")).await;
    call.request
}

async fn answer(call: Call) -> Message {
    answer_with(call, "").await
}

#[actix_web::test]
async fn a_body_that_asks_for_no_stream_reaches_the_pod_byte_for_byte() {
    let body = "\n{ \"messages\" : [ ],\t\"model\":\"\\u006d\", \"seed\":1.0e0,\"x\":{\"y\":[null , 1]},\"ü\":\"\\/\" }\r\n ";
    let (seen, reply) = passed(ask_chat().with_body(body), answer).await;
    assert_eq!(seen.body, body.as_bytes());
    assert_eq!(reply.status, 200);
}

#[actix_web::test]
async fn a_body_that_asks_for_a_stream_is_only_added_to() {
    let body = "{ \"model\" : \"m\",\"messages\":[] , \"stream\": true}";
    let (seen, _) = passed(ask_chat().with_body(body), answer).await;
    let seen = String::from_utf8(seen.body).unwrap();
    let added = r#""stream_options":{"include_usage":true,"continuous_usage_stats":true},"#;
    assert_eq!(seen.replace(added, ""), body);
    assert_ne!(seen, body);
}

#[actix_web::test]
async fn an_answer_reaches_the_client_byte_for_byte() {
    let body = "{ \"choices\":[ ],\r\n\"usage\":{\"prompt_tokens\":1 }, \"\\u00fc\":1.50 } \n";
    let (_, reply) = passed(ask_chat(), async |call| {
        let request = call.request.clone();
        call.answer(200, body).await;
        request
    })
    .await;
    assert_eq!(&reply.body[..], body.as_bytes());
}

#[actix_web::test]
async fn pods_get_neither_the_user_nor_the_strategy() {
    let question = ask_chat().of("alice").with_header("routing-strategy", "random");
    let (seen, _) = passed(question, answer).await;
    assert_eq!(seen.header("user"), None);
    assert_eq!(seen.header("routing-strategy"), None);
    assert_eq!(seen.first_line, "POST /v1/chat/completions HTTP/1.1");
}

#[actix_web::test]
async fn an_endpoint_spelled_with_escapes_is_the_same_endpoint() {
    let (seen, reply) = passed(ask_embeddings().at("/v1/%65mbeddings"), answer).await;
    assert_eq!(seen.first_line, "POST /v1/embeddings HTTP/1.1");
    assert_eq!(reply.status, 200);
}

#[actix_web::test]
async fn pods_get_what_is_meant_for_them() {
    let question = ask_chat().with_header("authorization", "Bearer key").with_header("x-custom", "1");
    let (seen, _) = passed(question, answer).await;
    assert_eq!(seen.header("authorization"), None);
    assert_eq!(seen.header("x-custom"), Some("1"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
}

#[actix_web::test]
async fn headers_about_the_clients_connection_do_not_reach_the_pod() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let body = r#"{"model":"m","messages":[]}"#;
    let length = body.len();
    // By hand: a library has its own mind about some of these.
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-length: {length}\r\n\
         connection: keep-alive, X-First\r\nconnection: x-second\r\nx-first: 1\r\nx-second: 2\r\nx-third: 3\r\n\
         te: trailers\r\nkeep-alive: timeout=5\r\nproxy-authorization: Basic secret\r\n\
         accept-encoding: gzip\r\n\r\n{body}"
    );
    let asking = gateway.exchange(request);
    let answering = async {
        let call = pod.call().await;
        answer(call).await
    };
    let (reply, seen) = tokio::join!(asking, answering);
    assert_eq!(reply.first_line, "HTTP/1.1 200 OK");
    for name in
        ["x-first", "x-second", "te", "keep-alive", "proxy-authorization", "accept-encoding", "connection"]
    {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert_eq!(seen.header("x-third"), Some("3"));
    assert_eq!(seen.header("host"), Some(pod.address.to_string().as_str()));
}

#[actix_web::test]
async fn headers_about_the_pods_connection_do_not_reach_the_client() {
    let headers = "connection: close, x-private\r\nx-private: 1\r\nkeep-alive: timeout=5\r\nx-custom: 2\r\n";
    let (_, reply) = passed(ask_chat(), async |call| answer_with(call, headers).await).await;
    for name in ["connection", "x-private", "keep-alive"] {
        assert_eq!(reply.header(name), None, "{name}");
    }
    assert_eq!(reply.header("x-custom"), Some("2"));
}

#[actix_web::test]
async fn what_the_gateway_says_itself_a_pod_cannot_say() {
    let headers = "target-pod: evil\r\nrouting-strategy: evil\r\nrequest-id: evil\r\n";
    let question = ask_chat().with_header("request-id", "mine");
    let (_, reply) = passed(question, async |call| answer_with(call, headers).await).await;
    assert_eq!(reply.header("target-pod"), Some("a"));
    assert_eq!(reply.header("routing-strategy"), Some("vtc-basic"));
    assert_eq!(reply.header("request-id"), Some("mine"));
}

#[actix_web::test]
async fn a_request_keeps_its_name_to_the_pod_and_back() {
    for name in ["request-id", "x-request-id"] {
        let question = ask_chat().with_header(name, "mine");
        let (seen, reply) = passed(question, answer).await;
        assert_eq!(seen.header("x-request-id"), Some("mine"));
        assert_eq!(reply.header("request-id"), Some("mine"));
    }
}

#[actix_web::test]
async fn a_request_without_a_name_gets_one() {
    let (seen, reply) = passed(ask_chat(), answer).await;
    let name = reply.header("request-id").unwrap();
    assert_eq!(name.len(), 36);
    assert_eq!(seen.header("x-request-id"), Some(name));
}

#[actix_web::test]
async fn a_stream_carries_the_same_headers() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed().with_header("request-id", "mine"));
    let mut call = pod.call().await;
    call.begin().await;
    call.event(json!({ "choices": [] })).await;
    let events = events.await.unwrap();
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert_eq!(events.header("target-pod"), Some("a"));
    assert_eq!(events.header("routing-strategy"), Some("vtc-basic"));
    assert_eq!(events.header("request-id"), Some("mine"));
}
