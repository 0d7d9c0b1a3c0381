//! Who asks: keys, headers and networks, through real sockets.

use std::io::Write;

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use vtc_gateway::identity::key::KeyHash;

use crate::common::binary::Binary;
use crate::common::question::{Question, Reply};
use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod};

fn hash(key: &str) -> KeyHash {
    KeyHash::of(key.as_bytes())
}

/// Two tenants with a key each.
fn tenants() -> String {
    format!(
        "[[tenants]]\nname = \"alice\"\nkey_sha256 = \"{}\"\n\
         [[tenants]]\nname = \"bob\"\nkey_sha256 = [\"{}\", \"{}\"]\nweight = 4\nmodels = [\"x\"]\n",
        hash("key-of-alice"),
        hash("key-of-bob"),
        hash("new-key-of-bob"),
    )
}

fn with_key(question: Question, key: &str) -> Question {
    question.with_header("authorization", &format!("Bearer {key}"))
}

/// The error's code.
fn code(reply: &Reply) -> Value {
    reply.json()["error"]["code"].clone()
}

/// Has it answered by a pod for 17 tokens.
async fn served(gateway: &Gateway, pod: &mut ScriptedPod, question: Question) {
    let reply = gateway.start_asking(question);
    pod.call().await.answer_chat(7, 5).await;
    let reply = reply.await.unwrap();
    assert_eq!(reply.status, 200, "{:?}", reply.body);
}

#[actix_web::test]
async fn whoever_has_a_key_is_its_tenant_whatever_else_it_says() {
    let mut pod = ScriptedPod::of_kind("a", "vllm", &["m", "x"]).await;
    let gateway = Gateway::configured(&[&pod], &tenants()).await;
    served(&gateway, &mut pod, with_key(ask_chat().of("bob"), "key-of-alice")).await;
    served(&gateway, &mut pod, ask_chat().with_header("x-api-key", "key-of-alice")).await;
    served(&gateway, &mut pod, with_key(ask_chat().with("model", "x"), "new-key-of-bob")).await;
    assert_eq!((gateway.tokens("alice").await, gateway.tokens("bob").await), (34.0, 17.0));
}

#[actix_web::test]
async fn without_a_key_of_the_gateways_nobody_is_served() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(&[&pod], &tenants()).await;
    for (question, message) in [
        (ask_chat(), "give an API key"),
        (ask_chat().of("alice"), "give an API key"),
        (with_key(ask_chat(), "key-of-carol"), "not one of this gateway's"),
        (ask_chat().with_header("x-api-key", "key"), "not one of this gateway's"),
        // Before anything else is looked at.
        (ask_chat().with_body("no JSON"), "give an API key"),
        (ask_chat().with_header("routing-strategy", "fastest"), "give an API key"),
    ] {
        let reply = gateway.ask(question).await;
        assert_eq!((reply.status, code(&reply)), (401, json!("invalid_api_key")));
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        let error = &reply.json()["error"];
        assert_eq!(error["type"], "authentication_error");
        assert!(error["message"].as_str().unwrap().contains(message), "{error}");
        assert!(!error.to_string().contains("carol"), "a key is not repeated");
    }
    assert_eq!(gateway.get("/v1/models").await.status, 401);
    assert_eq!(gateway.get("/healthz").await.status, 200, "load balancers have no key");
    assert!(gateway.has_charged_nobody().await);
}

#[actix_web::test]
async fn a_header_from_where_it_is_not_trusted_is_ignored_and_counted() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[identity]\ntrusted_networks = [\"10.0.0.0/8\"]").await;
    for name in ["user", "x-gateway-inference-fairness-id", "x-llm-d-inference-fairness-id"] {
        let reply = gateway.start_asking(ask_chat().with_header(name, "alice"));
        let call = pod.call().await;
        assert_eq!(call.request.header(name), None, "and the pod does not get it");
        call.answer_chat(7, 5).await;
        assert_eq!(reply.await.unwrap().status, 200);
    }
    assert_eq!((gateway.tokens("alice").await, gateway.tokens("@anonymous").await), (0.0, 51.0));
    let metrics = gateway.metrics().await;
    assert!(crate::status::sample(&metrics, "vtc_gateway_ignored_user_headers_total") >= 3.0);
    assert!(crate::status::sample(&metrics, r#"vtc_gateway_identities_total{source="anonymous"}"#) >= 3.0);
}

#[actix_web::test]
async fn no_header_names_the_account_of_those_without_a_name() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    served(&gateway, &mut pod, ask_chat().of("@anonymous")).await;
    assert_eq!((gateway.tokens("@anonymous").await, gateway.tokens("@@anonymous").await), (0.0, 17.0));
}

#[actix_web::test]
async fn which_headers_name_a_user_can_be_configured() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[identity]\nuser_headers = [\"x-team\"]").await;
    let reply = gateway.start_asking(ask_chat().of("alice").with_header("x-team", "red"));
    let call = pod.call().await;
    assert_eq!((call.request.header("user"), call.request.header("x-team")), (None, None));
    call.answer_chat(7, 5).await;
    reply.await.unwrap();
    assert_eq!((gateway.tokens("alice").await, gateway.tokens("red").await), (0.0, 17.0));
}

