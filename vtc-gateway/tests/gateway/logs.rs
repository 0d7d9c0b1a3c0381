//! What the log says of requests, and what it never says.

use serde_json::{Value, json};
use tokio::io::{BufReader, Lines};
use tokio::process::ChildStderr;

use crate::common::binary::Binary;
use crate::common::gateway::Pod;
use crate::common::question::Question;
use crate::common::scripted_pod::{Call, counted_piece, piece};
use crate::common::{Gateway, ScriptedPod, ask_chat, ask_completion, ask_embeddings, soon};

/// Words of prompts and answers, of a tenant's key, of a key that is none, of the admin's and of the pods'.
const SECRETS: [&str; 5] = ["CUCUMBER", "SESAMEOPEN", "SESAMEWRONG", "ADMINOPEN", "PODSOPEN"];
/// Their hashes, for the tenant and for the admin.
const KEY: &str = "78f2fe25f712d9062d68672cdb1bc709ffa410d4b80059bafc0845ec2e1e87ab";
const ADMIN: &str = "51e5b5cf22a09456b6e36612992c320f72e8a0e359c35f3eb7fb0d8528d04216";

/// A gateway's process, of which everything is logged that it has to say of itself.
struct Talker {
    pod: ScriptedPod,
    binary: Binary,
    gateway: Gateway,
    log: Lines<BufReader<ChildStderr>>,
}

// === impl Talker ===

impl Talker {
    async fn start(arguments: &[&str], toml: &str) -> Self {
        let pod = ScriptedPod::start("a").await;
        let config = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(config.path(), toml).unwrap();
        let setting = format!("a={}", pod.setting().url);
        let config = config.path().to_str().unwrap();
        let serve = ["serve", "--listen", "127.0.0.1:0", "--pod", &setting, "--config", config];
        let (mut binary, log) = Binary::logging_at("vtc_gateway=trace", &[&serve, arguments].concat());
        let gateway = binary.gateway().await;
        Self { pod, binary, gateway, log }
    }

    /// Asks, and answers; what came of it.
    async fn ask(&mut self, question: Question, answer: impl AsyncFnOnce(Call)) -> u16 {
        let reply = self.gateway.start_asking(question);
        answer(self.pod.call().await).await;
        reply.await.unwrap().status
    }

    /// Asks for a stream, and has the pod say this in it and then close the connection.
    async fn stream(&mut self, question: Question, events: &[Value]) {
        let stream = self.gateway.start_streaming(question.streamed());
        let mut call = self.pod.call().await;
        call.begin().await;
        for event in events {
            call.event(event).await;
        }
        call.close();
        stream.await.unwrap().rest().await;
    }

    /// Ends it: all that it has logged.
    async fn end(mut self) -> String {
        self.binary.terminate().await;
        let mut lines = String::new();
        while let Some(line) = soon(self.log.next_line()).await.unwrap() {
            lines = lines + &line + "\n";
        }
        assert_eq!(self.binary.exit_code().await, Some(0));
        lines
    }
}

fn known(question: Question) -> Question {
    question.with_header("authorization", "Bearer SESAMEOPEN")
}

fn secret(question: Question) -> Question {
    let secret = json!([{ "role": "user", "content": "CUCUMBER" }]);
    known(question.with("messages", secret).with("prompt", "CUCUMBER").with("input", "CUCUMBER"))
}

