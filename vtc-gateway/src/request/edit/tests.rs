//! What is asked of pods on behalf of clients: by the byte, and as a law over made-up bodies.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::request::Endpoint;

const ALL_DIALECTS: [Dialect; 3] = [Dialect::Vllm, Dialect::LlamaCpp, Dialect::Other];

fn body(json: &str) -> Bytes {
    Bytes::copy_from_slice(json.as_bytes())
}

fn asked(json: &str, dialect: Dialect) -> String {
    let body = body(json);
    let request = GenerationRequest::read(Endpoint::Completions, &body).unwrap();
    String::from_utf8(request.to_pod(dialect, None).to_vec()).unwrap()
}

#[test]
fn only_what_is_missing_is_added_and_the_rest_stays_byte_for_byte() {
    use Dialect::{LlamaCpp, Other, Vllm};
    for (dialect, before, after) in [
        (
            Vllm,
            r#" {"model":"m","stream":true}"#,
            r#" {"stream_options":{"include_usage":true,"continuous_usage_stats":true},"model":"m","stream":true}"#,
        ),
        (
            Other,
            r#"{ "model":"m","stream":true}"#,
            r#"{"stream_options":{"include_usage":true}, "model":"m","stream":true}"#,
        ),
        (
            LlamaCpp,
            r#"{"model":"m","stream":true}"#,
            r#"{"timings_per_token":true,"model":"m","stream":true}"#,
        ),
        (
            LlamaCpp,
            r#"{"model":"m","timings_per_token": false ,"stream":true}"#,
            r#"{"model":"m","timings_per_token": true ,"stream":true}"#,
        ),
        (
            Vllm,
            r#"{"model":"m","stream":true,"stream_options": null}"#,
            r#"{"model":"m","stream":true,"stream_options": {"include_usage":true,"continuous_usage_stats":true}}"#,
        ),
        (
            Other,
            r#"{"model":"m","stream":true,"stream_options":{ }}"#,
            r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            Vllm,
            r#"{"model":"m","stream":true,"stream_options":{ "x":"}" , "include_usage":null}}"#,
            r#"{"model":"m","stream":true,"stream_options":{"continuous_usage_stats":true, "x":"}" , "include_usage":true}}"#,
        ),
        (
            Vllm,
            r#"{"stream_options":{"include_usage":false,"continuous_usage_stats":false},"model":"m","stream":true}"#,
            r#"{"stream_options":{"include_usage":true,"continuous_usage_stats":true},"model":"m","stream":true}"#,
        ),
    ] {
        assert_eq!(asked(before, dialect), after);
    }
}

#[test]
fn a_request_that_lacks_nothing_is_the_same_memory() {
    let full = r#"{"model":"m","stream":true,"timings_per_token":true,
        "stream_options":{"include_usage":true,"continuous_usage_stats":true}}"#;
    for json in [full, r#"{"model":"m","stream":false}"#, r#"{"model":"m","stream_options":null}"#] {
        let body = body(json);
        let request = GenerationRequest::read(Endpoint::Completions, &body).unwrap();
        for dialect in ALL_DIALECTS {
            assert_eq!(request.to_pod(dialect, None).as_ptr(), body.as_ptr());
        }
    }
}

fn whitespace() -> impl Strategy<Value = String> {
    "[ \n\t]{0,2}"
}

fn flag_json() -> impl Strategy<Value = Value> {
    prop_oneof![Just(json!(true)), Just(json!(false)), Just(Value::Null)]
}

fn other_json() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a\"\\\\{}\\[\\]:,\n]{0,8}".prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(json!({"stream_options": {"include_usage": [false, "}"]}, "model": "\"stream\":true"})),
    ]
}

fn stream_options() -> impl Strategy<Value = Value> {
    let members =
        (prop::option::of(flag_json()), prop::option::of(flag_json()), prop::option::of(other_json()));
    prop_oneof![
        1 => Just(Value::Null),
        4 => members.prop_map(|(include, continuous, other)| {
            let members = [("include_usage", include), ("continuous_usage_stats", continuous), ("other", other)];
            members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
        }),
    ]
}

/// Writes an object with whitespace in all places, and the members in the order of a shuffle.
fn written(members: &[(String, Value)], space: &str) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::Object(inner) => {
                    let inner: Vec<_> = inner.clone().into_iter().collect();
                    written(&inner, space)
                }
                plain => plain.to_string(),
            };
            format!("{space}{}{space}:{space}{value}{space}", json!(name))
        })
        .collect();
    format!("{{{}{space}}}", members.join(","))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn asking_sets_what_the_dialect_wants_and_changes_nothing_else(
        options in prop::option::of(stream_options()), timings in prop::option::of(flag_json()),
        others in prop::collection::vec(other_json(), 0..3), stream in any::<bool>(),
        space in whitespace(), order in any::<prop::sample::Index>(),
    ) {
        let mut members = vec![("model".to_owned(), json!("m")), ("stream".to_owned(), json!(stream))];
        members.extend(options.map(|value| ("stream_options".to_owned(), value)));
        members.extend(timings.map(|value| ("timings_per_token".to_owned(), value)));
        members.extend(others.into_iter().enumerate().map(|(at, value)| (format!("other {at}"), value)));
        let by = order.index(members.len());
        members.rotate_left(by);
        let json = format!("{space}{}{space}", written(&members, &space));
        let before: Value = serde_json::from_str(&json).unwrap();

        for dialect in ALL_DIALECTS {
            let after: Value = serde_json::from_str(&asked(&json, dialect)).unwrap();
            let mut wanted = before.clone();
            if stream {
                let ask = dialect.usage_ask();
                if ask.timings_per_token {
                    wanted["timings_per_token"] = json!(true);
                }
                if ask.include_usage {
                    wanted["stream_options"]["include_usage"] = json!(true);
                }
                if ask.continuous_usage_stats {
                    wanted["stream_options"]["continuous_usage_stats"] = json!(true);
                }
            }
            prop_assert_eq!(&after, &wanted);
            // A second time there is nothing left to ask for.
            let again = body(&after.to_string());
            let request = GenerationRequest::read(Endpoint::Completions, &again).unwrap();
            prop_assert_eq!(request.to_pod(dialect, None).as_ptr(), again.as_ptr());
        }
    }
}
