//! The simulated pod, asked over real HTTP.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use awc::Client;
use awc::http::StatusCode;
use futures_util::StreamExt;
use serde_json::{Value, json};
use vtc_gateway::demo::engine::Profile;
use vtc_gateway::demo::latency::{LONGEST_STEP, LatencyModel};
use vtc_gateway::demo::pod::SimulatedPod;

const MODEL: &str = "llama-2-7b";

/// A pod so fast that its time hardly matters.
fn fast_pod() -> SimulatedPod {
    let latency = LatencyModel::a10g().at_speed(1e6).unwrap();
    pod(latency)
}

/// A pod that makes the first token of a request at once and never a second one.
fn stuck_pod() -> SimulatedPod {
    let mut latency = LatencyModel::a10g().at_speed(1.0).unwrap();
    latency.prefill = Duration::ZERO;
    latency.prefill_per_token = Duration::ZERO;
    latency.host_overhead = Duration::ZERO;
    latency.decode = LONGEST_STEP;
    pod(latency)
}

fn pod(latency: LatencyModel) -> SimulatedPod {
    let profile = Profile { latency, ..Profile::a10g() };
    SimulatedPod::start("pod-0", MODEL, profile).unwrap()
}

fn client() -> Client {
    Client::builder().disable_timeout().finish()
}

async fn post(pod: &SimulatedPod, path: &str, body: &Value) -> (StatusCode, Value) {
    let url = format!("{}{path}", pod.url());
    let mut response = client().post(url).send_json(body).await.unwrap();
    (response.status(), response.json().await.unwrap())
}

async fn post_ok(pod: &SimulatedPod, path: &str, body: &Value) -> Value {
    let (status, answer) = post(pod, path, body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

async fn get(pod: &SimulatedPod, path: &str) -> String {
    let url = format!("{}{path}", pod.url());
    let mut response = client().get(url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    String::from_utf8(response.body().await.unwrap().to_vec()).unwrap()
}

async fn metric(pod: &SimulatedPod, name: &str) -> f64 {
    let prefix = format!("vllm:{name}{{model_name=\"{MODEL}\"}} ");
    let text = get(pod, "/metrics").await;
    let sample = text.lines().find_map(|line| line.strip_prefix(&prefix));
    sample.unwrap().parse().unwrap()
}

/// Asks again and again; the limit only keeps a broken pod from hanging the test.
async fn until(pod: &SimulatedPod, name: &str, value: f64) {
    let comes = async { while metric(pod, name).await != value {} };
    let limit = Duration::from_secs(60);
    let came = tokio::time::timeout(limit, comes).await;
    assert!(came.is_ok(), "{name} never became {value}");
}

/// The chunks of a streamed answer, its last event checked and taken off.
async fn stream(pod: &SimulatedPod, path: &str, body: &Value) -> Vec<Value> {
    let url = format!("{}{path}", pod.url());
    let mut response = client().post(url).send_json(body).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let content_type = response.headers().get("content-type").unwrap();
    assert!(content_type.to_str().unwrap().starts_with("text/event-stream"));
    let text = String::from_utf8(response.body().await.unwrap().to_vec()).unwrap();
    let events = text.strip_suffix("data: [DONE]\n\n").unwrap();
    events
        .split_terminator("\n\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

fn chat(extra: Value) -> Value {
    let mut body = json!({
        "model": MODEL,
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": [{ "type": "text", "text": "Where is the river?" }] },
        ],
        "max_tokens": 5,
    });
    merge(&mut body, extra);
    body
}

fn merge(body: &mut Value, extra: Value) {
    let Value::Object(extra) = extra else {
        panic!("give an object");
    };
    body.as_object_mut().unwrap().extend(extra);
}

/// What `chat` reads: 9 and 19 bytes.
const CHAT_TOKENS: u32 = 7;

fn usage(prompt: u32, completion: u32) -> Value {
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    })
}

fn words(text: &Value) -> usize {
    text.as_str().unwrap().split(' ').count()
}

#[actix_web::test]
async fn a_chat_answer_has_as_many_words_as_tokens_and_ends_at_its_limit() {
    let pod = fast_pod();
    let answer = post_ok(&pod, "/v1/chat/completions", &chat(json!({}))).await;
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], MODEL);
    assert_eq!(answer["system_fingerprint"], "pod-0");
    assert!(answer["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert!(answer["created"].as_u64().unwrap() > 1_700_000_000);
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(words(&choice["message"]["content"]), 5);
    assert_eq!(choice["finish_reason"], "length");
    assert_eq!(answer["usage"], usage(CHAT_TOKENS, 5));
}

#[actix_web::test]
async fn without_a_limit_an_answer_stops_by_itself_after_64_tokens() {
    let pod = fast_pod();
    let body = chat(json!({ "max_tokens": null }));
    let answer = post_ok(&pod, "/v1/chat/completions", &body).await;
    assert_eq!(answer["usage"], usage(CHAT_TOKENS, 64));
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
}

#[actix_web::test]
async fn the_newer_name_of_the_limit_goes_first() {
    let pod = fast_pod();
    let body = chat(json!({ "max_completion_tokens": 3 }));
    let answer = post_ok(&pod, "/v1/chat/completions", &body).await;
    assert_eq!(answer["usage"], usage(CHAT_TOKENS, 3));
}

#[actix_web::test]
async fn a_chat_stream_names_the_role_then_sends_a_chunk_per_token() {
    let pod = fast_pod();
    let body = chat(json!({ "stream": true }));
    let chunks = stream(&pod, "/v1/chat/completions", &body).await;
    assert_eq!(chunks.len(), 1 + 5);
    let opening = json!({ "role": "assistant", "content": "" });
    assert_eq!(chunks[0]["choices"][0]["delta"], opening);
    for chunk in &chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["id"], chunks[0]["id"]);
        assert_eq!(chunk.get("usage"), None);
    }
    for chunk in &chunks[1..] {
        let delta = chunk["choices"][0]["delta"].as_object().unwrap();
        assert_eq!(delta.keys().collect::<Vec<_>>(), ["content"]);
        assert_eq!(words(&json!(delta["content"].as_str().unwrap().trim_start())), 1);
    }
    let reasons: Vec<_> = chunks.iter().map(|c| &c["choices"][0]["finish_reason"]).collect();
    assert_eq!(reasons[..5], [&Value::Null; 5]);
    assert_eq!(reasons[5], "length");
}

