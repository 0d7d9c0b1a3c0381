//! Streams as servers send them, with and without what the gateway adds, and laws over made-up events.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::request::Endpoint;
use crate::sse::{SseSplitter, data};

const NOTHING: &str = "";
const USAGE: &str = r#","stream_options":{"include_usage":true}"#;
const CONTINUOUS: &str = r#","stream_options":{"include_usage":true,"continuous_usage_stats":true}"#;
const CONTINUOUS_ALONE: &str = r#","stream_options":{"continuous_usage_stats":true}"#;
const TIMINGS: &str = r#","timings_per_token":true"#;
const BOTH: &str = r#","timings_per_token":true,"stream_options":{"include_usage":true}"#;

fn view(endpoint: Endpoint, members: &str, dialect: Dialect) -> ClientView {
    let body = format!(r#"{{"model":"m","messages":[],"stream":true{members}}}"#);
    let body = Bytes::from(body);
    ClientView::new(&GenerationRequest::read(endpoint, &body).unwrap(), dialect)
}

fn show(view: ClientView, event: Bytes) -> Option<Bytes> {
    let part = data(&event).map(|data| StreamPart::read(&data)).unwrap_or_default();
    view.show(event, &part)
}

/// What a client sees of a stream with these data.
fn seen(view: ClientView, stream: &[String]) -> Vec<String> {
    let mut splitter = SseSplitter::new();
    splitter.push(stream.iter().map(|data| format!("data: {data}\n\n")).collect::<String>().into());
    let events = std::iter::from_fn(|| splitter.next_event());
    let shown = events.filter_map(|event| show(view, event.into_bytes()));
    let data = shown.map(|event| {
        let event = String::from_utf8(event.to_vec()).unwrap();
        event.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap().to_owned()
    });
    data.collect()
}

/// What llama.cpp streams, by what it was asked for: recorded, with shorter values.
fn llama_cpp(endpoint: Endpoint, usage: bool, timings_per_token: bool) -> Vec<String> {
    let timings = |count: u64| {
        format!(r#","timings":{{"cache_n":24,"prompt_n":1,"prompt_ms":0.2,"predicted_n":{count}}}"#)
    };
    let running = |count| if timings_per_token { timings(count) } else { String::new() };
    let counts = r#","usage":{"completion_tokens":2,"prompt_tokens":25,"total_tokens":27,"prompt_tokens_details":{"cached_tokens":24}}"#;
    let mut stream = Vec::new();
    if endpoint == Endpoint::Completions {
        let chunk = |text: &str, finish: &str| {
            format!(
                r#"{{"choices":[{{"text":{text},"index":0,"logprobs":null,"finish_reason":{finish}}}],"model":"tiny","object":"text_completion""#
            )
        };
        stream.push(format!("{}{}}}", chunk(r#""\"usage\":{""#, "null") + r#","id":"c""#, running(1)));
        stream.push(format!("{}{}}}", chunk(r#""}""#, "null") + r#","id":"c""#, running(2)));
        stream.push(format!(r#"{}{counts},"id":"c"{}}}"#, chunk(r#""""#, r#""length""#), timings(2)));
    } else {
        let chunk =
            |choices: &str| format!(r#"{{"choices":[{choices}],"id":"c","object":"chat.completion.chunk""#);
        let delta = |delta: &str, finish: &str| {
            chunk(&format!(r#"{{"finish_reason":{finish},"index":0,"delta":{delta}}}"#))
        };
        stream.push(delta(r#"{"role":"assistant","content":null}"#, "null") + "}");
        stream.push(delta(r#"{"content":"{\"timings\":"}"#, "null") + &running(1) + "}");
        stream.push(delta(r#"{"content":"}"}"#, "null") + &running(2) + "}");
        // The timings of the end move to the extra event, if there is one.
        let last = delta("{}", r#""length""#);
        if usage {
            stream.push(last + "}");
            stream.push(format!("{}{counts}{}}}", chunk(""), timings(2)));
        } else {
            stream.push(last + &timings(2) + "}");
        }
    }
    stream.push("[DONE]".to_owned());
    stream
}

/// What vLLM streams, by what it was asked for.
fn vllm(endpoint: Endpoint, usage: bool, continuous: bool) -> Vec<String> {
    let counts = |count: u64| {
        format!(
            r#"{{"prompt_tokens":9,"total_tokens":{},"completion_tokens":{count},"prompt_tokens_details":null}}"#,
            9 + count
        )
    };
    let completion = endpoint == Endpoint::Completions;
    let running = |count| match (usage && continuous, completion) {
        (true, _) => format!(r#","usage":{}"#, counts(count)),
        (false, true) => r#","usage":null"#.to_owned(),
        (false, false) => String::new(),
    };
    let chunk =
        |choice: &str, count| format!(r#"{{"id":"c","created":1,"choices":[{choice}]{}}}"#, running(count));
    let mut stream = if completion {
        vec![
            chunk(r#"{"index":0,"text":"a","logprobs":null,"finish_reason":null}"#, 1),
            chunk(r#"{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}"#, 2),
        ]
    } else {
        vec![
            chunk(r#"{"index":0,"delta":{"role":"assistant","content":""}}"#, 0),
            chunk(r#"{"index":0,"delta":{"content":"a"},"finish_reason":null}"#, 1),
            chunk(r#"{"index":0,"delta":{"content":""},"finish_reason":"stop"}"#, 2),
        ]
    };
    if usage {
        stream.push(format!(r#"{{"id":"c","created":1,"choices":[],"usage":{}}}"#, counts(2)));
    }
    stream.push("[DONE]".to_owned());
    stream
}

#[test]
fn a_client_of_llama_cpp_sees_what_it_would_have_seen_without_the_gateway() {
    for endpoint in [Endpoint::ChatCompletions, Endpoint::Completions] {
        for (members, usage, timings) in
            [(NOTHING, false, false), (USAGE, true, false), (TIMINGS, false, true), (BOTH, true, true)]
        {
            let shown = seen(view(endpoint, members, Dialect::LlamaCpp), &llama_cpp(endpoint, usage, true));
            assert_eq!(shown, llama_cpp(endpoint, usage, timings), "{endpoint:?} {members}");
        }
    }
}

#[test]
fn a_client_of_vllm_sees_what_it_would_have_seen_without_the_gateway() {
    for endpoint in [Endpoint::ChatCompletions, Endpoint::Completions] {
        for (members, usage, continuous) in [
            (NOTHING, false, false),
            (USAGE, true, false),
            (CONTINUOUS_ALONE, false, true),
            (CONTINUOUS, true, true),
        ] {
            let shown = seen(view(endpoint, members, Dialect::Vllm), &vllm(endpoint, true, true));
            assert_eq!(shown, vllm(endpoint, usage, continuous), "{endpoint:?} {members}");
        }
    }
}

#[test]
fn of_other_servers_only_the_extra_event_is_dropped_and_only_if_it_was_not_asked_for() {
    let endpoint = Endpoint::ChatCompletions;
    let other = |members| view(endpoint, members, Dialect::Other);
    assert_eq!(seen(other(NOTHING), &vllm(endpoint, true, false)), vllm(endpoint, false, false));
    assert_eq!(seen(other(USAGE), &vllm(endpoint, true, false)), vllm(endpoint, true, false));
    // Usage that comes with choices is content, too.
    let completion = llama_cpp(Endpoint::Completions, true, true);
    assert_eq!(seen(other(NOTHING), &completion), completion);
}

#[test]
fn an_extra_event_that_nobody_asked_for_is_the_pods_own_and_stays() {
    let endpoint = Endpoint::ChatCompletions;
    let stream = llama_cpp(endpoint, true, false);
    assert_eq!(seen(view(endpoint, NOTHING, Dialect::LlamaCpp), &stream), stream);
}

#[test]
fn an_event_that_is_none_of_ours_is_the_same_memory() {
    for event in [
        ": ping\n\n",
        "\r\n",
        "data: [DONE]\n\n",
        "data: null\n\n",
        "data: {\"error\":{\"message\":\"usage\"},\"usage\":{\"prompt_tokens\":1}}\n\n",
        "data: {\"choices\":[],\"usage\":null,\"sglext\":{}}\n\n",
        "data: {\"choices\":[{\"text\":\"\\\"usage\\\":{}\"}],\"usage\":null}\n\n",
        "data: {\"choices\":[{\"usage\":{\"prompt_tokens\":1},\"timings\":{}}]}\n\n",
        "data: {\"choices\":[{}],\"usage\":{}\n\n",
    ] {
        for dialect in [Dialect::Vllm, Dialect::LlamaCpp, Dialect::Other] {
            for endpoint in [Endpoint::ChatCompletions, Endpoint::Completions] {
                let event = Bytes::from_static(event.as_bytes());
                let shown = show(view(endpoint, NOTHING, dialect), event.clone()).unwrap();
                assert_eq!((shown.as_ptr(), &shown), (event.as_ptr(), &event), "{dialect:?}");
            }
        }
    }
}

#[test]
fn a_request_that_does_not_stream_has_nothing_to_hide() {
    let body = Bytes::from_static(br#"{"model":"m"}"#);
    let request = GenerationRequest::read(Endpoint::Completions, &body).unwrap();
    for dialect in [Dialect::Vllm, Dialect::LlamaCpp, Dialect::Other] {
        let view = ClientView::new(&request, dialect);
        assert_eq!(
            seen(view, &vllm(Endpoint::Completions, true, true)),
            vllm(Endpoint::Completions, true, true)
        );
    }
}

#[test]
fn data_over_several_lines_stays_valid_and_keeps_its_other_fields() {
    let event = "id: 7\r\ndata: {\"choices\":[{}],\r\ndata: \"usage\":\r\ndata:{\"prompt_tokens\":1}\r\ndata: ,\"a\":1}\r\n\r\n";
    let shown = |endpoint| {
        show(view(endpoint, NOTHING, Dialect::Vllm), Bytes::from_static(event.as_bytes())).unwrap()
    };
    assert_eq!(
        &shown(Endpoint::ChatCompletions)[..],
        b"id: 7\r\ndata: {\"choices\":[{}]\r\ndata: ,\"a\":1}\r\n\r\n"
    );
    assert_eq!(
        &shown(Endpoint::Completions)[..],
        b"id: 7\r\ndata: {\"choices\":[{}],\r\ndata: \"usage\":\r\ndata:null\r\ndata: ,\"a\":1}\r\n\r\n"
    );
}

/// Values with all that could lead a scanner astray.
fn tricky() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "[a\"\\\\{}\\[\\]:,]{0,6}".prop_map(Value::from),
        Just(json!("\"usage\":{\"timings\":")),
        any::<i32>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            (inner.clone(), inner).prop_map(|(one, two)| json!({"usage": one, "timings\"": two})),
        ]
    })
}

/// An event's data, pretty or not, with a line break wherever there is whitespace.
#[derive(Debug)]
struct Made {
    value: Value,
    event: Bytes,
}

fn made() -> impl Strategy<Value = Made> {
    let members = prop::collection::vec(("[a\"\\\\{},:]{0,3}", tricky()), 0..3);
    let spaces = prop::sample::select(vec!["", " ", "\n", " \n\t"]);
    let ends = prop::sample::select(vec!["\n", "\r\n", "\r"]);
    (members, tricky(), tricky(), any::<prop::sample::Index>(), spaces, ends, any::<bool>()).prop_map(
        |(others, usage, timings, place, space, end, finished)| {
            let finish = if finished { json!("stop") } else { Value::Null };
            let mut members = vec![("choices".to_owned(), json!([{"index": 0, "finish_reason": finish}]))];
            members.extend(others.into_iter().map(|(name, value)| (format!("x{name}"), value)));
            members.insert(place.index(members.len() + 1), ("usage".to_owned(), usage));
            members.insert(place.index(members.len() + 1), ("timings".to_owned(), timings));
            let texts: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{space}{}{space}:{space}{value}{space}", json!(name)))
                .collect();
            let data = format!("{{{}}}", texts.join(","));
            let lines: Vec<_> = data.split('\n').map(|line| format!("data: {line}{end}")).collect();
            let event = format!("id: 1{end}{}: c{end}{end}", lines.concat());
            Made { value: serde_json::from_str(&data).unwrap(), event: event.into() }
        },
    )
}

fn parsed(event: &Bytes) -> Value {
    serde_json::from_slice(&data(event).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_hidden_is_one_member_and_all_others_stay(made in made()) {
        let hidden = |endpoint, dialect| parsed(&show(view(endpoint, NOTHING, dialect), made.event.clone()).unwrap());
        let without = |name: &str| {
            let mut value = made.value.clone();
            if !value[name].is_null() {
                value.as_object_mut().unwrap().remove(name);
            }
            value
        };
        prop_assert_eq!(hidden(Endpoint::ChatCompletions, Dialect::Vllm), without("usage"));
        let mut nulled = made.value.clone();
        nulled["usage"] = Value::Null;
        prop_assert_eq!(hidden(Endpoint::Completions, Dialect::Vllm), nulled);
        let comes_unasked = !made.value["usage"].is_null() || made.value["choices"][0]["finish_reason"] == "stop";
        let timings = if comes_unasked { made.value.clone() } else { without("timings") };
        prop_assert_eq!(hidden(Endpoint::ChatCompletions, Dialect::LlamaCpp), timings);
        prop_assert_eq!(hidden(Endpoint::ChatCompletions, Dialect::Other), made.value);
    }

    #[test]
    fn an_event_keeps_its_end_and_its_other_lines(made in made()) {
        let shown = show(view(Endpoint::ChatCompletions, NOTHING, Dialect::Vllm), made.event.clone()).unwrap();
        let mut splitter = SseSplitter::new();
        splitter.push(shown.clone());
        prop_assert_eq!(splitter.next_event().map(crate::sse::Piece::into_bytes), Some(shown.clone()));
        prop_assert_eq!(splitter.next_event(), None);
        prop_assert!(shown.starts_with(b"id: 1"));
    }
}
