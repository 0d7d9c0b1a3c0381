//! Pods that are away, and that come back.

use crate::common::question::Reply;
use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod};

/// Checks that the gateway asks to come back later.
async fn is_told_to_come_back(gateway: &Gateway, reply: Reply) {
    assert_eq!(reply.status, 503);
    assert_eq!(reply.header("retry-after"), Some("2"));
    assert!(reply.header("request-id").is_some());
    let error = &reply.json()["error"];
    assert_eq!((&error["code"], &error["type"]), (&"no_ready_pods".into(), &"server_error".into()));
    assert!(error["message"].as_str().unwrap().contains("come back in 2 s"));
    assert!(gateway.has_charged_nobody().await);
}

#[actix_web::test]
async fn while_no_pod_was_ever_ready_requests_are_told_to_come_back() {
    let mut pod = ScriptedPod::start("a").await;
    pod.close().await;
    let gateway = Gateway::before(&[&pod]).await;
    for question in [ask_chat(), ask_chat().with("model", "whatever"), ask_chat().streamed()] {
        let reply = gateway.ask(question.of("alice")).await;
        is_told_to_come_back(&gateway, reply).await;
    }
    let health = gateway.get("/healthz").await;
    assert_eq!(health.status, 503);
    assert_eq!(gateway.get("/readyz").await.status, 503);
    assert_eq!(gateway.get("/livez").await.status, 200);
    assert_eq!((&health.json()["pods_ready"], &health.json()["pods"]), (&0.into(), &1.into()));
}

#[actix_web::test]
async fn when_all_pods_have_gone_requests_are_told_to_come_back() {
    let mut pods = [ScriptedPod::start("a").await, ScriptedPod::start("b").await];
    let gateway = Gateway::before(&[&pods[0], &pods[1]]).await;
    assert_eq!(gateway.get("/healthz").await.status, 200);
    for pod in &mut pods {
        pod.close().await;
    }
    // The first is who notices it.
    for _ in 0..2 {
        let reply = gateway.ask(ask_chat().of("alice")).await;
        is_told_to_come_back(&gateway, reply).await;
        gateway.until_ready(0).await;
    }
    assert_eq!(gateway.get("/healthz").await.status, 503);
}

#[actix_web::test]
async fn a_pod_that_comes_back_is_used_again() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[upstream]\npoll_interval = \"1ms\"").await;
    pod.close().await;
    gateway.until_ready(0).await;
    pod.reopen().await;
    gateway.until_ready(1).await;
    assert_eq!(gateway.get("/readyz").await.status, 200);
    let reply = gateway.start_asking(ask_chat());
    pod.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().pod(), "a");
}

#[actix_web::test]
async fn a_pod_that_is_away_gets_no_requests() {
    let (mut away, ready) = (ScriptedPod::start("a").await, fast_pod("b"));
    away.close().await;
    let gateway = Gateway::before(&[&away, &ready]).await;
    for _ in 0..5 {
        // A new user's would be the first pod.
        assert_eq!(gateway.ask(ask_chat().of("alice")).await.pod(), "b");
    }
    assert_eq!(gateway.get("/healthz").await.status, 200);
}

#[actix_web::test]
async fn a_model_whose_pod_is_away_is_not_unknown() {
    let mut away = ScriptedPod::of_kind("a", "vllm", &["rare"]).await;
    let ready = fast_pod("b");
    let gateway = Gateway::before(&[&away, &ready]).await;
    away.close().await;
    for _ in 0..2 {
        let reply = gateway.ask(ask_chat().with("model", "rare")).await;
        is_told_to_come_back(&gateway, reply).await;
        gateway.until_ready(1).await;
    }
}