#[actix_web::test]
async fn a_stream_says_what_the_whole_answer_would_have_said() {
    let body = chat(json!({ "max_tokens": 40 }));
    let whole = post_ok(&fast_pod(), "/v1/chat/completions", &body).await;
    let streamed = chat(json!({ "max_tokens": 40, "stream": true }));
    let chunks = stream(&fast_pod(), "/v1/chat/completions", &streamed).await;
    let joined: String =
        chunks.iter().map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().unwrap()).collect();
    assert_eq!(whole["choices"][0]["message"]["content"], joined);
}

#[actix_web::test]
async fn included_usage_is_one_more_chunk_and_null_in_the_others() {
    let pod = fast_pod();
    let body = chat(json!({ "stream": true, "stream_options": { "include_usage": true } }));
    let chunks = stream(&pod, "/v1/chat/completions", &body).await;
    let (last, others) = chunks.split_last().unwrap();
    assert_eq!(others.len(), 1 + 5);
    assert!(others.iter().all(|chunk| chunk.get("usage") == Some(&Value::Null)));
    assert_eq!(others[5]["choices"][0]["finish_reason"], "length");
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"], usage(CHAT_TOKENS, 5));
}

#[actix_web::test]
async fn continuous_usage_is_in_every_chunk() {
    let pod = fast_pod();
    let options = json!({ "include_usage": true, "continuous_usage_stats": true });
    let body = chat(json!({ "stream": true, "stream_options": options }));
    let chunks = stream(&pod, "/v1/chat/completions", &body).await;
    let usages: Vec<Value> = chunks.iter().map(|chunk| chunk["usage"].clone()).collect();
    let expected = [0, 1, 2, 3, 4, 5, 5].map(|completion| usage(CHAT_TOKENS, completion));
    assert_eq!(usages, expected);
}

