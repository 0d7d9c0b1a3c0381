//! What is remembered of requests, and told.

use serde_json::{Value, json};

use crate::common::binary::Binary;
use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod, soon};

const ONE_SLOT: &str = "[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 1\n";

/// The story of the request of that name, once it has ended: its client may know before the gateway has noted it.
async fn story(gateway: &Gateway, id: &str) -> Value {
    soon(async {
        loop {
            let reply = gateway.get(&format!("/v1/vtc/explain/{id}")).await;
            if reply.status == 200 {
                return reply.json();
            }
            assert_eq!(reply.json()["error"]["code"], "request_not_found");
        }
    })
    .await
}

fn words(story: &Value) -> String {
    story["words"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

#[actix_web::test]
async fn the_path_of_a_request_through_the_queue_is_told() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], ONE_SLOT).await;
    let named = |id| ask_chat().with_header("request-id", id);
    let first = gateway.start_asking(named("one").of("alice"));
    let call = pod.call().await;
    let second = gateway.line_up(named("two").of("bob"), 1).await;
    let third = gateway.line_up(named("three").of("alice"), 2).await;
    call.answer_chat(3, 5).await;
    pod.call().await.answer_chat(3, 7).await;
    pod.call().await.answer_chat(3, 5).await;
    for reply in [first, second, third] {
        assert_eq!(reply.await.unwrap().status, 200);
    }

    let two = story(&gateway, "two").await;
    assert_eq!((&two["account"], &two["source"]), (&json!("bob"), &json!("header")));
    assert_eq!((&two["model"], &two["pod"], &two["status"]), (&json!("m"), &json!("a"), &json!(200)));
    assert_eq!(two["estimate"], json!({ "input": 3.0, "output": 5.0, "most_output": null }));
    assert_eq!((&two["reserved"], &two["ending"]), (&json!(13.0), &json!("settled")));
    assert_eq!(two["usage"], json!({ "input": 3, "cached": 0, "output": 7 }));
    assert_eq!((&two["queue"]["discipline"], &two["queue"]["ahead"]), (&json!("vtc-fair"), &json!(0)));
    let choice = &two["choice"];
    assert_eq!((&choice["of"], &choice["tokens"]), (&json!(1), &json!(0.0)));
    assert_eq!((&choice["pods"][0]["pod"], &choice["pods"][0]["chosen"]), (&json!("a"), &json!(true)));
    assert_eq!((&choice["pods"][0]["running"], &choice["pods"][0]["score"]), (&json!(0), &json!(0.0)));
    let three = story(&gateway, "three").await;
    assert_eq!(three["queue"]["ahead"], 1);
    assert_eq!(three["reason"], "vtc-fair: 1 user was to go before its own; a by the only pod with room");
    let told = words(&three);
    assert!(told.contains("It came from alice, named by a header, to /v1/chat/completions for m."), "{told}");
    assert!(told.contains("1 user was to go before its own"), "{told}");
    assert!(told.contains("settled with what its pod said: 3 tokens read and 5 written"), "{told}");
    let waited = three["queue"]["waited_ms"].as_f64().unwrap();
    assert!(waited <= three["duration_ms"].as_f64().unwrap());
}

#[actix_web::test]
async fn the_pods_are_told_with_their_scores_and_those_that_failed() {
    let (mut bad, mut good) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    let gateway = Gateway::before(&[&bad, &good]).await;
    // A user without tokens stands at the first pod, a whole step from the second.
    let asks = gateway.start_asking(ask_chat().of("alice").with_header("request-id", "moved"));
    bad.call().await.reset();
    good.call().await.answer_chat(3, 5).await;
    assert_eq!(asks.await.unwrap().status, 200);
    let moved = story(&gateway, "moved").await;
    let scores: Vec<_> =
        moved["choice"]["pods"].as_array().unwrap().iter().map(|pod| &pod["score"]).collect();
    assert_eq!(scores, [0.0, 1.0]);
    assert_eq!((&moved["retries"], &moved["pod"]), (&json!(1), &json!("b")));
    assert_eq!(moved["failures"][0]["pod"], "a");
    assert!(moved["reason"].as_str().unwrap().starts_with("a by vtc-basic, score 0.00, 2 pods; it failed"));
    assert!(moved["queue"].is_null());

    let other =
        ask_chat().of("bob").with_header("routing-strategy", "random").with_header("request-id", "any");
    let asks = gateway.start_asking(other);
    soon(async {
        tokio::select! {
            call = bad.call() => call.answer_chat(1, 1).await,
            call = good.call() => call.answer_chat(1, 1).await,
        }
    })
    .await;
    asks.await.unwrap();
    assert!(story(&gateway, "any").await["choice"]["pods"][0]["score"].is_null());
}