async fn is_silent_about_secrets(arguments: &[&str]) {
    let toml = format!(
        "[log]\nrequests = true\n[upstream]\napi_key = \"PODSOPEN\"\nretries = 0\n[admin]\nkey_sha256 = {ADMIN:?}\n\
         [[tenants]]\nname = \"alice\"\nweight = 2\nkey_sha256 = {KEY:?}\n"
    );
    let mut talker = Talker::start(arguments, &toml).await;
    let told =
        json!({ "choices": [{ "message": { "content": "CUCUMBER" } }], "usage": { "prompt_tokens": 1 } });
    for question in [ask_chat(), ask_completion(), ask_embeddings()] {
        let answer = async |call: Call| call.answer(200, &told.to_string()).await;
        assert_eq!(talker.ask(secret(question), answer).await, 200);
    }
    // Refusals and failures that repeat what they were asked, and answers that are none.
    for (status, body) in [(400, "CUCUMBER"), (500, "{\"error\":\"CUCUMBER SESAMEOPEN\"}"), (200, "CUCUMBER")]
    {
        talker.ask(secret(ask_chat()), async |call| call.answer(status, body).await).await;
    }
    let garbage = ["CUCUMBER\r\n\r\n", "HTTP/1.1 200 CUCUMBER\r\nCUCUMBER\r\n\r\n", ""];
    for bytes in garbage {
        let answer = async |mut call: Call| call.send(bytes).await;
        assert!(talker.ask(secret(ask_chat()), answer).await >= 500);
        soon(async { while talker.gateway.get("/readyz").await.status != 200 {} }).await;
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nlocation: CUCUMBER\r\ncontent-length: 100\r\n\r\n";
    let answer = async |mut call: Call| call.send(format!("{head}CUCUMBER")).await;
    assert!(talker.ask(secret(ask_chat()), answer).await >= 500);
    talker.stream(secret(ask_chat()), &[piece("CUCUMBER"), "[DONE]".into()]).await;
    talker.stream(secret(ask_chat()), &[piece("CUCUMBER")]).await;
    talker.stream(secret(ask_chat()), &[json!({ "error": { "message": "CUCUMBER" } })]).await;
    // What does not get as far as to a pod.
    for question in [
        secret(ask_chat()).with("model", "CUCUMBER"),
        secret(ask_chat()).with("stream", "CUCUMBER"),
        known(ask_chat()).with_body("CUCUMBER"),
        known(ask_chat()).with_body("{\"model\":\"m\",\"messages\":\"CUCUMBER"),
        secret(ask_chat()).with_header("routing-strategy", "CUCUMBER"),
        secret(ask_chat()).at("/v1/CUCUMBER/../x?key=SESAMEOPEN"),
        ask_chat().with_header("authorization", "Bearer SESAMEWRONG").with("messages", "CUCUMBER"),
        ask_chat().with_header("x-api-key", "SESAMEWRONG"),
        ask_chat().with_header("user", "CUCUMBER").with_header("authorization", "SESAMEWRONG"),
    ] {
        assert!(talker.gateway.ask(question).await.status >= 400);
    }
    talker.gateway.get_with_key("/v1/vtc/users?limit=CUCUMBER", "ADMINOPEN").await;
    talker.gateway.get_with_key("/v1/vtc/users", "SESAMEWRONG").await;
    // A client that leaves.
    let reply = talker.gateway.start_asking(secret(ask_chat()));
    let call = talker.pod.call().await;
    reply.abort();
    call.closed().await;

    let log = talker.end().await;
    for secret in SECRETS {
        assert!(!log.contains(secret), "{secret} in: {log}");
    }
    assert!(!log.contains("alice"), "users are not named unless that is wanted: {log}");
    // It was not silent altogether.
    for said in [
        "of tenants: 1 warning",
        "/v1/embeddings",
        "client_left",
        "model_not_found",
        "broke off",
        "invalid_api_key",
    ] {
        assert!(log.contains(said), "no {said:?} in: {log}");
    }
}

#[actix_web::test]
async fn neither_prompts_nor_answers_nor_keys_are_in_the_log() {
    is_silent_about_secrets(&[]).await;
}

#[actix_web::test]
async fn neither_are_they_in_the_log_for_programs() {
    is_silent_about_secrets(&["--log-format", "json"]).await;
}

/// The lines about requests.
fn requests(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["target"] == "vtc_gateway::requests").collect()
}

#[actix_web::test]
async fn a_request_has_one_line_that_says_what_became_of_it() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let toml = "[log]\nformat = \"json\"\nrequests = true\nusers = true\n\
                [queue]\ndiscipline = \"fcfs\"\npod_max_running = 1";
    let mut talker = Talker::start(&[], toml).await;
    let question =
        ask_chat().of("alice").with_header("request-id", "mine").with_header("traceparent", PARENT);
    talker.ask(question.clone(), async |call| call.answer_chat(7, 5).await).await;
    talker.stream(question.clone(), &[counted_piece("la", 7, 1), counted_piece("la", 7, 2)]).await;
    talker.ask(question.clone(), async |call| call.answer(400, "{}").await).await;
    talker.gateway.ask(question.clone().with("model", "none")).await;
    let reply = talker.gateway.start_asking(question);
    let call = talker.pod.call().await;
    reply.abort();
    call.closed().await;
    let lines = requests(&talker.end().await);
    for line in &lines {
        assert_eq!((&line["request_id"], &line["level"]), (&"mine".into(), &"INFO".into()));
        assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(line["endpoint"], "/v1/chat/completions");
        assert!(line["seconds"].as_f64().unwrap() > 0.0);
    }
    let members = |names: &[&str]| -> Vec<Vec<Value>> {
        lines.iter().map(|line| names.iter().map(|name| line[name].clone()).collect()).collect()
    };
    let nothing = Value::Null;
    assert_eq!(
        members(&["status", "error", "pod"]),
        [
            [json!(200), nothing.clone(), json!("a")],
            [json!(200), json!("pod_failed"), json!("a")],
            [json!(400), nothing.clone(), json!("a")],
            [json!(404), json!("model_not_found"), nothing.clone()],
            [nothing.clone(), json!("client_left"), json!("a")],
        ]
    );
    assert_eq!(
        members(&["input_tokens", "output_tokens"])[..3],
        [[json!(7), json!(5)], [json!(7), json!(2)], [nothing.clone(), nothing]]
    );
    for line in lines.iter().filter(|line| line["status"] != 404) {
        assert_eq!(
            (&line["user"], &line["model"], &line["policy"]),
            (&"alice".into(), &"m".into(), &"vtc-basic".into())
        );
        assert!(line["queue_seconds"].as_f64().is_some());
    }
    assert!(lines[0]["head_seconds"].as_f64().unwrap() > 0.0);
}

#[actix_web::test]
async fn requests_have_no_lines_unless_they_are_wanted() {
    let mut talker = Talker::start(&["--log-format", "json"], "").await;
    talker.ask(ask_chat(), async |call| call.answer_chat(7, 5).await).await;
    let log = talker.end().await;
    assert!(log.contains("a pod is ready") && requests(&log).is_empty(), "{log}");
}
