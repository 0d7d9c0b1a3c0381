//! The gateway before two pods with a real engine, llama.cpp's, called by OpenAI's own Python client: what users are
//! charged is what the engine says it did.
//!
//! Needs the Python environment that `real_pods/setup.sh` makes.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

#[path = "real_pods/call.rs"]
mod call;
#[path = "real_pods/stage.rs"]
mod stage;
#[path = "real_pods/turns.rs"]
mod turns;

use serde_json::{Value, json};

use self::call::{Call, ENDPOINTS, Usage, answer, chunks};
use self::stage::Stage;

const PROMPT: &str = "Where is the river?";
/// As long as the engine's context allows: such an answer takes the engine seconds.
const ENDLESS: u32 = 16_000;

#[actix_web::test]
async fn the_models_of_the_pods_are_listed_once() {
    let mut stage = Stage::open().await;
    let list = stage.call(Call::models());
    let ids: Vec<_> = answer(&list)["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, ["tiny"]);
}

#[actix_web::test]
async fn an_answer_costs_what_its_usage_says_whether_it_comes_whole_or_as_a_stream() {
    let mut stage = Stage::open().await;
    let forms: [fn(Call) -> Call; 2] = [|call| call, |call| call.streamed(true)];
    for (number, endpoint) in ENDPOINTS.into_iter().enumerate() {
        for (form, in_form) in ["whole", "streamed"].into_iter().zip(forms) {
            let user = format!("{form}-{number}");
            let mut total = 0.0;
            for (repeats, limit) in [(1, 1), (40, 9), (3, 64)] {
                let call = endpoint(&PROMPT.repeat(repeats)).with(json!({ "max_tokens": limit }));
                total += Usage::of(&stage.call(in_form(call).by(&user))).cost();
                assert_eq!(stage.tokens(&user).await, total, "{user}");
            }
        }
    }
}

#[actix_web::test]
async fn a_stream_without_usage_costs_the_same_and_shows_none() {
    let mut stage = Stage::open().await;
    for endpoint in ENDPOINTS {
        let call = endpoint(PROMPT).with(json!({ "max_tokens": 11, "extra_body": { "ignore_eos": true } }));
        let usage = Usage::of(&stage.call(call.clone().by("whole")));
        assert_eq!(usage.completion, 11);
        let streamed = stage.call(call.with(json!({ "stream": true })).by("streamed"));
        let (last, before) = chunks(&streamed).split_last().unwrap();
        assert_eq!(last["choices"][0]["finish_reason"], "length", "nothing follows the end of the answer");
        // With that end llama.cpp tells timings, and a completion's usage, whether asked or not.
        for chunk in before {
            assert_eq!((chunk.get("usage"), chunk.get("timings")), (None, None));
        }
        assert_eq!(stage.tokens("streamed").await, stage.tokens("whole").await);
    }
}

#[actix_web::test]
async fn a_client_sees_the_very_chunks_that_the_pod_alone_would_have_sent_it() {
    let mut stage = Stage::open().await;
    let pod = stage.pod_url().to_owned();
    for endpoint in ENDPOINTS {
        for (usage, timings) in [(false, false), (false, true), (true, false), (true, true)] {
            let extra = json!({ "ignore_eos": true, "cache_prompt": false, "timings_per_token": timings });
            let more = json!({ "max_tokens": 24, "seed": 7, "extra_body": extra });
            let call = endpoint(PROMPT).with(more).streamed(usage);
            // One after the other: beside another request the engine might round otherwise.
            let [through, direct] = [call.clone(), call.to(&pod)].map(|call| stage.call(call));
            let [through, direct] = [through, direct].map(|it| chunks(&it).iter().map(timeless).collect());
            let (through, direct): (Vec<_>, Vec<_>) = (through, direct);
            assert_eq!(through, direct, "usage: {usage}, timings: {timings}");
        }
    }
}

/// A chunk without what differs each time.
fn timeless(chunk: &Value) -> Value {
    let mut chunk = chunk.clone();
    for differs in ["id", "created"] {
        chunk[differs].take();
    }
    if let Some(Value::Object(timings)) = chunk.get_mut("timings") {
        let durations = timings.iter_mut().filter(|(name, _)| !name.ends_with("_n"));
        durations.for_each(|(_, duration)| *duration = Value::Null);
    }
    chunk
}

#[actix_web::test]
async fn several_choices_cost_each_of_them_and_their_prompt_once() {
    let mut stage = Stage::open().await;
    let call = Call::chat(PROMPT).with(json!({ "max_tokens": 10, "extra_body": { "ignore_eos": true } }));
    let one = Usage::of(&stage.call(call.clone()));
    let three = Usage { completion: 3 * 10, ..one };
    let call = call.with(json!({ "n": 3 }));
    for (user, call) in
        [("whole", call.clone()), ("usage", call.clone().streamed(true)), ("none", call.streamed(false))]
    {
        stage.call(call.by(user));
        assert_eq!(stage.tokens(user).await, three.cost(), "{user}");
    }
}

#[actix_web::test]
async fn users_that_come_at_once_are_each_charged_their_own() {
    let mut stage = Stage::open().await;
    let users = ["ada", "bob", "cyd", "dan", "eve"];
    let mut calls = Vec::new();
    for (position, user) in users.into_iter().enumerate() {
        for (number, endpoint) in ENDPOINTS.into_iter().enumerate() {
            let call = endpoint(&PROMPT.repeat(1 + position)).by(user);
            let limited = |limit: usize| call.clone().with(json!({ "max_tokens": limit }));
            calls.push(limited(3 + 9 * position + number));
            calls.push(limited(20 - 2 * position).streamed(true));
        }
    }
    let before = stage.idle().await;
    let usages: Vec<_> = stage.calls(calls).iter().map(Usage::of).collect();
    let after = stage.idle().await;

    let mut costs = Vec::new();
    for (user, usages) in users.into_iter().zip(usages.chunks(usages.len() / users.len())) {
        let cost = usages.iter().map(|usage| usage.cost()).sum();
        assert_eq!(stage.tokens(user).await, cost, "{user}");
        costs.push(cost);
    }
    let accounts = stage.accounts().await;
    assert_eq!(accounts.active, users.len());
    assert_eq!(accounts.min_tokens, costs.iter().copied().fold(f64::INFINITY, f64::min));
    assert_eq!(accounts.max_tokens, costs.iter().copied().fold(0.0, f64::max));

    let total = |count: fn(&Usage) -> u64| usages.iter().map(count).sum::<u64>() as f64;
    let by_engines = (after.read - before.read, after.written - before.written);
    assert_eq!(by_engines, (total(|usage| usage.prompt), total(|usage| usage.completion)));
}

#[actix_web::test]
async fn who_leaves_a_stream_pays_the_prompt_and_what_was_delivered_and_the_pods_stop() {
    // So large a weight that prompt and output can be told apart in the sum.
    const WEIGHT: f64 = 4096.0;
    let mut stage = Stage::set(&[("AIBRIX_ROUTER_VTC_BASIC_OUTPUT_TOKEN_WEIGHT", &WEIGHT.to_string())]).await;
    let one_token = json!({ "max_tokens": 1 });
    let prompts =
        ENDPOINTS.map(|of| Usage::of(&stage.call(of(PROMPT).with(one_token.clone()))).prompt as f64);
    let leaver = |number: usize| {
        // Half of them ask the engine to count along; the others can only count what has text.
        let extra = json!({ "ignore_eos": true, "timings_per_token": number < 4 });
        let endless = json!({ "max_tokens": ENDLESS, "extra_body": extra });
        let call = ENDPOINTS[number % 2](PROMPT).with(endless).streamed(false);
        call.by(&number.to_string()).leaving_after(3 + number)
    };
    let before = stage.idle().await;
    let outcomes = stage.calls((0..8).map(leaver).collect());
    let written = stage.idle().await.written - before.written;

    let mut charged = 0.0;
    for (number, outcome) in outcomes.iter().enumerate() {
        assert_eq!(chunks(outcome).len(), 3 + number);
        let tokens = stage.tokens(&number.to_string()).await;
        let (prompt, output) = (tokens % WEIGHT, (tokens / WEIGHT).floor());
        assert_eq!(prompt, prompts[number % 2]);
        let received = tokens_received(chunks(outcome));
        assert!(output >= received, "user {number}: {output} charged, {received} received");
        charged += output;
    }
    assert!(charged <= written, "{charged} charged, {written} written");
    assert!(written < ENDLESS.into(), "all together wrote less than one would have: {written}");
}

/// As llama.cpp's timings count, else as many as there are chunks with text: the least that it can have been.
fn tokens_received(chunks: &[Value]) -> f64 {
    let counted = chunks.iter().filter_map(|chunk| chunk["timings"]["predicted_n"].as_f64());
    let texts = chunks.iter().map(|chunk| &chunk["choices"][0]).filter_map(|choice| {
        let text = choice["text"].as_str().or_else(|| choice["delta"]["content"].as_str());
        text.filter(|text| !text.is_empty())
    });
    counted.reduce(f64::max).unwrap_or(texts.count() as f64)
}

#[actix_web::test]
async fn errors_come_as_the_clients_own_exceptions_and_cost_nothing() {
    let mut stage = Stage::open().await;
    for endpoint in ENDPOINTS {
        for (wrong, name, status, code, param) in [
            (json!({ "model": "gpt-9" }), "NotFoundError", 404, "model_not_found", "model"),
            (json!({ "max_tokens": "many" }), "BadRequestError", 400, "invalid_request", "max_tokens"),
            (
                json!({ "extra_headers": { "routing-strategy": "fastest" } }),
                "BadRequestError",
                400,
                "unknown_routing_strategy",
                "routing-strategy",
            ),
        ] {
            let outcome = stage.call(endpoint(PROMPT).with(wrong).by("clumsy"));
            let error = json!({ "name": name, "status": status, "code": code, "param": param });
            assert_eq!(outcome, json!({ "error": error }));
        }
        // This the pod alone can judge.
        let judged = stage.call(endpoint(PROMPT).with(json!({ "temperature": "hot" })).by("clumsy"));
        assert_eq!(judged["error"]["name"], "BadRequestError", "{judged}");
    }
    assert_eq!(stage.tokens("clumsy").await, 0.0);
}

#[actix_web::test]
async fn all_who_give_no_name_are_one() {
    let mut stage = Stage::open().await;
    let mut cost = 0.0;
    for endpoint in ENDPOINTS {
        let outcome = stage.call(endpoint(PROMPT).with(json!({ "max_tokens": 4 })));
        let usage = Usage::of(&outcome);
        assert!(usage.completion > 0);
        cost += usage.cost();
    }
    assert_eq!(stage.accounts().await.active, 1);
    assert_eq!(stage.tokens("@anonymous").await, cost);
}
