//! How far pods are trusted: checks that they miss, requests that they fail, what they say of themselves.

use serde_json::json;

use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod, soon};

/// A request that this pod answers with an error of its own.
async fn fails(gateway: &Gateway, pod: &mut ScriptedPod) {
    let reply = gateway.start_asking(ask_chat().of("new"));
    pod.call().await.answer(500, "").await;
    assert_eq!(reply.await.unwrap().status, 500);
}

/// A request that this pod answers.
async fn works(gateway: &Gateway, pod: &mut ScriptedPod) {
    let reply = gateway.start_asking(ask_chat().of("new"));
    pod.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().pod(), pod.name);
}

#[actix_web::test]
async fn one_missed_check_takes_no_pod_off_but_two_do() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    pod.will_miss(2);
    // Whoever fails a request is asked at once.
    for missed in 1..=2 {
        let reply = gateway.start_asking(ask_chat());
        pod.call().await.close();
        assert_eq!(reply.await.unwrap().status, 502);
        soon(async {
            while pod.missed() < missed {
                tokio::task::yield_now().await;
            }
        })
        .await;
        for _ in 0..20 * (2 - missed) {
            assert_eq!(gateway.get("/healthz").await.status, 200, "one is not enough");
        }
    }
    gateway.until_ready(0).await;
}

#[actix_web::test]
async fn a_path_that_must_answer_is_asked_too() {
    let pod = fast_pod("a");
    for (path, ready) in [("/health", 1), ("/nowhere", 0)] {
        let gateway = Gateway::administered(&[&pod], &format!("[health]\npath = {path:?}")).await;
        assert_eq!(gateway.get_json("/healthz").await["pods_ready"], ready, "{path}");
    }
}

/// One pod drains while it runs something.
async fn drains(toml: &str) {
    let (mut a, mut b) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    let gateway = Gateway::administered(&[&a, &b], toml).await;
    let running = gateway.start_asking(ask_chat().of("new"));
    let call = a.call().await;
    assert_eq!(gateway.order("POST", "/v1/vtc/pods/a/drain", "").await.status, 200);
    assert_eq!(gateway.pod("a").await["draining"], true);
    assert_eq!(gateway.pod("a").await["running"], 1);
    for _ in 0..3 {
        works(&gateway, &mut b).await;
    }
    call.answer_chat(7, 5).await;
    assert_eq!(running.await.unwrap().pod(), "a");
    assert_eq!(gateway.pod("a").await["running"], 0);

    gateway.order("POST", "/v1/vtc/pods/b/drain", "").await;
    assert_eq!(gateway.ask(ask_chat()).await.status, 503);
    assert_eq!(gateway.get("/healthz").await.status, 503, "none takes requests");
    assert_eq!(gateway.order("POST", "/v1/vtc/pods/a/undrain", "").await.status, 200);
    works(&gateway, &mut a).await;
}

#[actix_web::test]
async fn a_pod_that_drains_gets_nothing_new_and_finishes_what_it_has() {
    drains("").await;
}

#[actix_web::test]
async fn a_pod_that_drains_gets_nothing_new_from_the_queue() {
    drains("[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 2").await;
}

#[actix_web::test]
async fn a_pod_that_fails_requests_gets_none_for_a_while() {
    let (mut a, mut b) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    let breaker = "[health.breaker]\nin_a_row = 2\nback_off = \"1h\"\nlongest_back_off = \"1h\"";
    let gateway = Gateway::configured(&[&a, &b], breaker).await;
    fails(&gateway, &mut a).await;
    works(&gateway, &mut a).await;
    fails(&gateway, &mut a).await;
    fails(&gateway, &mut a).await;
    gateway.until_pod("a", "breaker", "open").await;
    assert_eq!(gateway.pod("a").await["ready"], true, "it answers checks");
    for _ in 0..3 {
        works(&gateway, &mut b).await;
    }
    // When all fail none is kept away: somebody may be served still.
    fails(&gateway, &mut b).await;
    fails(&gateway, &mut b).await;
    gateway.until_pod("b", "breaker", "open").await;
    works(&gateway, &mut a).await;
    let text = String::from_utf8(gateway.get("/metrics").await.body.to_vec()).unwrap();
    assert!(text.contains("vtc_gateway_pod_breaker_open{pod=\"a\"} 1\n"), "{text}");
    assert!(text.contains("\nvtc_gateway_breaker_openings_total "), "{text}");
}

/// A pod whose breaker is half open, and one that nothing was wrong with.
async fn half_open(toml: &str) -> (Gateway, ScriptedPod, ScriptedPod) {
    let (mut a, b) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    let breaker = "[health]\nslow_start = \"0s\"\n[health.breaker]\nin_a_row = 1\nback_off = \"10ms\"\n";
    let gateway = Gateway::configured(&[&a, &b], &format!("{breaker}{toml}")).await;
    fails(&gateway, &mut a).await;
    gateway.until_pod("a", "breaker", "half-open").await;
    (gateway, a, b)
}

const QUEUE: &str = "[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 5";

