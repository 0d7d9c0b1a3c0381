//! What there is besides chats, completions and embeddings.

use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::question::Question;
use crate::common::wire::Message;
use crate::common::{Gateway, ScriptedPod, ask_chat, soon};

/// Sends this body to that path, and has the pod answer it with that. Returns the reply and what the pod saw.
async fn asked(
    gateway: &Gateway,
    pod: &mut ScriptedPod,
    path: &str,
    kind: &str,
    body: &[u8],
    answer: &str,
) -> (Message, Message) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: gateway\r\nuser: alice\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answering = async {
        let call = pod.call().await;
        let seen = call.request.clone();
        call.answer(200, answer).await;
        seen
    };
    tokio::join!(gateway.exchange([head.as_bytes(), body].concat()), answering)
}

#[actix_web::test]
async fn every_endpoint_takes_its_body_to_a_pod_as_it_is_and_costs_the_usage_of_its_answer() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    for (path, body, answer, cost) in [
        (
            "/v1/responses",
            r#"{ "model":"m", "input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]}]}"#,
            r#"{"object":"response","usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":3}}"#,
            15.0,
        ),
        (
            "/v1/messages?beta=true",
            r#"{"max_tokens":9,"system":"s","model":"m","messages":[{"role":"user","content":"hi"}]}"#,
            r#"{"type":"message","usage":{"input_tokens":2,"cache_read_input_tokens":30,"cache_creation_input_tokens":5,"output_tokens":4}}"#,
            45.0,
        ),
        (
            "/v1/rerank",
            r#"{"model":"m","query":"q","documents":["a",{"text":"b"}]}"#,
            r#"{"results":[],"usage":{"total_tokens":56}}"#,
            56.0,
        ),
        ("/rerank", r#"{"model":"m","query":"q","documents":[]}"#, r#"{"usage":{"total_tokens":3}}"#, 3.0),
        (
            "/v1/score",
            r#"{"model":"m","text_1":"a","text_2":["b","c"]}"#,
            r#"{"data":[],"usage":{"prompt_tokens":7,"total_tokens":7,"completion_tokens":0}}"#,
            7.0,
        ),
        ("/score", r#"{"model":"m","text_1":"a","text_2":"b"}"#, r#"{"usage":{"prompt_tokens":2}}"#, 2.0),
        // Whoever tells no usage costs the estimate.
        ("/tokenize", r#"{"model":"m","prompt":"twelve bytes"}"#, r#"{"count":2,"tokens":[1,2]}"#, 3.0),
        ("/tokenize", r#"{"content":"twelve bytes"}"#, r#"{"tokens":[1,2]}"#, 3.0),
        ("/detokenize", r#"{"model":"m","tokens":[1,2,3,4]}"#, r#"{"prompt":"four"}"#, 4.0),
        (
            "/completion",
            r#"{"prompt":"hi","n_predict":8}"#,
            r#"{"content":"x","tokens_predicted":3,"tokens_evaluated":5,"timings":{"cache_n":4,"prompt_n":1,"predicted_n":3}}"#,
            11.0,
        ),
        ("/v1/audio/speech", r#"{"model":"m","input":"twelve bytes"}"#, "{}", 3.0),
        (
            "/v1/images/generations",
            r#"{"model":"m","prompt":"a cat"}"#,
            r#"{"data":[],"usage":{"input_tokens":10,"output_tokens":20,"total_tokens":30}}"#,
            50.0,
        ),
    ] {
        let before = gateway.tokens("alice").await;
        let (reply, seen) =
            asked(&gateway, &mut pod, path, "application/json", body.as_bytes(), answer).await;
        assert!(reply.first_line.ends_with("200 OK"), "{path}: {}", reply.first_line);
        assert_eq!(seen.first_line, format!("POST {path} HTTP/1.1"));
        assert_eq!(seen.body, body.as_bytes(), "{path}");
        assert_eq!(reply.body, answer.as_bytes(), "{path}");
        assert_eq!(gateway.tokens("alice").await - before, cost, "{path}");
    }
    assert_eq!(gateway.in_flight().await, 0);
}

/// A form with a file, whose content may be anything.
fn form(model: &str) -> Vec<u8> {
    let mut form = b"--X-y\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
        Content-Type: audio/wav\r\n\r\nRIFF\x00\xff\r\n--X\r\n\r\n\r\n--X-y\r\n\
        content-disposition: form-data; name=\"model\"\r\n\r\n"
        .to_vec();
    form.extend_from_slice(model.as_bytes());
    form.extend_from_slice(
        b"\r\n--X-y\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n2\r\n--X-y--\r\n",
    );
    form
}

const FORM: &str = "multipart/form-data; boundary=\"X-y\"";

#[actix_web::test]
async fn a_form_goes_to_a_pod_of_its_model_byte_for_byte() {
    let mut pods =
        [ScriptedPod::of_kind("a", "vllm", &["x"]).await, ScriptedPod::of_kind("b", "vllm", &["m"]).await];
    let gateway = Gateway::before(&[&pods[0], &pods[1]]).await;
    for path in [
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
        "/v1/images/edits",
        "/v1/images/variations",
        "/v1/something/new",
    ] {
        let before = gateway.tokens("alice").await;
        let answer = r#"{"usage":{"type":"tokens","input_tokens":14,"output_tokens":5,"total_tokens":19}}"#;
        let (reply, seen) = asked(&gateway, &mut pods[1], path, FORM, &form("m"), answer).await;
        assert!(reply.first_line.ends_with("200 OK"), "{path}: {}", reply.first_line);
        assert_eq!(seen.body, form("m"), "{path}");
        assert_eq!(seen.header("content-type"), Some(FORM));
        assert_eq!(gateway.tokens("alice").await - before, 24.0, "{path}");
    }
    let before = gateway.tokens("alice").await;
    let text = r#"{"text":"hello","usage":{"type":"duration","seconds":3}}"#;
    asked(&gateway, &mut pods[1], "/v1/audio/transcriptions", FORM, &form("m"), text).await;
    // One token read, and for each of the two that are asked for two written.
    assert_eq!(gateway.tokens("alice").await - before, 1.0 + 2.0 * 4.0, "seconds are no tokens");
}

#[actix_web::test]
async fn a_form_that_names_no_model_or_is_none_is_refused() {
    let pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let with_model = String::from_utf8_lossy(&form("m")).into_owned();
    for (kind, body, param) in [
        (FORM, with_model.replace("name=\"model\"", "name=\"other\""), "model"),
        (FORM, with_model.replace("\r\nm\r\n", "\r\n\r\n"), "model"),
        (FORM, with_model.replace("name=\"n\"", "name=\"model\""), "model"),
        (FORM, with_model.replace("\r\n2\r\n", "\r\ntwo\r\n"), "n"),
        (FORM, "--X-y\r\nno end".to_owned(), ""),
        ("multipart/form-data", with_model.clone(), ""),
        ("text/plain", with_model.clone(), ""),
    ] {
        let head = format!(
            "POST /v1/images/edits HTTP/1.1\r\nhost: gateway\r\nuser: alice\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let reply = gateway.exchange(head + &body).await;
        assert!(reply.first_line.contains(" 400 "), "{}", reply.first_line);
        let error: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(error["error"]["param"].as_str().unwrap_or_default(), param, "{error}");
    }
    assert_eq!(pod.waiting_calls(), 0);
    assert!(gateway.has_charged_nobody().await);
}

fn ask_speech() -> Question {
    ask_chat()
        .at("/v1/audio/speech")
        .with_body(r#"{"model":"m","input":"twelve bytes","voice":"alloy"}"#)
        .of("alice")
}

const SOUND: &str = "HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\n";

#[actix_web::test]
async fn sound_reaches_its_client_before_the_pod_goes_on() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let sound = gateway.start_streaming(ask_speech());
    let mut call = pod.call().await;
    call.send(format!("{SOUND}transfer-encoding: chunked\r\nconnection: close\r\n\r\n")).await;
    let mut sound = sound.await.unwrap();
    assert_eq!(sound.header("content-type"), Some("audio/mpeg"));
    for _ in 0..3 {
        call.chunk("la\0la\n\n").await;
        assert_eq!(sound.next().await.unwrap(), "la\0la\n\n");
        assert_eq!((gateway.tokens("alice").await, gateway.in_flight().await), (3.0, 1));
    }
    call.finish().await;
    assert_eq!(sound.next().await, None);
    gateway.until_idle().await;
    assert_eq!(gateway.tokens("alice").await, 3.0, "the estimate: nobody said anything else");
}

#[actix_web::test]
async fn sound_of_a_known_length_keeps_it() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.start_asking(ask_speech());
    let mut call = pod.call().await;
    call.send(format!("{SOUND}content-length: 4\r\n\r\nl\0\r\n")).await;
    let reply = reply.await.unwrap();
    assert_eq!((reply.header("content-length"), &reply.body), (Some("4"), &Bytes::from_static(b"l\0\r\n")));
    assert_eq!((gateway.tokens("alice").await, gateway.in_flight().await), (3.0, 0));
}

#[actix_web::test]
async fn a_client_that_leaves_in_the_middle_of_sound_frees_its_place_and_its_pod_stops() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let sound = gateway.start_streaming(ask_speech());
    let mut call = pod.call().await;
    call.send(format!("{SOUND}transfer-encoding: chunked\r\n\r\n")).await;
    call.chunk("la\n\n").await;
    let mut sound = sound.await.unwrap();
    sound.next().await.unwrap();
    drop(sound);
    call.closed().await;
    gateway.until_idle().await;
    assert_eq!(gateway.tokens("alice").await, 3.0);
}

#[actix_web::test]
async fn a_pod_that_dies_in_the_middle_of_sound_is_seen_by_the_client() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let body = r#"{"model":"m","input":"twelve bytes"}"#;
    let request = format!(
        "POST /v1/audio/speech HTTP/1.1\r\nhost: gateway\r\nuser: alice\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    for head in ["content-length: 100\r\n\r\nla", "transfer-encoding: chunked\r\n\r\n2\r\nla\r\n"] {
        let mut client = TcpStream::connect(gateway.address).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
        let mut call = pod.call().await;
        call.send(format!("{SOUND}{head}")).await;
        let mut reply = Vec::new();
        while !reply.windows(2).any(|bytes| bytes == b"la") {
            assert!(soon(client.read_buf(&mut reply)).await.unwrap() > 0);
        }
        call.close();
        soon(client.read_to_end(&mut reply)).await.unwrap();
        assert!(!reply.ends_with(b"0\r\n\r\n"), "it looks complete");
        gateway.until_idle().await;
    }
    assert_eq!(gateway.tokens("alice").await, 2.0 * 3.0);
}

#[actix_web::test]
async fn a_request_without_a_text_counts_what_is_said_of_its_model() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[models.m]\nrequest_tokens = 500\noutput_ratio = 0.5").await;
    asked(&gateway, &mut pod, "/v1/audio/transcriptions", FORM, &form("m"), "{}").await;
    assert_eq!(gateway.tokens("alice").await, 500.0 + 2.0 * 2.0 * 250.0);
}

#[actix_web::test]
async fn what_users_were_answered_of_late_is_what_their_next_answer_is_charged_before_it_comes() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::configured(&[&pod], "[estimate]\noutput = \"learned\"").await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    pod.call().await.answer_chat(3, 40).await;
    reply.await.unwrap();
    assert_eq!(gateway.tokens("alice").await, 83.0);
    for (user, question, estimate) in [
        ("alice", ask_chat(), 83.0 + 3.0 + 80.0),
        ("bob", ask_chat(), 3.0 + 80.0),
        ("carol", ask_chat().with("max_tokens", 7), 3.0 + 14.0),
        ("dave", ask_chat().at("/v1/embeddings").with("input", "twelve bytes"), 3.0),
    ] {
        let reply = gateway.start_asking(question.of(user));
        let call = pod.call().await;
        assert_eq!(gateway.tokens(user).await, estimate, "{user}");
        call.answer(400, "{}").await;
        assert_eq!(reply.await.unwrap().status, 400);
    }
    // Refusals teach nothing.
    let reply = gateway.start_asking(ask_chat().of("eve"));
    let call = pod.call().await;
    assert_eq!(gateway.tokens("eve").await, 83.0);
    call.answer(200, &json!({}).to_string()).await;
    reply.await.unwrap();
}