#[actix_web::test]
async fn a_completion_continues_a_text_or_a_list_of_tokens() {
    let pod = fast_pod();
    let prompts = [
        (json!("Once upon a time"), 4),
        (json!(["Once upon a time"]), 4),
        (json!([11, 12, 13]), 3),
        (json!([[11, 12, 13]]), 3),
    ];
    for (prompt, tokens) in prompts {
        let body = json!({ "model": MODEL, "prompt": prompt, "max_tokens": 2 });
        let answer = post_ok(&pod, "/v1/completions", &body).await;
        assert_eq!(answer["object"], "text_completion");
        assert_eq!(words(&answer["choices"][0]["text"]), 2);
        assert_eq!(answer["usage"], usage(tokens, 2), "{prompt}");
    }
}

#[actix_web::test]
async fn a_completion_stream_has_text_and_no_opening_chunk() {
    let pod = fast_pod();
    let body = json!({ "model": MODEL, "prompt": "Once", "max_tokens": 3, "stream": true });
    let chunks = stream(&pod, "/v1/completions", &body).await;
    assert_eq!(chunks.len(), 3);
    for chunk in &chunks {
        assert_eq!(chunk["object"], "text_completion");
        assert_eq!(words(&json!(chunk["choices"][0]["text"].as_str().unwrap().trim())), 1);
    }
    assert_eq!(chunks[2]["choices"][0]["finish_reason"], "length");
}

#[actix_web::test]
async fn each_input_has_its_embedding_and_only_the_prompt_is_counted() {
    let pod = fast_pod();
    let body = json!({ "model": MODEL, "input": ["a river", "a garden", "a river"] });
    let answer = post_ok(&pod, "/v1/embeddings", &body).await;
    let data = answer["data"].as_array().unwrap();
    assert_eq!(data.len(), 3);
    assert_eq!(data[2]["index"], 2);
    assert_eq!(data[0]["embedding"], data[2]["embedding"]);
    assert_ne!(data[0]["embedding"], data[1]["embedding"]);
    let counted = json!({ "prompt_tokens": 6, "total_tokens": 6 });
    assert_eq!(answer["usage"], counted);
    assert_eq!(metric(&pod, "prompt_tokens_total").await, 6.0);
    assert_eq!(metric(&pod, "generation_tokens_total").await, 0.0);
}

#[actix_web::test]
async fn the_pod_tells_its_model_its_health_and_its_totals() {
    let pod = fast_pod();
    let models: Value = serde_json::from_str(&get(&pod, "/v1/models").await).unwrap();
    assert_eq!(models["data"][0]["id"], MODEL);
    assert_eq!(models["data"][0]["owned_by"], "vllm");
    assert_eq!(get(&pod, "/health").await, "");
    for _ in 0..3 {
        post_ok(&pod, "/v1/chat/completions", &chat(json!({}))).await;
    }
    let prompts = metric(&pod, "prompt_tokens_total").await;
    assert_eq!(prompts, f64::from(3 * CHAT_TOKENS));
    assert_eq!(metric(&pod, "generation_tokens_total").await, 15.0);
    assert_eq!(metric(&pod, "num_requests_running").await, 0.0);
    assert_eq!(metric(&pod, "kv_cache_usage_perc").await, 0.0);
}