#[actix_web::test]
async fn after_a_while_one_request_shows_whether_it_works_again() {
    for toml in ["", QUEUE] {
        let (gateway, mut a, mut b) = half_open(toml).await;
        let probing = gateway.start_asking(ask_chat().of("new"));
        let probe = a.call().await;
        for _ in 0..3 {
            works(&gateway, &mut b).await;
        }
        probe.answer_chat(7, 5).await;
        assert_eq!(probing.await.unwrap().pod(), "a");
        gateway.until_pod("a", "breaker", "closed").await;
        works(&gateway, &mut a).await;
    }
}

#[actix_web::test]
async fn a_client_that_leaves_gives_its_place_on_trial_to_the_next() {
    let (gateway, mut a, mut b) = half_open("").await;
    let leaver = gateway.start_asking(ask_chat().of("new"));
    let call = a.call().await;
    works(&gateway, &mut b).await;
    leaver.abort();
    call.closed().await;
    gateway.until_idle().await;
    works(&gateway, &mut a).await;
}

#[actix_web::test]
async fn a_trial_that_fails_before_it_is_answered_is_answered_by_another_pod() {
    let (gateway, mut a, mut b) = half_open("").await;
    let reply = gateway.start_asking(ask_chat().of("new"));
    a.call().await.close();
    b.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().pod(), "b");
    assert_ne!(gateway.pod("a").await["breaker"], "closed");
}

#[actix_web::test]
async fn a_stream_that_breaks_off_counts_against_its_pod() {
    let mut pod = ScriptedPod::start("a").await;
    let breaker = "[health.breaker]\nin_a_row = 1\nback_off = \"1h\"\nlongest_back_off = \"1h\"";
    let gateway = Gateway::configured(&[&pod], breaker).await;
    let events = gateway.start_streaming(ask_chat().streamed());
    let mut call = pod.call().await;
    call.begin().await;
    let events = events.await.unwrap();
    assert_eq!(gateway.pod("a").await["breaker"], "closed");
    call.close();
    events.rest().await;
    gateway.until_pod("a", "breaker", "open").await;
}

#[actix_web::test]
async fn retries_have_a_budget() {
    let (mut bad, mut good) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    let one = "[health.retry_budget]\nshare = 0\nper_second = 0.1";
    let gateway = Gateway::configured(&[&bad, &good], one).await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    bad.call().await.close();
    good.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().pod(), "b");

    let reply = gateway.start_asking(ask_chat().of("bob"));
    bad.call().await.close();
    let reply = reply.await.unwrap();
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (502, &json!("pod_failed")));
    assert_eq!((gateway.tokens("bob").await, gateway.in_flight().await, good.waiting_calls()), (0.0, 0, 0));
    let text = String::from_utf8(gateway.get("/metrics").await.body.to_vec()).unwrap();
    assert!(text.contains("\nvtc_gateway_retries_refused_total "), "{text}");
}

#[actix_web::test]
async fn what_a_pod_says_of_its_load_is_told() {
    let (vllm, scripted) = (fast_pod("says-a"), ScriptedPod::start("says-b").await);
    scripted.says("sglang:num_running_reqs 3\nsglang:num_queue_reqs 2\nsglang:token_usage 0.5\n");
    let silent = ScriptedPod::start("says-c").await;
    let gateway = Gateway::before(&[&vllm, &scripted, &silent]).await;
    gateway.until_pod("says-a", "reported", json!({ "running": 0, "waiting": 0, "kv_usage": 0.0 })).await;
    gateway.until_pod("says-b", "reported", json!({ "running": 3, "waiting": 2, "kv_usage": 0.5 })).await;
    assert_eq!(gateway.pod("says-c").await["reported"], json!(null));
    let text = String::from_utf8(gateway.get("/metrics").await.body.to_vec()).unwrap();
    for sample in
        ["running{pod=\"says-b\"} 3\n", "waiting{pod=\"says-b\"} 2\n", "kv_usage{pod=\"says-b\"} 0.5\n"]
    {
        assert!(text.contains(&format!("vtc_gateway_pod_reported_{sample}")), "{text}");
    }
    assert!(!text.contains("reported_running{pod=\"says-c\"}"));
}

#[actix_web::test]
async fn a_pod_in_which_too_much_waits_gets_nothing_from_the_queue() {
    let mut pod = ScriptedPod::start("a").await;
    pod.says("vllm:num_requests_waiting 5\n");
    let put = json!({ "url": format!("http://{}", pod.address), "max_running": 4, "max_waiting": 0 });
    let toml = "[discovery]\nstart_empty = true\n[upstream]\npoll_interval = \"1ms\"\n[queue]\ndiscipline = \"fcfs\"";
    let gateway = Gateway::administered(&[], toml).await;
    gateway.order("PUT", "/v1/vtc/pods/a", &put.to_string()).await;
    gateway.until_ready(1).await;
    soon(async { while gateway.pod("a").await["reported"]["waiting"] != 5 {} }).await;
    let reply = gateway.line_up(ask_chat(), 1).await;
    assert_eq!(pod.waiting_calls(), 0);
    pod.says("vllm:num_requests_waiting 0\n");
    pod.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().status, 200);
}
