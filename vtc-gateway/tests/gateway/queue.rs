//! Requests that wait for a pod with room: whose turn it is, and where it goes.

use serde_json::json;

use crate::common::question::{ESTIMATE, Question};
use crate::common::scripted_pod::counted_piece;
use crate::common::{Gateway, ScriptedPod, ask_chat, soon};

/// One request at a time on each pod.
fn one_slot(discipline: &str) -> String {
    format!("[queue]\ndiscipline = \"{discipline}\"\npod_max_running = 1\n")
}

/// A question of that user that its pod can tell from others.
fn of(user: &str) -> Question {
    ask_chat().of(user).with("tag", user)
}

/// Answers every request of a pod, one after the other, and says whose they were.
async fn serve(pod: &mut ScriptedPod, requests: usize) -> Vec<String> {
    let mut served = Vec::new();
    for _ in 0..requests {
        let call = pod.call().await;
        served.push(call.json()["tag"].as_str().unwrap().to_owned());
        call.answer_chat(3, 5).await;
    }
    served
}

/// A whale with one request under way and three that wait; then somebody who asks for one thing.
async fn order(discipline: &str) -> Vec<String> {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], &one_slot(discipline)).await;
    let mut replies = Vec::new();
    for (waiting, user) in ["whale", "whale", "whale", "whale", "light"].into_iter().enumerate() {
        replies.push(gateway.line_up(of(user), waiting as u64).await);
    }
    let served = serve(&mut pod, 5).await;
    for reply in replies {
        assert_eq!(reply.await.unwrap().status, 200);
    }
    assert_eq!(pod.waiting_calls(), 0);
    served
}

#[actix_web::test]
async fn whoever_has_been_served_least_goes_next() {
    for discipline in ["vtc-fair", "vtc-pred", "lcf"] {
        assert_eq!(order(discipline).await, ["whale", "light", "whale", "whale", "whale"], "{discipline}");
    }
    assert_eq!(order("fcfs").await, ["whale", "whale", "whale", "whale", "light"]);
}

#[actix_web::test]
async fn a_user_of_weight_four_is_served_four_times_as_much() {
    let mut pod = ScriptedPod::start("a").await;
    let weights = one_slot("vtc-fair") + "weights = { heavy = 4 }\n";
    let gateway = Gateway::configured(&[&pod], &weights).await;
    let mut replies = Vec::new();
    for waiting in 0..40 {
        let user = if waiting < 20 { "plain" } else { "heavy" };
        replies.push(gateway.line_up(of(user), waiting).await);
    }
    // The first found nobody else, and so went alone.
    assert_eq!(serve(&mut pod, 1).await, ["plain"]);
    let served = serve(&mut pod, 20).await;
    let plain = served.iter().filter(|user| *user == "plain").count();
    assert!((3..=5).contains(&plain), "{plain} of 20: {served:?}");
    serve(&mut pod, 19).await;
    for reply in replies {
        assert_eq!(reply.await.unwrap().status, 200);
    }
}

#[actix_web::test]
async fn with_a_queue_a_request_costs_what_it_costs_without() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], &one_slot("vtc-pred")).await;
    let reply = gateway.start_asking(of("alice"));
    let call = pod.call().await;
    assert_eq!(gateway.tokens("alice").await, ESTIMATE);
    call.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().pod(), "a");
    assert_eq!(gateway.tokens("alice").await, 17.0);
    assert_eq!(gateway.in_flight().await, 0);
}

#[actix_web::test]
async fn a_pod_gets_as_many_as_it_has_room_for() {
    let (mut a, mut b) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    let of_both = "policy = \"least-request\"\n[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 2";
    let gateway = Gateway::configured(&[&a, &b], of_both).await;
    let mut replies = Vec::new();
    for _ in 0..6 {
        replies.push(gateway.start_asking(of("alice")));
    }
    let calls = [a.call().await, a.call().await, b.call().await, b.call().await];
    gateway.until_waiting(2).await;
    assert_eq!((a.waiting_calls(), b.waiting_calls()), (0, 0));
    for call in calls {
        call.answer_chat(3, 5).await;
    }
    // Each goes wherever there is room first.
    for _ in 0..2 {
        tokio::select! {
            call = a.call() => call.answer_chat(3, 5).await,
            call = b.call() => call.answer_chat(3, 5).await,
        }
    }
    for reply in replies {
        assert_eq!(reply.await.unwrap().status, 200);
    }
}

#[actix_web::test]
async fn a_model_that_is_busy_keeps_no_other_waiting() {
    let mut left = ScriptedPod::of_kind("a", "vllm", &["left"]).await;
    let mut right = ScriptedPod::of_kind("b", "vllm", &["right"]).await;
    let gateway = Gateway::configured(&[&left, &right], &one_slot("vtc-fair")).await;
    let busy = gateway.start_asking(of("alice").with("model", "left"));
    let call = left.call().await;
    let waits = gateway.start_asking(of("alice").with("model", "left"));
    let goes = gateway.start_asking(of("alice").with("model", "right"));
    right.call().await.answer_chat(3, 5).await;
    assert_eq!(goes.await.unwrap().pod(), "b");
    assert_eq!(left.waiting_calls(), 0);
    call.answer_chat(3, 5).await;
    left.call().await.answer_chat(3, 5).await;
    for reply in [busy, waits] {
        assert_eq!(reply.await.unwrap().pod(), "a");
    }
}

