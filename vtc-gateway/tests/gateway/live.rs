//! The live feed.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::binary::Binary;
use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod, soon};

/// Somebody who watches. Dropping it is leaving.
struct Watcher {
    connection: TcpStream,
    unread: String,
}

impl Watcher {
    async fn of(gateway: &Gateway) -> Self {
        let mut connection = TcpStream::connect(gateway.address).await.unwrap();
        connection.write_all(b"GET /v1/vtc/live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        Self { connection, unread: String::new() }
    }

    /// The next snapshot; nothing when the feed has ended.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((_, rest)) = self.unread.split_once("data: ")
                && let Some((event, rest)) = rest.split_once("\n\n")
            {
                let event = serde_json::from_str(event).unwrap();
                self.unread = rest.to_owned();
                return Some(event);
            }
            let mut bytes = vec![0; 1 << 16];
            let read = soon(self.connection.read(&mut bytes)).await.unwrap();
            // The chunk of length 0 ends it.
            if read == 0 || self.unread.ends_with("\r\n0\r\n\r\n") {
                return None;
            }
            self.unread.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
            if self.unread.ends_with("\r\n0\r\n\r\n") && !self.unread.contains("data: ") {
                return None;
            }
        }
    }

    /// The first snapshot of which that is true.
    async fn until(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        soon(async {
            loop {
                let snapshot = self.next().await.unwrap();
                if is_it(&snapshot) {
                    return snapshot;
                }
            }
        })
        .await
    }
}

fn user<'a>(snapshot: &'a Value, name: &str) -> &'a Value {
    snapshot["users"].as_array().unwrap().iter().find(|user| user["user"] == name).unwrap_or(&Value::Null)
}

#[actix_web::test]
async fn it_tells_who_waits_and_runs_and_what_users_have() {
    let mut pod = ScriptedPod::start("a").await;
    let config = format!("{ONE_SLOT}pod_max_tokens = 1000\nweights = {{ bob = 2 }}\n");
    let gateway = Gateway::configured(&[&pod], &config).await;
    let runs = gateway.start_asking(ask_chat().of("alice"));
    let call = pod.call().await;
    let waits = gateway.line_up(ask_chat().of("bob"), 1).await;
    let mut watcher = Watcher::of(&gateway).await;
    let seen = watcher.next().await.unwrap();
    let (alice, bob) = (user(&seen, "alice"), user(&seen, "bob"));
    assert_eq!(
        (&alice["running"], &alice["waiting"], &alice["tokens"]),
        (&json!(1), &json!(0), &json!(13.0))
    );
    assert_eq!((&bob["running"], &bob["waiting"], &bob["weight"]), (&json!(0), &json!(1), &json!(2.0)));
    assert_eq!(bob["counter"], 3.0, "it was lifted to where alice was");
    let queue = &seen["queues"][0];
    assert_eq!((&queue["pool"], &queue["waiting"], &queue["jain"]), (&json!("m"), &json!(1), &json!(1.0)));
    assert_eq!(queue["bound"], 2000.0, "a token that is written weighs 2, and the least weight is 1");
    let shown = &seen["pods"][0];
    assert_eq!(
        (&shown["pod"], &shown["health"], &shown["running"], &shown["max_running"]),
        (&json!("a"), &json!("ready"), &json!(1), &json!(1))
    );
    let totals = &seen["totals"];
    assert_eq!(
        (&totals["in_flight"], &totals["waiting"], &totals["users"]),
        (&json!(2), &json!(1), &json!(1))
    );

    call.answer_chat(3, 5).await;
    runs.await.unwrap();
    pod.call().await.answer_chat(4, 6).await;
    waits.await.unwrap();
    let settled = watcher.until(|seen| user(seen, "bob")["tokens"] == 16.0).await;
    assert_eq!(user(&settled, "alice")["tokens"], gateway.tokens("alice").await);
    assert_eq!(settled["totals"]["in_flight"], 0);
    assert!(settled["queues"][0]["wait"][0].as_f64().unwrap() >= 0.0);
}

const ONE_SLOT: &str = "[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 1\n";

#[actix_web::test]
async fn what_flows_is_told_by_user_and_pod() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let mut watcher = Watcher::of(&gateway).await;
    watcher.next().await.unwrap();
    let asks = gateway.start_asking(ask_chat().of("alice"));
    pod.call().await.answer_chat(1000, 2000).await;
    asks.await.unwrap();
    let flowed = watcher.until(|seen| seen["totals"]["service"] != 0.0).await;
    let number = |value: &Value| value.as_f64().unwrap();
    let alice = user(&flowed, "alice");
    // Rates of one and the same second.
    assert!((number(&alice["output"]) / number(&alice["input"]) - 2.0).abs() < 1e-9, "{alice}");
    assert!((number(&alice["service"]) / number(&alice["input"]) - 5.0).abs() < 1e-9, "{alice}");
    assert_eq!(flowed["totals"]["service"], alice["service"]);
    assert_eq!(flowed["pods"][0]["users"], json!([{ "user": "alice", "service": alice["service"] }]));
    let still = watcher.next().await.unwrap();
    assert_eq!(still["totals"]["service"], 0.0);
    // Whoever comes later is not shown what flowed before.
    drop(watcher);
    let asks = gateway.start_asking(ask_chat().of("alice"));
    pod.call().await.answer_chat(1000, 2000).await;
    asks.await.unwrap();
    soon(async {
        while gateway.get_json("/v1/vtc/requests").await["requests"].as_array().unwrap().len() < 2 {}
    })
    .await;
}

#[actix_web::test]
async fn of_many_users_a_hundred_are_told_by_name_and_the_others_together() {
    let mut pod = ScriptedPod::start("a").await;
    pod.always(|call| async move { call.answer_chat(3, 5).await });
    let gateway = Gateway::before(&[&pod]).await;
    for number in 0..130 {
        gateway.ask(ask_chat().of(&format!("user-{number}"))).await;
    }
    let seen = Watcher::of(&gateway).await.next().await.unwrap();
    assert_eq!(seen["users"].as_array().unwrap().len(), 100);
    assert_eq!(seen["others"]["users"], 30);
}

#[actix_web::test]
async fn a_first_token_is_timed() {
    let pod = fast_pod("a");
    let gateway = Gateway::before(&[&pod]).await;
    gateway.stream(ask_chat().of("alice").streamed()).await.rest().await;
    let seen = Watcher::of(&gateway).await.next().await.unwrap();
    let [p50, p99] = [0, 1].map(|at| seen["totals"]["first_token"][at].as_f64().unwrap());
    assert!(0.0 < p50 && p50 <= p99);
    assert_eq!(user(&seen, "alice")["first_token"], seen["totals"]["first_token"]);
}

#[actix_web::test]
async fn watchers_do_not_hold_up_the_end() {
    let pod = fast_pod("a");
    let setting = format!("a={}", pod.url());
    let mut binary = Binary::start(&["serve", "--listen", "127.0.0.1:0", "--pod", &setting], &[]);
    let gateway = binary.gateway().await;
    let mut watcher = Watcher::of(&gateway).await;
    watcher.next().await.unwrap();
    binary.terminate().await;
    while watcher.next().await.is_some() {}
    assert_eq!(binary.exit_code().await, Some(0));
}
