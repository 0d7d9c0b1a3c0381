//! A user who keeps the pods full, and one who asks for a thing at a time: how many of the one's requests the other has
//! to let pass.

use std::cell::Cell;
use std::rc::Rc;

use awc::{Client, ClientResponse, Connector};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::stage::{LIMIT, Stage};

/// What the whale has in flight at any time.
const IN_FLIGHT: usize = 32;
/// What the other user asks for, one after the other.
const QUESTIONS: usize = 6;
/// How long every answer is, in tokens.
const ANSWER: u32 = 64;

/// What one question of the light user's met.
#[derive(Clone, Copy, Debug)]
struct Turn {
    /// Requests of the whale's that began between its arrival and its own beginning.
    passed: usize,
    /// How long it waited in the queue, as the gateway says, in milliseconds.
    wait: f64,
}

/// Asks as that user, and returns with the head of the answer: it comes when a pod has begun.
async fn ask(client: &Client, url: &str, user: &str) -> ClientResponse {
    let body = json!({
        "model": "tiny", "prompt": "Where is the river?", "max_tokens": ANSWER, "ignore_eos": true, "stream": true,
    });
    let request = client.post(format!("{url}/v1/completions"));
    let request = request.insert_header(("user", user)).insert_header(("x-vtc-explain", "1"));
    let response = request.send_json(&body).await.unwrap().map_body(|_, body| body);
    assert_eq!(response.status(), 200);
    response
}

async fn read(mut response: ClientResponse) {
    while let Some(chunk) = response.next().await {
        chunk.unwrap();
    }
}

/// What the light user meets while the whale keeps the pods full.
async fn turns(discipline: &str) -> Vec<Turn> {
    let stage = Stage::queued(discipline).await;
    let client = Client::builder().connector(Connector::new().limit(0)).disable_timeout().finish();
    let begun = Rc::new(Cell::new(0));
    let whale = (0..IN_FLIGHT).map(|_| {
        let (client, url, begun) = (client.clone(), stage.url().to_owned(), Rc::clone(&begun));
        actix_web::rt::spawn(async move {
            loop {
                let answer = ask(&client, &url, "whale").await;
                begun.set(begun.get() + 1);
                read(answer).await;
            }
        })
    });
    let whale: Vec<_> = whale.collect();
    let waiting = |queues: &Value| queues["pools"][0]["waiting"].as_u64().unwrap() as usize;
    while waiting(&stage.queues().await) < IN_FLIGHT - 2 {}

    let mut turns = Vec::new();
    for _ in 0..QUESTIONS {
        let before = begun.get();
        let answer = tokio::time::timeout(LIMIT, ask(&client, stage.url(), "light")).await.unwrap();
        let passed = begun.get() - before;
        let wait = answer.headers().get("x-vtc-wait-ms").unwrap().to_str().unwrap().parse().unwrap();
        turns.push(Turn { passed, wait });
        read(answer).await;
    }
    for request in whale {
        request.abort();
    }
    stage.idle().await;
    let queues = stage.queues().await;
    assert_eq!((waiting(&queues), &queues["pools"][0]["running"]), (0, &json!(0)));
    let passed: Vec<_> = turns.iter().map(|turn| turn.passed).collect();
    let waits: Vec<_> = turns.iter().map(|turn| turn.wait).collect();
    println!(
        "{discipline}, {IN_FLIGHT} in flight against 1, two pods with a slot each: {passed:?} went first, \
         which took {waits:.0?} ms"
    );
    turns
}

#[actix_web::test]
async fn whoever_asks_for_a_thing_at_a_time_waits_for_a_dispatch_or_two_and_not_for_a_queue() {
    for Turn { passed, .. } in turns("vtc-fair").await {
        // Beside the two, what had been dispatched and was not seen to begin when it asked.
        assert!(passed <= 4, "{passed} went first");
    }
    for Turn { passed, .. } in turns("fcfs").await {
        // All that are in the queue already; some of the whale's are on their way to it.
        assert!(passed > IN_FLIGHT / 2, "only {passed} went first");
    }
}
