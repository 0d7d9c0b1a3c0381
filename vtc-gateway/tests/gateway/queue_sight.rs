//! What can be seen of the queue.

use serde_json::json;

use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod};

const ONE_SLOT: &str = "[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 1\n";

#[actix_web::test]
async fn a_reply_says_how_it_came_about_if_asked() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], ONE_SLOT).await;
    let asked = || ask_chat().with_header("x-vtc-explain", "1");
    let first = gateway.start_asking(asked().of("alice"));
    let call = pod.call().await;
    assert_eq!(call.request.header("x-vtc-explain"), None, "it is none of the pod's business");
    let second = gateway.line_up(asked().of("bob"), 1).await;
    let third = gateway.line_up(asked().of("alice"), 2).await;
    call.answer_chat(3, 5).await;
    pod.call().await.answer_chat(3, 5).await;
    pod.call().await.answer_chat(3, 5).await;

    let first = first.await.unwrap();
    assert_eq!((first.header("x-vtc-pod"), first.header("x-vtc-rank")), (Some("a"), Some("0")));
    assert_eq!(first.header("x-vtc-counter"), Some("0"));
    assert!(first.header("x-vtc-wait-ms").unwrap().parse::<f64>().unwrap() >= 0.0);
    assert_eq!(
        first.header("x-vtc-reason"),
        Some("vtc-fair: nobody was to go before its user; vtc-basic chose the pod")
    );
    // Nobody waited when bob came: he begins where alice, who went last, was before.
    assert_eq!(second.await.unwrap().header("x-vtc-rank"), Some("0"));
    let third = third.await.unwrap();
    assert_eq!(third.header("x-vtc-rank"), Some("1"));
    assert_eq!(third.header("x-vtc-counter"), Some("13"), "3 tokens and twice 5");
    assert_eq!(
        third.header("x-vtc-reason"),
        Some("vtc-fair: 1 user was to go before its own; vtc-basic chose the pod")
    );
}

#[actix_web::test]
async fn nothing_is_said_unasked() {
    let pod = fast_pod("a");
    for config in [ONE_SLOT, ""] {
        let gateway = Gateway::configured(&[&pod], config).await;
        for question in [ask_chat(), ask_chat().with_header("x-vtc-explain", "0")] {
            let reply = gateway.ask(question).await;
            let told = reply.headers.keys().any(|name| name.as_str().starts_with("x-vtc"));
            assert!(!told, "{:?}", reply.headers);
        }
    }
}

#[actix_web::test]
async fn without_a_queue_the_pod_is_explained_and_no_queue_is_shown() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.ask(ask_chat().with_header("x-vtc-explain", "1")).await;
    assert_eq!(reply.header("x-vtc-pod"), Some("a"));
    assert_eq!(reply.header("x-vtc-reason"), Some("no queue; vtc-basic chose the pod"));
    assert_eq!(reply.header("x-vtc-rank"), None);
    assert_eq!(gateway.get_json("/v1/vtc/queues").await, json!({ "pools": [], "pods": [] }));
}

#[actix_web::test]
async fn queues_tell_who_waits_for_what() {
    let mut pod = ScriptedPod::start("a").await;
    let config = format!("{ONE_SLOT}weights = {{ bob = 2 }}\n");
    let gateway = Gateway::configured(&[&pod], &config).await;
    let runs = gateway.start_asking(ask_chat().of("alice"));
    let call = pod.call().await;
    let mut replies = vec![runs];
    for (waiting, user) in (1..).zip(["alice", "bob", "bob"]) {
        replies.push(gateway.line_up(ask_chat().of(user), waiting).await);
    }
    // Whoever gives no name is somebody, too.
    replies.push(gateway.line_up(ask_chat(), 4).await);

    let queues = gateway.get_json("/v1/vtc/queues").await;
    let pool = &queues["pools"][0];
    assert_eq!((&pool["pool"], &pool["discipline"]), (&json!("m"), &json!("vtc-fair")));
    assert_eq!(
        (&pool["waiting"], &pool["running"], &pool["present_users"]),
        (&json!(4), &json!(1), &json!(3))
    );
    assert_eq!(pool["gap"], 0.0, "all have come in at the level of alice");
    assert_eq!(
        pool["users"],
        json!([
            { "user": "bob", "weight": 2.0, "counter": 3.0, "waiting": 2, "running": 0 },
            { "user": "@anonymous", "weight": 1.0, "counter": 3.0, "waiting": 1, "running": 0 },
            { "user": "alice", "weight": 1.0, "counter": 3.0, "waiting": 1, "running": 1 },
        ])
    );
    assert_eq!(pool["outcomes"]["taken"], 5);
    assert_eq!(
        queues["pods"],
        json!([{ "pod": "a", "running": 1, "max_running": 1, "tokens": 8, "max_tokens": null, "suspect": false }])
    );
    let one = gateway.get_json("/v1/vtc/queues?limit=1").await;
    assert_eq!(one["pools"][0]["users"].as_array().unwrap().len(), 1);
    assert_eq!(gateway.get("/v1/vtc/queues?limit=some").await.status, 400);

    call.answer_chat(3, 5).await;
    for _ in 0..4 {
        pod.call().await.answer_chat(3, 5).await;
    }
    for reply in replies {
        assert_eq!(reply.await.unwrap().status, 200);
    }
}