#[actix_web::test]
async fn headers_that_name_two_users_are_refused() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.ask(ask_chat().of("alice").with_header("x-llm-d-inference-fairness-id", "bob")).await;
    assert_eq!((reply.status, code(&reply)), (400, json!("invalid_request")));
    assert!(gateway.has_charged_nobody().await);
}

#[actix_web::test]
async fn where_a_request_comes_from_only_known_proxies_say() {
    let by_address = "[identity]\nby_address = true\n";
    for (proxies, account) in
        [("", "@127.0.0.1"), ("trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\n", "@203.0.113.9")]
    {
        let mut pod = ScriptedPod::start("a").await;
        let gateway = Gateway::configured(&[&pod], &format!("{by_address}{proxies}")).await;
        let question = ask_chat().with_header("x-forwarded-for", "198.51.100.1, 203.0.113.9, 10.0.0.3");
        // What came from there may name nobody, though its last stop was here.
        served(&gateway, &mut pod, question.of("alice")).await;
        assert_eq!(gateway.tokens(account).await, 17.0);
        assert_eq!(gateway.tokens("alice").await, 0.0);
    }
}

#[actix_web::test]
async fn a_tenants_key_carries_its_weight_into_the_queue() {
    let mut pod = ScriptedPod::of_kind("a", "vllm", &["x"]).await;
    let queue = "[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 1\n";
    let gateway = Gateway::configured(&[&pod], &format!("{}{queue}", tenants())).await;
    let mut replies = Vec::new();
    for waiting in 0..40 {
        let key = if waiting < 20 { "key-of-alice" } else { "key-of-bob" };
        let question = with_key(ask_chat().with("model", "x").with("tag", key), key);
        replies.push(gateway.line_up(question, waiting).await);
    }
    let mut of_alice = 0;
    for turn in 0..40 {
        let call = pod.call().await;
        // The first found nobody else, and so went alone.
        of_alice += u64::from((1..=20).contains(&turn) && call.json()["tag"] == "key-of-alice");
        call.answer_chat(3, 5).await;
    }
    assert!((3..=5).contains(&of_alice), "{of_alice} of 20");
    for reply in replies {
        assert_eq!(reply.await.unwrap().status, 200);
    }
    let users = gateway.get_json("/v1/vtc/queues").await;
    assert!(!users.to_string().contains("key-of"), "no key is shown");
}

#[actix_web::test]
async fn a_model_that_a_tenant_may_not_use_is_not_there_for_it() {
    let mut pod = ScriptedPod::of_kind("a", "vllm", &["hidden", "x"]).await;
    let gateway = Gateway::configured(&[&pod], &tenants()).await;
    let refusal = async |model: &str| {
        let reply = gateway.ask(with_key(ask_chat().with("model", model), "key-of-bob")).await;
        assert_eq!((reply.status, code(&reply)), (404, json!("model_not_found")));
        reply.json()["error"]["message"].as_str().unwrap().replace(model, "MODEL")
    };
    assert_eq!(refusal("hidden").await, refusal("absent").await, "as one that there is not at all");
    served(&gateway, &mut pod, with_key(ask_chat().with("model", "x"), "key-of-bob")).await;
    served(&gateway, &mut pod, with_key(ask_chat().with("model", "hidden"), "key-of-alice")).await;
    for (key, models) in [("key-of-bob", vec!["x"]), ("key-of-alice", vec!["hidden", "x"])] {
        let list = gateway.get_with_key("/v1/models", key).await.json();
        let listed: Vec<_> =
            list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
        assert_eq!(listed, models);
    }
}

#[actix_web::test]
async fn pods_get_a_key_of_their_own_and_not_the_clients() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway =
        Gateway::configured(&[&pod], &format!("{}[upstream]\napi_key = \"key-of-pods\"", tenants())).await;
    let reply =
        gateway.start_asking(with_key(ask_chat(), "key-of-alice").with_header("x-api-key", "key-of-alice"));
    let call = pod.call().await;
    assert_eq!(call.request.header("authorization"), Some("Bearer key-of-pods"));
    assert_eq!(call.request.header("x-api-key"), None);
    call.answer_chat(7, 5).await;
    reply.await.unwrap();
}

#[actix_web::test]
async fn pods_get_the_clients_key_where_that_is_configured() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[identity]\nforward_authorization = true").await;
    let reply = gateway.start_asking(with_key(ask_chat(), "key").of("alice"));
    let call = pod.call().await;
    assert_eq!(call.request.header("authorization"), Some("Bearer key"));
    assert_eq!(call.request.header("user"), None);
    call.answer_chat(7, 5).await;
    reply.await.unwrap();
}

