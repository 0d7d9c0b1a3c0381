//! How much each may: limits of tenants and of all others, through real sockets.

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::common::question::Reply;
use crate::common::wire::Message;
use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod, soon};

/// Checks that it was refused by a limit, and says for how many seconds.
fn refused(reply: &Reply) -> u64 {
    let error = &reply.json()["error"];
    assert_eq!((reply.status, &error["code"]), (429, &json!("rate_limit_exceeded")), "{error}");
    assert_eq!(error["type"], "rate_limit_error");
    reply.header("retry-after").unwrap().parse().unwrap()
}

#[actix_web::test]
async fn requests_per_minute_have_a_limit_for_each() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(
        &[&pod],
        "[tenant_defaults]\nrequests_per_minute = 2\n[[tenants]]\nname = \"alice\"\nrequests_per_minute = 3",
    )
    .await;
    for (user, limit) in [("alice", 3), ("bob", 2), ("", 2)] {
        for left in (0..limit).rev() {
            let reply = gateway.ask(ask_chat().of(user)).await;
            assert_eq!(reply.status, 200);
            assert_eq!(reply.header("x-ratelimit-limit-requests"), Some(limit.to_string().as_str()));
            assert_eq!(reply.header("x-ratelimit-remaining-requests"), Some(left.to_string().as_str()));
            assert!(reply.header("x-ratelimit-reset-requests").is_some());
            assert_eq!(reply.header("x-ratelimit-limit-tokens"), None, "there is no such limit");
        }
        let reply = gateway.ask(ask_chat().of(user)).await;
        let wait = refused(&reply);
        assert!((1..=60 / limit).contains(&wait), "{wait}");
        assert_eq!(reply.header("x-ratelimit-remaining-requests"), Some("0"));
    }
    let metrics = gateway.metrics().await;
    assert!(crate::status::sample(&metrics, r#"vtc_gateway_limited_total{limit="requests"}"#) >= 3.0);
}

#[actix_web::test]
async fn tokens_per_minute_count_what_was_really_used() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[tenant_defaults]\ntokens_per_minute = 100").await;
    // Estimated at 8; in truth it takes 150, and that is told.
    let reply = gateway.start_asking(ask_chat().of("alice"));
    pod.call().await.answer_chat(100, 50).await;
    assert_eq!(reply.await.unwrap().header("x-ratelimit-remaining-tokens"), Some("0"));
    let wait = refused(&gateway.ask(ask_chat().of("alice")).await);
    // It owes 50 and needs 8 more, at 100 a minute.
    assert!((30..=35).contains(&wait), "{wait}");
    // What the pod refuses costs nothing.
    for _ in 0..20 {
        let reply = gateway.start_asking(ask_chat().of("bob"));
        pod.call().await.answer(400, "{}").await;
        assert_eq!(reply.await.unwrap().header("x-ratelimit-remaining-tokens"), Some("100"));
    }
    assert_eq!(gateway.tokens("alice").await, 200.0, "what is refused is not charged");
}

#[actix_web::test]
async fn a_stream_that_its_client_leaves_costs_what_was_delivered() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[tenant_defaults]\ntokens_per_minute = 1000").await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    let mut events = events.await.unwrap();
    call.event(crate::common::scripted_pod::counted_piece("la", 300, 200)).await;
    events.next().await.unwrap();
    drop(events);
    call.closed().await;
    gateway.until_idle().await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    pod.call().await.answer_chat(3, 5).await;
    let reply = reply.await.unwrap();
    let left: u64 = reply.header("x-ratelimit-remaining-tokens").unwrap().parse().unwrap();
    assert!((492..=530).contains(&left), "{left}: 1000 less 500 less 8, and what the time brought");
}

#[actix_web::test]
async fn requests_in_flight_have_a_limit_for_each() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[[tenants]]\nname = \"alice\"\nmax_in_flight = 1").await;
    let first = gateway.start_asking(ask_chat().of("alice"));
    let call = pod.call().await;
    assert_eq!(refused(&gateway.ask(ask_chat().of("alice")).await), 1);
    let other = gateway.start_asking(ask_chat().of("bob"));
    pod.call().await.answer_chat(3, 5).await;
    assert_eq!(other.await.unwrap().status, 200);
    call.answer_chat(3, 5).await;
    assert_eq!(first.await.unwrap().status, 200);
    // Its leaving frees the place as well.
    for _ in 0..3 {
        let leaver = gateway.start_asking(ask_chat().of("alice"));
        let call = pod.call().await;
        leaver.abort();
        call.closed().await;
        gateway.until_idle().await;
    }
}