#[actix_web::test]
async fn metrics_show_the_queue_and_who_was_served() {
    // The waits are the process's: so this pool has a name of its own.
    let mut pod = ScriptedPod::of_kind("queued", "vllm", &["seen"]).await;
    let gateway = Gateway::configured(&[&pod], ONE_SLOT).await;
    let ask = |user: &str| ask_chat().with("model", "seen").of(user);
    let runs = gateway.start_asking(ask("alice"));
    let call = pod.call().await;
    let waits = gateway.line_up(ask("bob"), 1).await;
    let leaves = gateway.line_up(ask("carol"), 2).await;
    let sample = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse::<f64>().unwrap()
    };
    let page = || async { String::from_utf8(gateway.get("/metrics").await.body.to_vec()).unwrap() };

    let text = page().await;
    for (name, value) in [
        (r#"vtc_gateway_queue_waiting{pool="seen"}"#, 2.0),
        (r#"vtc_gateway_queue_running{pool="seen"}"#, 1.0),
        (r#"vtc_gateway_queue_users{pool="seen"}"#, 3.0),
        (r#"vtc_gateway_queue_gap{pool="seen"}"#, 0.0),
        (r#"vtc_gateway_queue_jain_index{pool="seen"}"#, 1.0),
        (r#"vtc_gateway_queue_requests_total{pool="seen",outcome="dispatched"}"#, 1.0),
        (r#"vtc_gateway_pod_running{pod="queued"}"#, 1.0),
        (r#"vtc_gateway_pod_tokens{pod="queued"}"#, 8.0),
        (r#"vtc_gateway_user_tokens{user="alice"}"#, 13.0),
        (r#"vtc_gateway_user_tokens{user="other"}"#, 0.0),
    ] {
        assert_eq!(sample(&text, name), value, "{name}");
    }
    assert!(sample(&text, r#"vtc_gateway_queue_bytes{pool="seen"}"#) > 100.0);

    leaves.abort();
    gateway.until_waiting(1).await;
    call.answer_chat(3, 5).await;
    pod.call().await.answer_chat(3, 6).await;
    runs.await.unwrap();
    waits.await.unwrap();
    gateway.until_idle().await;
    let text = page().await;
    for (name, value) in [
        (r#"vtc_gateway_queue_waiting{pool="seen"}"#, 0.0),
        (r#"vtc_gateway_queue_bytes{pool="seen"}"#, 0.0),
        (r#"vtc_gateway_queue_requests_total{pool="seen",outcome="cancelled"}"#, 1.0),
        (r#"vtc_gateway_queue_requests_total{pool="seen",outcome="dispatched"}"#, 2.0),
        (r#"vtc_gateway_queue_ended_total{pool="seen",ending="settled"}"#, 2.0),
        (r#"vtc_gateway_queue_wait_seconds_count{pool="seen"}"#, 2.0),
        (r#"vtc_gateway_user_tokens{user="bob"}"#, 15.0),
    ] {
        assert_eq!(sample(&text, name), value, "{name}");
    }
    assert!(!text.contains("carol"), "she was never served");
    for described in
        ["vtc_gateway_queue_waiting", "vtc_gateway_queue_wait_seconds", "vtc_gateway_user_tokens"]
    {
        assert_eq!(text.matches(&format!("# HELP {described} ")).count(), 1, "{described}");
    }
}

#[actix_web::test]
async fn of_many_users_those_with_the_most_tokens_are_shown_by_name() {
    let mut pod = ScriptedPod::start("a").await;
    pod.always(|call| async move {
        let user = call.json()["number"].as_u64().unwrap();
        call.answer_chat(user, 0).await;
    });
    let gateway = Gateway::before(&[&pod]).await;
    for user in 1..=25u64 {
        gateway.ask(ask_chat().with("number", user).of(&format!("user-{user}"))).await;
    }
    // A user by this name is one of the others.
    gateway.ask(ask_chat().with("number", 1000).of("other")).await;
    let text = String::from_utf8(gateway.get("/metrics").await.body.to_vec()).unwrap();
    let shown: Vec<_> = text.lines().filter(|line| line.starts_with("vtc_gateway_user_tokens{")).collect();
    assert_eq!(shown.len(), 20, "{shown:?}");
    let sum = |named: u64| (1..=25).filter(|user| *user < named).sum::<u64>() + 1000;
    assert!(
        shown.contains(&format!(r#"vtc_gateway_user_tokens{{user="other"}} {}"#, sum(7)).as_str()),
        "{shown:?}"
    );
}