#[actix_web::test]
async fn a_request_whose_pod_dies_goes_to_another_and_is_charged_once() {
    for b_is_busy in [false, true] {
        let (mut a, mut b) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
        let config = format!("policy = \"least-request\"\n{}", one_slot("vtc-fair"));
        let gateway = Gateway::configured(&[&a, &b], &config).await;
        let first = gateway.start_asking(of("alice"));
        let (dying, other) = tokio::select! {
            call = a.call() => (call, &mut b),
            call = b.call() => (call, &mut a),
        };
        let mut busy = None;
        if b_is_busy {
            let reply = gateway.start_asking(of("bob"));
            busy = Some((other.call().await, reply));
        }
        dying.close();
        // It was admitted once, and does not wait a second time.
        other.call().await.answer_chat(7, 5).await;
        assert_eq!(first.await.unwrap().pod(), other.name);
        assert_eq!(gateway.tokens("alice").await, 17.0);
        if let Some((call, reply)) = busy {
            call.answer_chat(7, 5).await;
            assert_eq!(reply.await.unwrap().pod(), other.name);
        }
        gateway.until_idle().await;
        assert_eq!(gateway.queue().await["running"], 0);
    }
}

#[actix_web::test]
async fn a_refusal_of_the_pod_costs_nothing_and_frees_its_place() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], &one_slot("vtc-fair")).await;
    let refused = gateway.start_asking(of("alice"));
    let call = pod.call().await;
    let next = gateway.line_up(of("alice"), 1).await;
    call.answer(400, r#"{"error":{"message":"no"}}"#).await;
    assert_eq!(refused.await.unwrap().status, 400);
    pod.call().await.answer_chat(7, 5).await;
    assert_eq!(next.await.unwrap().status, 200);
    assert_eq!(gateway.tokens("alice").await, 17.0);
    let queue = gateway.queue().await;
    assert_eq!((&queue["outcomes"]["voided"], &queue["outcomes"]["settled"]), (&json!(1), &json!(1)));
}

#[actix_web::test]
async fn a_stream_is_charged_as_it_flows() {
    let mut pod = ScriptedPod::start("a").await;
    let config = "[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 1";
    let gateway = Gateway::configured(&[&pod], config).await;
    let events = gateway.start_streaming(of("alice").streamed());
    let mut call = pod.call().await;
    call.begin().await;
    let mut events = events.await.unwrap();
    call.event(counted_piece("la", 3, 100)).await;
    events.next().await.unwrap();
    let flowed = 3.0 + 2.0 * 100.0;
    // The queue looks at what flows every millisecond.
    soon(async { while gateway.queue().await["users"][0]["counter"] != flowed {} }).await;
    drop(events);
    call.closed().await;
    gateway.until_idle().await;
    assert_eq!(gateway.tokens("alice").await, flowed);
    assert_eq!(gateway.queue().await["outcomes"]["abandoned"], 1);
}

#[actix_web::test]
async fn cached_tokens_count_for_as_much_as_is_said() {
    let mut pod = ScriptedPod::start("a").await;
    let config = one_slot("vtc-fair") + "cached_input = 0.25\n";
    let gateway = Gateway::configured(&[&pod], &config).await;
    let reply = gateway.start_asking(of("alice"));
    let call = pod.call().await;
    let waits = gateway.line_up(of("alice"), 1).await;
    let usage = json!({
        "prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": { "cached_tokens": 80 },
    });
    call.answer(200, &json!({ "choices": [], "usage": usage }).to_string()).await;
    reply.await.unwrap();
    // It is at the pod, with the estimate of 3 tokens charged.
    let call = pod.call().await;
    let counter = gateway.queue().await["users"][0]["counter"].as_f64().unwrap();
    assert_eq!(counter, 20.0 + 80.0 * 0.25 + 2.0 * 5.0 + 3.0);
    call.answer_chat(7, 5).await;
    waits.await.unwrap();
}

#[actix_web::test]
async fn a_model_whose_pods_are_away_is_refused_at_once() {
    let mut away = ScriptedPod::of_kind("a", "vllm", &["left"]).await;
    let there = ScriptedPod::of_kind("b", "vllm", &["right"]).await;
    let config = one_slot("vtc-fair") + "[upstream]\npoll_interval = \"1ms\"\n";
    let gateway = Gateway::configured(&[&away, &there], &config).await;
    away.close().await;
    gateway.until_ready(1).await;
    let reply = gateway.ask(of("alice").with("model", "left")).await;
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (503, &json!("no_ready_pods")));
    let reply = gateway.ask(of("alice").with("model", "made-up")).await;
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &json!("model_not_found")));
    let queues = gateway.get_json("/v1/vtc/queues").await;
    let pools: Vec<_> = queues["pools"].as_array().unwrap().iter().map(|pool| &pool["pool"]).collect();
    assert_eq!(pools, ["left", "right"], "a made-up model makes no queue");
    assert!(gateway.has_charged_nobody().await);
}
