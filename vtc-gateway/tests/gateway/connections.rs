//! Connections to pods that are used again, and those that cannot be.

use crate::common::scripted_pod::Call;
use crate::common::{Gateway, ScriptedPod, ask_chat};

/// A gateway with a connection to its one pod on which a request was answered, and that waits for the next.
async fn with_a_used_connection() -> (ScriptedPod, Gateway, Call) {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.start_asking(ask_chat());
    let mut call = pod.call().await;
    call.answer_chat_and_stay().await;
    assert_eq!(reply.await.unwrap().status, 200);
    (pod, gateway, call)
}

#[actix_web::test]
async fn a_connection_carries_one_request_after_the_other() {
    let (pod, gateway, mut call) = with_a_used_connection().await;
    for question in [ask_chat(), ask_chat().streamed()] {
        let reply = gateway.start_asking(question);
        call = call.next().await;
        call.answer_chat_and_stay().await;
        assert_eq!(reply.await.unwrap().status, 200);
    }
    assert_eq!(pod.waiting_calls(), 0);
}

#[actix_web::test]
async fn the_connection_of_a_stream_that_is_complete_is_used_again() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let events = gateway.start_streaming(ask_chat().streamed());
    let mut call = pod.call().await;
    call.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    call.event("[DONE]").await;
    call.send("0\r\n\r\n").await;
    assert_eq!(events.await.unwrap().rest().await, ["[DONE]"]);
    let reply = gateway.start_asking(ask_chat());
    let mut call = call.next().await;
    call.answer_chat_and_stay().await;
    assert_eq!(reply.await.unwrap().status, 200);
}

#[actix_web::test]
async fn requests_at_the_same_time_have_connections_of_their_own() {
    let (mut pod, gateway, call) = with_a_used_connection().await;
    let replies = [(); 2].map(|()| gateway.start_asking(ask_chat()));
    let mut calls = [call.next().await, pod.call().await];
    for call in &mut calls {
        call.answer_chat_and_stay().await;
    }
    for reply in replies {
        assert_eq!(reply.await.unwrap().status, 200);
    }
}

#[actix_web::test]
async fn a_pod_that_closed_its_connection_meanwhile_has_not_failed() {
    for end in [Call::close as fn(Call), Call::reset] {
        let (mut pod, gateway, call) = with_a_used_connection().await;
        end(call);
        let reply = gateway.start_asking(ask_chat());
        pod.call().await.answer_chat(7, 5).await;
        assert_eq!(reply.await.unwrap().status, 200);
    }
}

#[actix_web::test]
async fn a_request_that_dies_on_a_used_connection_before_any_byte_is_sent_once_more_to_the_same_pod() {
    for end in [Call::close as fn(Call), Call::reset] {
        let (mut pod, gateway, call) = with_a_used_connection().await;
        let before = gateway.tokens("alice").await;
        let reply = gateway.start_asking(ask_chat().of("alice"));
        let first = call.next().await;
        let asked = first.request.clone();
        end(first);
        let second = pod.call().await;
        assert_eq!(
            (&second.request.first_line, &second.request.headers),
            (&asked.first_line, &asked.headers)
        );
        assert_eq!(second.request.body, asked.body);
        second.answer_chat(7, 5).await;
        assert_eq!(reply.await.unwrap().status, 200);
        assert_eq!(gateway.tokens("alice").await, before + 17.0, "charged once");
        assert_eq!(gateway.in_flight().await, 0);
    }
}

#[actix_web::test]
async fn a_request_that_dies_on_the_fresh_connection_too_has_failed() {
    let (mut pod, gateway, call) = with_a_used_connection().await;
    let reply = gateway.start_asking(ask_chat());
    call.next().await.close();
    pod.call().await.close();
    assert_eq!(reply.await.unwrap().status, 502);
    assert_eq!(pod.waiting_calls(), 0);
}

#[actix_web::test]
async fn a_request_that_dies_behind_the_first_byte_is_not_sent_once_more() {
    let (pod, gateway, call) = with_a_used_connection().await;
    let reply = gateway.start_asking(ask_chat());
    let mut call = call.next().await;
    call.send("H").await;
    call.close();
    assert_eq!(reply.await.unwrap().status, 502);
    assert_eq!(pod.waiting_calls(), 0);
}

#[actix_web::test]
async fn what_a_pod_says_unasked_is_nobodys_answer() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.start_asking(ask_chat());
    let mut call = pod.call().await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n";
    call.send(format!("{head}{{}}{head}[]")).await;
    assert_eq!(&reply.await.unwrap().body[..], b"{}");
    let reply = gateway.start_asking(ask_chat());
    pod.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().json()["object"], "chat.completion");
}
