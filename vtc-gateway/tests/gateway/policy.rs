//! Which policy decides, and which pod it takes.

use std::collections::BTreeMap;

use crate::common::binary::Binary;
use crate::common::gateway::Pod;
use crate::common::question::Question;
use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod};

async fn policy_of(gateway: &Gateway, question: Question) -> String {
    let reply = gateway.ask(question).await;
    assert_eq!(reply.status, 200);
    reply.header("routing-strategy").unwrap().to_owned()
}

fn choosing(name: &str) -> Question {
    ask_chat().with_header("routing-strategy", name)
}

#[actix_web::test]
async fn without_any_word_the_policy_is_vtc_basic() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    assert_eq!(policy_of(&gateway, ask_chat()).await, "vtc-basic");
}

#[actix_web::test]
async fn a_request_chooses_its_policy_by_a_header() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(&[&pod], "policy = \"least-request\"").await;
    for name in ["vtc-basic", "random", "round-robin", "least-request", "power-of-two"] {
        assert_eq!(policy_of(&gateway, choosing(name)).await, name);
    }
}

#[actix_web::test]
async fn a_request_that_chooses_none_gets_the_configured_policy() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(&[&pod], "policy = \"least-request\"").await;
    assert_eq!(policy_of(&gateway, ask_chat()).await, "least-request");
}

/// The policy of a gateway in a process of its own.
async fn policy_in_force(flags: &[&str], environment: &[(&str, &str)]) -> String {
    let pod = fast_pod("a");
    let pod_flag = format!("a={}", pod.setting().url);
    let arguments = [&["serve", "--listen", "127.0.0.1:0", "--pod", &pod_flag], flags].concat();
    let mut binary = Binary::start(&arguments, environment);
    let gateway = binary.gateway().await;
    policy_of(&gateway, ask_chat()).await
}

#[actix_web::test]
async fn routing_algorithm_is_the_policy_if_none_is_configured() {
    assert_eq!(policy_in_force(&[], &[("ROUTING_ALGORITHM", "round-robin")]).await, "round-robin");
    let flag = ["--policy", "random"];
    assert_eq!(policy_in_force(&flag, &[("ROUTING_ALGORITHM", "round-robin")]).await, "random");
}

#[actix_web::test]
async fn a_new_user_begins_at_the_pod_whose_name_is_first() {
    let pods = ["c", "a", "b"].map(fast_pod);
    let gateway = Gateway::before(&[&pods[0], &pods[1], &pods[2]]).await;
    for user in 0..10 {
        assert_eq!(gateway.ask(ask_chat().of(&format!("user-{user}"))).await.pod(), "a");
    }
}

#[actix_web::test]
async fn a_user_with_much_service_goes_to_the_last_pod() {
    let pods = ["a", "b", "c"].map(fast_pod);
    // Buckets of a token: whoever has three of them is beyond the last pod.
    let tracker = "[tracker]\nmin_tokens = 1.0\nmax_tokens = 1.0\nstaleness = \"0s\"";
    let gateway = Gateway::configured(&[&pods[0], &pods[1], &pods[2]], tracker).await;
    for (user, max_tokens) in [("light", 1), ("heavy", 500)] {
        assert_eq!(gateway.ask(ask_chat().with("max_tokens", max_tokens).of(user)).await.pod(), "a");
    }
    let mut seen = Vec::new();
    for user in ["light", "heavy"] {
        seen.push(gateway.ask(ask_chat().with("max_tokens", 1).of(user)).await.pod().to_owned());
    }
    assert!(seen[0] < seen[1], "{seen:?}");
}

#[actix_web::test]
async fn round_robin_takes_turns() {
    let pods = ["a", "b"].map(fast_pod);
    let gateway = Gateway::before(&[&pods[0], &pods[1]]).await;
    let mut turns = BTreeMap::new();
    for _ in 0..6 {
        let reply = gateway.ask(choosing("round-robin").of("alice")).await;
        *turns.entry(reply.pod().to_owned()).or_insert(0) += 1;
    }
    assert_eq!(turns, BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 3)]));
}

#[actix_web::test]
async fn least_request_avoids_the_pod_that_is_busy() {
    let (mut a, mut b) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    let gateway = Gateway::configured(&[&a, &b], "policy = \"least-request\"").await;
    let first = gateway.start_asking(ask_chat());
    let (busy, free) = tokio::select! {
        call = a.call() => (call, &mut b),
        call = b.call() => (call, &mut a),
    };
    for _ in 0..3 {
        let next = gateway.start_asking(ask_chat());
        free.call().await.answer_chat(7, 5).await;
        assert_eq!(next.await.unwrap().pod(), free.name);
    }
    busy.answer_chat(7, 5).await;
    assert_eq!(first.await.unwrap().status, 200);
}

#[actix_web::test]
async fn a_model_that_one_pod_serves_goes_there_only() {
    let mut pods = [
        ScriptedPod::of_kind("a", "vllm", &["m", "left"]).await,
        ScriptedPod::of_kind("b", "vllm", &["m", "right"]).await,
    ];
    for pod in &mut pods {
        pod.always(|call| call.answer_chat(7, 5));
    }
    let gateway = Gateway::before(&[&pods[0], &pods[1]]).await;
    for strategy in ["vtc-basic", "random", "round-robin", "least-request", "power-of-two"] {
        for (model, pod) in [("left", "a"), ("right", "b")] {
            for _ in 0..4 {
                let reply = gateway.ask(choosing(strategy).with("model", model).of("alice")).await;
                assert_eq!(reply.pod(), pod, "{strategy}");
            }
        }
    }
}
