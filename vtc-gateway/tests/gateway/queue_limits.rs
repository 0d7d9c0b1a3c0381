//! Requests that the queue does not take in, or lets go without having served them.

use serde_json::json;

use crate::common::question::Reply;
use crate::common::{Gateway, ScriptedPod, ask_chat};

fn one_slot(more: &str) -> String {
    format!("[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 1\n{more}")
}

/// Whether it is told to come back, within the bounds of what is ever told.
fn is_told_when(reply: &Reply) -> bool {
    let seconds = reply.header("retry-after").map(|seconds| seconds.parse::<u64>().unwrap());
    seconds.is_some_and(|seconds| (1..=60).contains(&seconds))
}

#[actix_web::test]
async fn beyond_a_limit_a_request_is_refused_with_429() {
    let body = 67;
    for (limit, reason) in [
        ("max_requests = 1", "1 requests are waiting"),
        ("max_per_user = 1", "1 requests of this user are waiting"),
        ("max_bytes = 100", "the waiting requests may have 100 bytes together"),
    ] {
        let mut pod = ScriptedPod::start("a").await;
        let gateway = Gateway::configured(&[&pod], &one_slot(limit)).await;
        let runs = gateway.start_asking(ask_chat().of("alice"));
        let call = pod.call().await;
        let waits = gateway.line_up(ask_chat().of("alice"), 1).await;
        assert_eq!(gateway.queue().await["bytes"], body);
        let refused = gateway.ask(ask_chat().of("alice")).await;
        let error = &refused.json()["error"];
        assert_eq!((refused.status, &error["code"]), (429, &json!("queue_full")), "{limit}");
        assert_eq!(error["type"], "rate_limit_error");
        assert!(error["message"].as_str().unwrap().starts_with(reason), "{error}");
        assert!(is_told_when(&refused), "{limit}");

        call.answer_chat(3, 5).await;
        pod.call().await.answer_chat(3, 5).await;
        for reply in [runs, waits] {
            assert_eq!(reply.await.unwrap().status, 200);
        }
        assert_eq!(gateway.tokens("alice").await, 26.0, "the third was not charged");
        assert_eq!(gateway.queue().await["outcomes"]["refused"], 1);
    }
}

#[actix_web::test]
async fn whoever_has_waited_too_long_gets_503() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], &one_slot("longest_wait = \"1ms\"")).await;
    let runs = gateway.start_asking(ask_chat().of("alice"));
    let call = pod.call().await;
    let late = gateway.ask(ask_chat().of("bob")).await;
    let error = &late.json()["error"];
    assert_eq!((late.status, &error["code"]), (503, &json!("queue_timeout")));
    assert_eq!(error["type"], "server_error");
    assert!(is_told_when(&late));
    assert_eq!(gateway.tokens("bob").await, 0.0);
    call.answer_chat(3, 5).await;
    assert_eq!(runs.await.unwrap().status, 200);
    let queue = gateway.queue().await;
    assert_eq!((&queue["outcomes"]["expired"], &queue["waiting"]), (&json!(1), &json!(0)));
}

#[actix_web::test]
async fn a_client_that_leaves_while_it_waits_leaves_nothing() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], &one_slot("")).await;
    let runs = gateway.start_asking(ask_chat().of("alice"));
    let call = pod.call().await;
    let leaves = gateway.line_up(ask_chat().of("bob"), 1).await;
    let stays = gateway.line_up(ask_chat().of("carol"), 2).await;
    leaves.abort();
    gateway.until_waiting(1).await;
    call.answer_chat(3, 5).await;
    pod.call().await.answer_chat(3, 5).await;
    for reply in [runs, stays] {
        assert_eq!(reply.await.unwrap().status, 200);
    }
    assert_eq!(gateway.tokens("bob").await, 0.0);
    let queue = gateway.queue().await;
    assert_eq!((&queue["outcomes"]["cancelled"], &queue["present_users"]), (&json!(1), &json!(0)));
}

#[actix_web::test]
async fn of_a_crowd_that_leaves_nothing_is_left() {
    const CROWD: u64 = 300;
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], &one_slot("")).await;
    let runs = gateway.start_asking(ask_chat().of("alice"));
    let call = pod.call().await;
    let crowd: Vec<_> =
        (0..CROWD).map(|user| gateway.start_asking(ask_chat().of(&format!("user-{}", user % 50)))).collect();
    gateway.until_waiting(CROWD).await;
    for reply in &crowd {
        reply.abort();
    }
    gateway.until_waiting(0).await;
    call.answer_chat(3, 5).await;
    runs.await.unwrap();
    gateway.until_idle().await;
    let queues = gateway.get_json("/v1/vtc/queues").await;
    let queue = &queues["pools"][0];
    for (field, left) in [("bytes", 0), ("running", 0), ("present_users", 0)] {
        assert_eq!(queue[field], left, "{field}");
    }
    let known: Vec<_> = queue["users"].as_array().unwrap().iter().map(|user| &user["user"]).collect();
    assert_eq!(known, ["alice"], "she alone was served, so that is where newcomers begin");
    assert_eq!(queue["outcomes"]["cancelled"], CROWD);
    assert_eq!((&queues["pods"][0]["running"], &queues["pods"][0]["tokens"]), (&json!(0), &json!(0)));
    assert_eq!(gateway.get_json("/v1/vtc/users").await["active"], 1, "of the crowd nobody was charged");
}
