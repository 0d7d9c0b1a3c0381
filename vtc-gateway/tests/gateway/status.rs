//! What the gateway tells about itself.

use serde_json::json;

use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod};

#[actix_web::test]
async fn the_models_of_all_pods_are_listed_once_as_the_first_pod_describes_them() {
    let pods = [
        ScriptedPod::of_kind("a", "vllm", &["y", "x"]).await,
        ScriptedPod::of_kind("b", "llamacpp", &["z", "x"]).await,
    ];
    let gateway = Gateway::before(&[&pods[1], &pods[0]]).await;
    let list = gateway.get_json("/v1/models").await;
    assert_eq!(list["object"], "list");
    let models = list["data"].as_array().unwrap().iter();
    let described: Vec<_> = models.map(|model| (model["id"].as_str(), model["of"].as_str())).collect();
    assert_eq!(described, [("x", "a"), ("y", "a"), ("z", "b")].map(|(id, of)| (Some(id), Some(of))));
}

#[actix_web::test]
async fn the_models_of_a_pod_that_is_away_are_not_listed() {
    let mut away = ScriptedPod::of_kind("a", "vllm", &["x"]).await;
    let ready = ScriptedPod::of_kind("b", "vllm", &["y"]).await;
    let gateway = Gateway::configured(&[&away, &ready], "[upstream]\npoll_interval = \"1ms\"").await;
    assert_eq!(gateway.get_json("/v1/models").await["data"].as_array().unwrap().len(), 2);
    away.close().await;
    gateway.until_ready(1).await;
    let list = gateway.get_json("/v1/models").await;
    assert_eq!((list["data"].as_array().unwrap().len(), &list["data"][0]["id"]), (1, &json!("y")));
}

#[actix_web::test]
async fn users_are_listed_by_their_tokens_the_most_first() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[[tenants]]\nname = \"bob\"\nweight = 3").await;
    for (user, completion) in [("bob", 10), ("carol", 5), ("alice", 5), ("dave", 1000)] {
        let reply = gateway.start_asking(ask_chat().of(user));
        pod.call().await.answer_chat(0, completion).await;
        reply.await.unwrap();
    }
    let users = gateway.get_json("/v1/vtc/users").await;
    assert_eq!(
        users["users"],
        json!([
            { "user": "dave", "tokens": 2000.0, "weight": 1.0 },
            { "user": "bob", "tokens": 20.0, "weight": 3.0 },
            { "user": "alice", "tokens": 10.0, "weight": 1.0 },
            { "user": "carol", "tokens": 10.0, "weight": 1.0 },
        ])
    );
    assert_eq!(users["window_seconds"], 300.0);
    assert_eq!(
        (&users["active"], &users["min_tokens"], &users["max_tokens"]),
        (&4.into(), &10.0.into(), &2000.0.into())
    );
    // The mean of the least and the most, if that is more than the floor of 1000.
    assert_eq!(users["bucket"], 1005.0);
}

#[actix_web::test]
async fn a_limit_keeps_the_users_with_the_most_tokens() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    for (user, completion) in [("alice", 1), ("bob", 3), ("carol", 2)] {
        let reply = gateway.start_asking(ask_chat().of(user));
        pod.call().await.answer_chat(0, completion).await;
        reply.await.unwrap();
    }
    for (limit, names) in [(0, vec![]), (2, vec!["bob", "carol"]), (9, vec!["bob", "carol", "alice"])] {
        let users = gateway.get_json(&format!("/v1/vtc/users?limit={limit}")).await;
        let shown: Vec<_> =
            users["users"].as_array().unwrap().iter().map(|user| user["user"].clone()).collect();
        assert_eq!(shown, names);
        assert_eq!(users["active"], 3, "all count, shown or not");
    }
}

#[actix_web::test]
async fn before_anybody_has_tokens_the_configured_bounds_are_told() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    let users = gateway.get_json("/v1/vtc/users").await;
    let bounds = json!({
        "window_seconds": 300.0, "token_weights": { "input": 1.0, "output": 2.0 }, "active": 0, "min_tokens": 1000.0,
        "max_tokens": 8000.0, "bucket": 4500.0, "users": [],
    });
    assert_eq!(users, bounds);
}