#[actix_web::test]
async fn a_request_that_waits_in_the_queue_is_in_flight_and_one_that_leaves_it_is_not() {
    let mut pod = ScriptedPod::start("a").await;
    let config = "[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 1\n\
                  [tenant_defaults]\nmax_in_flight = 2\ntokens_per_minute = 20";
    let gateway = Gateway::configured(&[&pod], config).await;
    let runs = gateway.start_asking(ask_chat().of("alice"));
    let call = pod.call().await;
    let waits = gateway.line_up(ask_chat().of("alice"), 1).await;
    refused(&gateway.ask(ask_chat().of("alice")).await);
    waits.abort();
    gateway.until_waiting(0).await;
    // The tokens that it never used are there again: 20 less twice 8.
    let waits = gateway.line_up(ask_chat().of("alice"), 1).await;
    call.answer_chat(3, 5).await;
    pod.call().await.answer_chat(3, 5).await;
    for reply in [runs, waits] {
        assert_eq!(reply.await.unwrap().status, 200);
    }
}

#[actix_web::test]
async fn a_sub_user_of_the_body_pays_by_its_tenant_and_has_a_limit_of_its_own() {
    let mut pod = ScriptedPod::start("a").await;
    let config = "[identity]\nsub_users = true\nsub_user_max_in_flight = 1";
    let gateway = Gateway::configured(&[&pod], config).await;
    let asks = |name: &str| ask_chat().of("alice").with("user", name);
    let first = gateway.start_asking(asks("joe"));
    let call = pod.call().await;
    assert_eq!(call.json()["user"], "joe", "the body stays as it is");
    assert_eq!(refused(&gateway.ask(asks("joe")).await), 1);
    let other = gateway.start_asking(asks("ann"));
    pod.call().await.answer_chat(7, 5).await;
    call.answer_chat(7, 5).await;
    for reply in [first, other] {
        assert_eq!(reply.await.unwrap().status, 200);
    }
    assert_eq!(gateway.tokens("alice").await, 34.0);
    assert_eq!(gateway.get_json("/v1/vtc/users").await["active"], 1, "its names are no accounts");
    assert_eq!(gateway.ask(asks("joe").with("user", 5)).await.status, 400);
}

#[actix_web::test]
async fn without_being_wanted_the_bodys_user_is_the_pods_to_read() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    assert_eq!(gateway.ask(ask_chat().of("alice").with("user", "joe")).await.status, 200);
    assert!(gateway.tokens("alice").await > 0.0);
    assert_eq!(gateway.tokens("joe").await, 0.0);
}

const LOOK: &str = "GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n";

#[actix_web::test]
async fn a_connection_too_many_of_a_client_is_refused_and_closed() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(&[&pod], "[limits]\nconnections_per_client = 1").await;
    let mut first = TcpStream::connect(gateway.address).await.unwrap();
    let mut status = async || {
        first.write_all(LOOK.as_bytes()).await.unwrap();
        soon(Message::read(&mut first)).await.unwrap().first_line
    };
    assert_eq!(status().await, "HTTP/1.1 200 OK");
    let refused = gateway.exchange_to_the_end(LOOK).await;
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("too_many_connections"), "{refused}");
    assert_eq!(status().await, "HTTP/1.1 200 OK");
    drop(first);
    soon(async { while !gateway.exchange(LOOK).await.first_line.contains("200") {} }).await;

    let proxied = "[limits]\nconnections_per_client = 1\n[identity]\ntrusted_proxies = [\"127.0.0.1\"]";
    let gateway = Gateway::configured(&[&pod], proxied).await;
    let _first = TcpStream::connect(gateway.address).await.unwrap();
    assert!(gateway.exchange(LOOK).await.first_line.contains("200"), "it speaks for many");
}

#[actix_web::test]
async fn connections_beyond_all_that_there_may_be_wait_for_others_to_end() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(&[&pod], "[limits]\nconnections = 1").await;
    let mut first = TcpStream::connect(gateway.address).await.unwrap();
    let mut second = TcpStream::connect(gateway.address).await.unwrap();
    second.write_all(LOOK.as_bytes()).await.unwrap();
    for _ in 0..20 {
        first.write_all(LOOK.as_bytes()).await.unwrap();
        soon(Message::read(&mut first)).await.unwrap();
    }
    let nothing = second.try_read(&mut [0; 1]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    assert_eq!(soon(Message::read(&mut second)).await.unwrap().first_line, "HTTP/1.1 200 OK");
}