#[actix_web::test]
async fn whoever_is_refused_or_leaves_is_remembered_too_and_nothing_that_was_written() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], ONE_SLOT).await;
    let secret = "sesame-opens-the-cave";
    let refused = ask_chat().with("max_tokens", secret).with_header("request-id", "bad");
    assert_eq!(gateway.ask(refused).await.status, 400);
    let bad = story(&gateway, "bad").await;
    assert_eq!(
        (&bad["ending"], &bad["code"], &bad["status"]),
        (&json!("refused"), &json!("invalid_request"), &json!(400))
    );
    assert_eq!((&bad["account"], &bad["pod"]), (&Value::Null, &Value::Null));
    let unknown = ask_chat().of("alice").with("model", "none").with_header("request-id", "unknown");
    assert_eq!(gateway.ask(unknown).await.status, 404);
    assert_eq!(story(&gateway, "unknown").await["account"], "alice");

    let runs = gateway.start_asking(ask_chat().of("alice"));
    let call = pod.call().await;
    let waits = gateway.line_up(ask_chat().of("bob").with_header("request-id", "gone"), 1).await;
    waits.abort();
    let gone = story(&gateway, "gone").await;
    assert_eq!((&gone["ending"], &gone["account"]), (&json!("left"), &json!("bob")));
    assert!(words(&gone).contains("before its turn"), "{gone}");
    call.answer_chat(3, 5).await;
    runs.await.unwrap();

    let all = gateway.get("/v1/vtc/requests").await;
    let text = String::from_utf8(all.body.to_vec()).unwrap();
    assert!(!text.contains(secret) && !text.contains("twelve bytes"), "{text}");
}

#[actix_web::test]
async fn the_last_requests_are_listed_the_newest_first_and_only_so_many_kept() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(&[&pod], "[record]\nrequests = 3\n").await;
    for id in ["one", "two", "three", "four"] {
        let user = if id == "two" { "bob" } else { "alice" };
        gateway.ask(ask_chat().of(user).with_header("request-id", id)).await;
        story(&gateway, id).await;
    }
    let ids = |requests: &Value| -> Vec<String> {
        let requests = requests["requests"].as_array().unwrap();
        requests.iter().map(|request| request["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = gateway.get_json("/v1/vtc/requests").await;
    assert_eq!((ids(&all), &all["kept"]), (vec!["four".into(), "three".into(), "two".into()], &json!(3)));
    assert_eq!(ids(&gateway.get_json("/v1/vtc/requests?limit=1").await), ["four"]);
    assert_eq!(ids(&gateway.get_json("/v1/vtc/requests?limit=1&user=bob").await), ["two"]);
    assert_eq!(gateway.get("/v1/vtc/requests?limit=some").await.status, 400);
    assert_eq!(gateway.get("/v1/vtc/explain/one").await.status, 404);
}

#[actix_web::test]
async fn only_an_admin_sees_them() {
    let pod = fast_pod("a");
    let gateway = Gateway::administered(&[&pod], "").await;
    for path in ["/v1/vtc/requests", "/v1/vtc/explain/x", "/v1/vtc/live", "/v1/vtc/whatif"] {
        assert_eq!(gateway.get_with_key(path, "wrong").await.status, 401, "{path}");
    }
    assert_eq!(gateway.get("/v1/vtc/requests").await.status, 200);
}

#[actix_web::test]
async fn the_terminal_tells_it_too() {
    let pod = fast_pod("a");
    let gateway = Gateway::administered(&[&pod], "").await;
    gateway.ask(ask_chat().of("alice").with_header("request-id", "a/b")).await;
    story(&gateway, "a%2Fb").await;
    let url = format!("http://{}", gateway.address);
    let ask = |id| ["explain", id, "--gateway", &url, "--admin-key-env", "KEY"].map(str::to_owned);
    let arguments = ask("a/b");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut told = Binary::start(&arguments, &[("KEY", "key-of-admin")]);
    assert_eq!(told.line().await.as_deref(), Some("request a/b"));
    let mut page = String::new();
    while let Some(line) = told.line().await {
        page.push_str(&line);
        page.push('\n');
    }
    assert!(page.contains("It came from alice") && page.contains("  > a"), "{page}");
    assert_eq!(told.exit_code().await, Some(0));
    let arguments = ask("nobody");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let error = Binary::refused(&arguments, &[("KEY", "key-of-admin")]).await;
    assert!(error.contains("404: no request \"nobody\""), "{error}");
    let error = Binary::refused(&arguments, &[("KEY", "wrong")]).await;
    assert!(error.contains("401"), "{error}");
}