#[actix_web::test]
async fn pods_are_listed_by_name_with_what_runs_on_them() {
    let mut busy = ScriptedPod::start("a").await;
    let mut away = ScriptedPod::of_kind("b", "vllm", &["other"]).await;
    away.close().await;
    let gateway = Gateway::before(&[&away, &busy]).await;
    let question = gateway.start_asking(ask_chat());
    let call = busy.call().await;
    let pods = gateway.get_json("/v1/vtc/pods").await;
    assert_eq!(
        pods["pods"],
        json!([
            { "pod": "a", "url": format!("http://{}", busy.address), "source": "settings", "ready": true,
              "draining": false, "breaker": "closed", "share": 1.0, "running": 1, "load": 0.01, "models": ["m"],
              "reported": null },
            { "pod": "b", "url": format!("http://{}", away.address), "source": "settings", "ready": false,
              "draining": false, "breaker": "closed", "share": 1.0, "running": 0, "load": 0.0, "models": [],
              "reported": null },
        ])
    );
    assert_eq!(pods["troubles"], json!([]));
    call.answer_chat(7, 5).await;
    question.await.unwrap();
    assert_eq!(gateway.in_flight().await, 0);
}

#[actix_web::test]
async fn health_is_that_some_pod_is_ready() {
    let (ready, mut away) = (fast_pod("a"), ScriptedPod::start("b").await);
    away.close().await;
    let gateway = Gateway::before(&[&ready, &away]).await;
    let health = gateway.get("/healthz").await;
    assert_eq!((health.status, health.json()), (200, json!({ "status": "ok", "pods_ready": 1, "pods": 2 })));
}

#[actix_web::test]
async fn whoever_looks_may_leave_out_the_body() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    for path in ["/healthz", "/metrics", "/v1/models", "/v1/vtc/users", "/v1/vtc/pods"] {
        let look = format!("HEAD {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n");
        let reply = gateway.exchange_to_the_end(look).await;
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
        assert_eq!(body, "");
    }
}

/// The value of a sample whose name and labels are these.
pub fn sample(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}

#[actix_web::test]
async fn metrics_count_requests_retries_tokens_and_pods() {
    // Metrics are the process's: other tests count as well, but on pods of other names.
    let (mut bad, mut good) = (ScriptedPod::start("metered-a").await, ScriptedPod::start("metered-b").await);
    let gateway = Gateway::before(&[&bad, &good]).await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    bad.call().await.close();
    let call = good.call().await;

    let text = String::from_utf8(gateway.get("/metrics").await.body.to_vec()).unwrap();
    assert_eq!(sample(&text, r#"vtc_gateway_pod_in_flight{pod="metered-a"}"#), 0.0);
    assert_eq!(sample(&text, r#"vtc_gateway_pod_in_flight{pod="metered-b"}"#), 1.0);
    assert_eq!(sample(&text, r#"vtc_gateway_pod_ready{pod="metered-b"}"#), 1.0);

    call.answer_chat(7, 5).await;
    reply.await.unwrap();
    // The bucket in force is published with the extremes.
    gateway.get("/v1/vtc/users").await;
    let page = gateway.get("/metrics").await;
    assert!(page.header("content-type").unwrap().starts_with("text/plain"));
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    let answered = r#"vtc_gateway_requests_total{endpoint="/v1/chat/completions",status="200"}"#;
    assert!(sample(&text, answered) >= 1.0);
    assert!(sample(&text, "vtc_gateway_retries_total") >= 1.0);
    assert!(sample(&text, r#"vtc_gateway_tokens_total{direction="input"}"#) >= 7.0);
    assert!(sample(&text, r#"vtc_gateway_tokens_total{direction="output"}"#) >= 5.0);
    assert!(sample(&text, "vtc_gateway_time_to_head_seconds_count") >= 1.0);
    assert!(sample(&text, r#"vtc_gateway_time_to_head_seconds_bucket{le="+Inf"}"#) >= 1.0);
    assert!(sample(&text, "vtc_bucket_size_active") > 0.0);
    for described in ["vtc_gateway_requests_total", "vtc_bucket_size_active"] {
        assert!(text.contains(&format!("# HELP {described} ")), "{described}");
    }
}