#[actix_web::test]
async fn what_cannot_be_served_is_answered_in_the_shape_of_openai() {
    let pod = fast_pod();
    let long = "word ".repeat(4_000);
    let chats = [
        (json!({ "model": "other" }), 404, json!("model_not_found"), json!("model")),
        (json!({ "model": null }), 400, Value::Null, Value::Null),
        (json!({ "n": 2 }), 400, Value::Null, json!("n")),
        (json!({ "max_tokens": 0 }), 400, Value::Null, json!("max_tokens")),
        (json!({ "max_tokens": -1 }), 400, Value::Null, Value::Null),
        (json!({ "messages": [] }), 400, Value::Null, json!("messages")),
        (json!({ "stream_options": { "include_usage": true } }), 400, Value::Null, json!("stream_options")),
        (
            json!({ "messages": [{ "role": "user", "content": long }] }),
            400,
            json!("context_length_exceeded"),
            Value::Null,
        ),
        (json!({ "max_tokens": 10_000, "stream": true }), 400, json!("context_length_exceeded"), Value::Null),
    ];
    for (extra, status, code, param) in chats {
        let answer = post(&pod, "/v1/chat/completions", &chat(extra)).await;
        check_error(&answer, status, &code, &param);
    }
    let two_prompts = json!({ "model": MODEL, "prompt": ["one", "two"] });
    let answer = post(&pod, "/v1/completions", &two_prompts).await;
    check_error(&answer, 400, &Value::Null, &json!("prompt"));
    for input in [json!([]), json!(vec!["a"; 2_049])] {
        let embeddings = json!({ "model": MODEL, "input": input });
        let answer = post(&pod, "/v1/embeddings", &embeddings).await;
        check_error(&answer, 400, &Value::Null, &json!("input"));
    }
    let answer = post(&pod, "/v1/images/generations", &json!({})).await;
    check_error(&answer, 404, &Value::Null, &Value::Null);

    let url = format!("{}/v1/chat/completions", pod.url());
    for (body, status) in [("{not json".to_owned(), 400), (" ".repeat(9 << 20), 413)] {
        let mut response = client().post(&url).send_body(body).await.unwrap();
        let answer = (response.status(), response.json().await.unwrap());
        check_error(&answer, status, &Value::Null, &Value::Null);
    }
}

fn check_error((status, body): &(StatusCode, Value), expected: u16, code: &Value, param: &Value) {
    assert_eq!(status.as_u16(), expected, "{body}");
    let error = &body["error"];
    assert!(!error["message"].as_str().unwrap().is_empty());
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(&error["code"], code, "{body}");
    assert_eq!(&error["param"], param, "{body}");
}

#[actix_web::test]
async fn the_first_token_is_sent_before_the_second_and_a_client_that_leaves_frees_its_place() {
    let pod = stuck_pod();
    let url = format!("{}/v1/chat/completions", pod.url());
    let body = chat(json!({ "stream": true }));
    let mut response = client().post(url).send_json(&body).await.unwrap();
    let chunk = response.next().await.unwrap().unwrap();
    assert!(chunk.starts_with(b"data: {"));
    assert_eq!(metric(&pod, "num_requests_running").await, 1.0);
    assert!(metric(&pod, "kv_cache_usage_perc").await > 0.0);
    drop(response);
    until(&pod, "num_requests_running", 0.0).await;
    assert_eq!(metric(&pod, "kv_cache_usage_perc").await, 0.0);
}

#[actix_web::test]
async fn a_client_that_leaves_while_it_waits_frees_its_place_in_the_queue() {
    let pod = stuck_pod();
    let url = format!("{}/v1/chat/completions", pod.url());
    let body = chat(json!({ "max_tokens": 9_000 }));
    let running = actix_web::rt::spawn(client().post(&url).send_json(&body));
    until(&pod, "num_requests_running", 1.0).await;
    for stream in [true, false] {
        let body = chat(json!({ "stream": stream, "max_tokens": 9_000 }));
        let waiting = actix_web::rt::spawn(client().post(&url).send_json(&body));
        until(&pod, "num_requests_waiting", 1.0).await;
        // A stream has its head already, and the task's output is the response that must go.
        waiting.abort();
        drop(waiting);
        until(&pod, "num_requests_waiting", 0.0).await;
    }
    running.abort();
    until(&pod, "num_requests_running", 0.0).await;
}

#[actix_web::test]
async fn a_stopped_pod_ends_its_streams_first_and_then_takes_no_connection() {
    let pod = pod(LatencyModel::a10g().at_speed(20.0).unwrap());
    let url = format!("{}/v1/chat/completions", pod.url());
    let body = chat(json!({ "stream": true, "max_tokens": 200 }));
    let mut response = client().post(&url).send_json(&body).await.unwrap();
    let first = response.next().await.unwrap().unwrap();
    let rest = actix_web::rt::spawn(async move { [first, response.body().await.unwrap()].concat() });
    pod.stop().await.unwrap();
    assert!(rest.await.unwrap().ends_with(b"data: [DONE]\n\n"));
    assert!(client().post(&url).send_json(&body).await.is_err());
}