#[actix_web::test]
async fn with_an_admin_key_only_whoever_has_it_looks_in() {
    let pod = fast_pod("a");
    let admin = format!("[admin]\nkey_sha256 = \"{}\"\n", hash("key-of-admin"));
    let gateway = Gateway::configured(&[&pod], &format!("{}{admin}", tenants())).await;
    for path in ["/v1/vtc/users", "/v1/vtc/pods", "/v1/vtc/queues", "/v1/vtc/nothing", "/metrics"] {
        let refused = gateway.get(path).await;
        assert_eq!((refused.status, code(&refused)), (401, json!("invalid_api_key")), "{path}");
        let refused = gateway.get_with_key(path, "key-of-alice").await;
        assert_eq!(refused.status, 401, "{path}");
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains("is a tenant's"), "{path}");
        let status = if path.ends_with("nothing") { 404 } else { 200 };
        assert_eq!(gateway.get_with_key(path, "key-of-admin").await.status, status, "{path}");
    }
    for question in
        [with_key(ask_chat(), "key-of-admin"), ask_chat().with_header("x-api-key", "key-of-admin")]
    {
        let refused = gateway.ask(question).await;
        assert_eq!(refused.status, 401);
        assert!(refused.json()["error"]["message"].as_str().unwrap().contains("is the admin's"));
    }
    assert_eq!(gateway.get("/healthz").await.status, 200);
    let open = Gateway::configured(&[&pod], &format!("{admin}open_metrics = true")).await;
    assert_eq!((open.get("/metrics").await.status, open.get("/v1/vtc/users").await.status), (200, 401));
}

#[actix_web::test]
async fn without_an_admin_key_nothing_can_be_changed() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.ask(ask_chat().at("/v1/vtc/pods")).await;
    assert_eq!((reply.status, code(&reply)), (403, json!("admin_key_required")));
}

#[actix_web::test]
async fn a_head_that_is_too_long_is_refused() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(&[&pod], "[limits]\nheader_bytes = 1000").await;
    let asks = |length| ask_chat().with_header("x-long", &"x".repeat(length));
    assert_eq!(gateway.ask(asks(500)).await.status, 200);
    let reply = gateway.ask(asks(1000)).await;
    assert_eq!((reply.status, code(&reply)), (431, json!("request_header_fields_too_large")));
    // More than the library takes it refuses itself.
    let many = "x: 1\r\n".repeat(100);
    let reply = gateway.exchange_to_the_end(format!("GET /healthz HTTP/1.1\r\nhost: a\r\n{many}\r\n")).await;
    assert!(reply.starts_with("HTTP/1.1 431 "), "{reply}");
}

#[actix_web::test]
async fn a_new_key_is_printed_with_the_line_that_lets_it_in() {
    let mut printed = Binary::start(&["key"], &[]);
    let (key, line) = (printed.line().await.unwrap(), printed.line().await.unwrap());
    assert_eq!(printed.line().await, None);
    assert_eq!(printed.exit_code().await, Some(0));
    let mut keys = NamedTempFile::new().unwrap();
    writeln!(keys, "{}", line.replace("key_sha256", "alice")).unwrap();
    let mut config = NamedTempFile::new_in(keys.path().parent().unwrap()).unwrap();
    let name = keys.path().file_name().unwrap().to_str().unwrap();
    writeln!(
        config,
        "listen = \"127.0.0.1:0\"\n[identity]\nkeys_file = \"{name}\"\n[[tenants]]\nname = \"bob\"\n{line}"
    )
    .unwrap();
    let arguments = ["serve", "--pod", "a=http://127.0.0.1:9", "--config", config.path().to_str().unwrap()];
    let error = Binary::refused(&arguments, &[]).await;
    assert!(error.contains("a key of its own: another has it"), "{error}");
    let rest = std::fs::read_to_string(config.path()).unwrap().replace(&line, "");
    std::fs::write(config.path(), rest).unwrap();
    let mut binary = Binary::start(&arguments, &[]);
    let gateway = binary.gateway().await;
    assert_eq!(gateway.get("/v1/models").await.status, 401);
    assert_eq!(gateway.get_with_key("/v1/models", &key).await.status, 200);
}

#[actix_web::test]
async fn neither_errors_nor_the_log_show_a_key() {
    let mut config = NamedTempFile::new().unwrap();
    let arguments = ["serve", "--pod", "a=http://127.0.0.1:9", "--config", config.path().to_str().unwrap()];
    for wrong in [
        "[[tenants]]\nname = \"a\"\nkey_sha256 = \"sk-secret\"",
        "[admin]\nkey_sha256 = [\"sk-secret\"]",
        "[upstream]\napi_key = \"sk-secret\\n\"",
        "[upstream]\napi_key = \"sk-secret\"\napi_key_env = \"KEY\"",
    ] {
        config.as_file().set_len(0).unwrap();
        std::fs::write(config.path(), wrong).unwrap();
        let error = Binary::refused(&arguments, &[("RUST_LOG", "trace")]).await;
        assert!(error.contains("is not allowed"), "{error}");
        assert!(!error.contains("sk-secret"), "{error}");
    }
    config.flush().unwrap();
}
