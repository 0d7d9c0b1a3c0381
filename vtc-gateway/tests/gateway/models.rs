//! Models by other names, and what is listed of them.

use serde_json::json;

use crate::common::question::Question;
use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod};

const ALIASES: &str =
    "[models.aliases]\n\"gpt-4o\" = \"org/big\"\n\"say \\\"hi\\\"\" = \"org/big\"\nlost = \"nowhere\"";

async fn pod() -> ScriptedPod {
    ScriptedPod::of_kind("a", "vllm", &["org/big", "small"]).await
}

#[actix_web::test]
async fn an_alias_becomes_its_model_on_the_way_to_the_pod_and_nothing_else_changes() {
    let mut pod = pod().await;
    let gateway = Gateway::configured(&[&pod], ALIASES).await;
    for (sent, seen) in [
        (
            r#"{ "messages" : [ ], "model" : "gpt-4o" ,"x":"gpt-4o"}"#,
            r#"{ "messages" : [ ], "model" : "org/big" ,"x":"gpt-4o"}"#,
        ),
        (r#"{"model":"s\u0061y \"hi\"","messages":[]}"#, r#"{"model":"org/big","messages":[]}"#),
        (r#"{"model":"small","messages":[]}"#, r#"{"model":"small","messages":[]}"#),
    ] {
        let reply = gateway.start_asking(ask_chat().with_body(sent));
        let call = pod.call().await;
        assert_eq!(std::str::from_utf8(&call.request.body).unwrap(), seen);
        let answer = r#"{"model":"org/big","choices":[]}"#;
        call.answer(200, answer).await;
        // Which model it was, the pod says.
        assert_eq!(reply.await.unwrap().body, answer);
    }
}

#[actix_web::test]
async fn an_alias_in_a_stream_is_asked_for_usage_all_the_same() {
    let mut pod = pod().await;
    let gateway = Gateway::configured(&[&pod], ALIASES).await;
    let body = r#"{"model":"gpt-4o","messages":[],"stream":true}"#;
    let events = gateway.start_streaming(ask_chat().with_body(body));
    let mut call = pod.call().await;
    assert_eq!(
        std::str::from_utf8(&call.request.body).unwrap(),
        r#"{"stream_options":{"include_usage":true,"continuous_usage_stats":true},"model":"org/big","messages":[],"stream":true}"#
    );
    call.begin().await;
    call.event("[DONE]").await;
    call.finish().await;
    events.await.unwrap().rest().await;
}

#[actix_web::test]
async fn an_alias_in_a_form_becomes_its_model() {
    let mut pod = pod().await;
    let gateway = Gateway::configured(&[&pod], ALIASES).await;
    let form = |model: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--b--\r\n")
    };
    let body = form("gpt-4o");
    let head = "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: gateway\r\ncontent-type: multipart/form-data; boundary=b";
    let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let answering = async {
        let call = pod.call().await;
        assert_eq!(call.request.body, form("org/big").as_bytes());
        call.answer(200, "{}").await;
    };
    let (reply, ()) = tokio::join!(gateway.exchange(request), answering);
    assert!(reply.first_line.contains(" 200 "), "{}", reply.first_line);
}

#[actix_web::test]
async fn aliases_are_listed_while_their_models_are_served() {
    let pod = pod().await;
    let gateway = Gateway::configured(&[&pod], ALIASES).await;
    let models = gateway.get_json("/v1/models").await;
    let ids: Vec<_> = models["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, ["gpt-4o", "org/big", "say \"hi\"", "small"]);
    let alias =
        json!({ "id": "gpt-4o", "object": "model", "owned_by": "vllm", "of": "a", "root": "org/big" });
    assert_eq!(models["data"][0], alias);
    assert_eq!(gateway.get_json("/v1/models/gpt-4o").await, alias);
    for path in ["/v1/models/org/big", "/v1/models/org%2Fbig"] {
        assert_eq!(gateway.get_json(path).await["id"], "org/big", "{path}");
    }
    let reply = gateway.get("/v1/models/lost").await;
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &"model_not_found".into()));
}

async fn unknown(gateway: &Gateway, question: Question) -> String {
    let reply = gateway.ask(question.of("alice")).await;
    assert_eq!(reply.status, 404);
    assert!(gateway.has_charged_nobody().await);
    reply.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_model_that_is_unknown_is_called_as_its_client_called_it() {
    let pod = pod().await;
    let gateway = Gateway::configured(&[&pod], ALIASES).await;
    for name in ["lost", "gpt-9"] {
        let message = unknown(&gateway, ask_chat().with("model", name)).await;
        let known = "there are: gpt-4o, lost, org/big, say \"hi\", small";
        assert!(message.contains(&format!("{name:?}")) && message.ends_with(known), "{message}");
    }
}

#[actix_web::test]
async fn a_prompt_is_counted_by_the_vocabulary_that_its_model_is_said_to_have() {
    let mut pod = pod().await;
    let settings = "[models.\"org/big\"]\nestimator = \"tiktoken\"\n[models.aliases]\nbig = \"org/big\"";
    let gateway = Gateway::configured(&[&pod], settings).await;
    // It is there before the first request, as it would be after a moment.
    vtc_gateway::estimate::Encoding::Cl100kBase.load();
    for (model, tokens) in [("small", 6.0), ("org/big", 4.0), ("big", 4.0)] {
        let question = ask_chat().with("model", model).with("max_tokens", 0);
        let question =
            question.with("messages", json!([{ "role": "user", "content": "hello hello hello hello" }]));
        let reply = gateway.start_asking(question.of(model));
        let call = pod.call().await;
        assert_eq!(gateway.tokens(model).await, tokens, "{model}");
        call.answer(400, "{}").await;
        reply.await.unwrap();
    }
}

#[actix_web::test]
async fn a_model_of_the_demo_is_described_by_its_name() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    assert_eq!(gateway.get_json("/v1/models/m").await["id"], "m");
}

#[actix_web::test]
async fn a_tenant_of_certain_models_may_call_them_by_their_aliases_and_has_to_name_one() {
    let mut pod = pod().await;
    let settings = format!(
        "{ALIASES}\nother = \"small\"\n[[tenants]]\nname = \"bob\"\nkey_sha256 = \"{}\"\nmodels = [\"org/big\", \"other\"]",
        vtc_gateway::identity::key::KeyHash::of(b"key-of-bob")
    );
    let gateway = Gateway::configured(&[&pod], &settings).await;
    let with_key = |question: Question| question.with_header("authorization", "Bearer key-of-bob");
    // By the model's name, by the alias of a model that it may use, by an alias that it may use.
    for name in ["org/big", "gpt-4o", "other"] {
        let reply = gateway.start_asking(with_key(ask_chat().with("model", name)));
        pod.call().await.answer_chat(7, 5).await;
        assert_eq!(reply.await.unwrap().status, 200, "{name}");
    }
    let reply = gateway.ask(with_key(ask_chat().with("model", "small"))).await;
    assert_eq!(reply.status, 404);
    let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("there are: gpt-4o, org/big, other, say \"hi\""), "{message}");
    let list = gateway.get_with_key("/v1/models", "key-of-bob").await.json();
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, ["gpt-4o", "org/big", "other", "say \"hi\""]);
    // What names no model may go to any pod, and so to any model.
    for path in ["/v1/files", "/tokenize", "/completion"] {
        let reply = gateway.ask(with_key(ask_chat().at(path).with_body("{}"))).await;
        assert_eq!((reply.status, &reply.json()["error"]["param"]), (400, &"model".into()), "{path}");
    }
}
