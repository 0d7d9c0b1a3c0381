//! Bodies of clients, good and bad.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dialect::Dialect;

fn body(json: &str) -> Bytes {
    Bytes::copy_from_slice(json.as_bytes())
}

fn error(endpoint: Endpoint, json: &str) -> RequestError {
    match GenerationRequest::read(endpoint, &body(json)) {
        Ok(request) => panic!("{json} was read as {request:?}"),
        Err(error) => error,
    }
}

/// Reads a completion with these members beside its model.
fn with<T>(members: &str, see: impl FnOnce(GenerationRequest<'_>) -> T) -> T {
    let body = body(&format!(r#"{{"model":"m"{members}}}"#));
    see(GenerationRequest::read(Endpoint::Completions, &body).unwrap())
}

fn prompt_of(endpoint: Endpoint, member: &str) -> (String, usize, usize) {
    let body = body(&format!(r#"{{"model":"m",{member}}}"#));
    let request = GenerationRequest::read(endpoint, &body).unwrap();
    (request.prompt.into_owned(), request.prompt_tokens, request.prompts)
}

#[test]
fn a_request_borrows_from_its_body() {
    let body = body(r#"{"prompt":"héllo","model":"m"}"#);
    let request = GenerationRequest::read(Endpoint::Completions, &body).unwrap();
    assert!(matches!(request.model, Some(Cow::Borrowed("m"))));
    assert!(matches!(request.prompt, Cow::Borrowed("héllo")));
    let escaped = Bytes::from_static(br#"{"prompt":"a\nb","mod\u0065l":"\u006d"}"#);
    let request = GenerationRequest::read(Endpoint::Completions, &escaped).unwrap();
    assert_eq!((request.model.as_deref(), &*request.prompt), (Some("m"), "a\nb"));
}

#[test]
fn absent_fields_have_their_defaults_and_null_is_absent() {
    let nulls = r#","prompt":null,"n":null,"max_tokens":null,"max_completion_tokens":null,
        "stream":null,"stream_options":null,"timings_per_token":null"#;
    for members in ["", nulls] {
        with(members, |request| {
            assert_eq!((&*request.prompt, request.prompt_tokens, request.prompts), ("", 0, 0));
            assert_eq!((request.n, request.max_output_tokens, request.stream), (1, None, false));
            assert_eq!(request.usage_ask, UsageAsk::default());
        });
    }
}

#[test]
fn limits_are_whole_numbers_and_negative_is_no_limit() {
    for (members, limit) in [
        (r#","max_tokens":16"#, Some(16)),
        (r#","max_tokens":16.0"#, Some(16)),
        (r#","max_tokens":1e3"#, Some(1000)),
        (r#","max_tokens":0"#, Some(0)),
        (r#","max_tokens":-1"#, None),
        (r#","max_tokens":99999999999999999999999"#, Some(u64::MAX)),
        (r#","max_tokens":1,"max_completion_tokens":2"#, Some(2)),
        (r#","max_tokens":1,"max_completion_tokens":null"#, Some(1)),
    ] {
        assert_eq!(with(members, |request| request.max_output_tokens), limit, "{members}");
    }
    assert_eq!(with(r#","n":3"#, |request| request.n), 3);
}

#[test]
fn what_the_client_asks_about_usage_is_read() {
    let members = r#","stream":true,"timings_per_token":true,
        "stream_options":{"continuous_usage_stats":true,"x":1,"include_usage":false}"#;
    with(members, |request| {
        assert!(request.stream);
        let asks = UsageAsk { include_usage: false, continuous_usage_stats: true, timings_per_token: true };
        assert_eq!(request.usage_ask, asks);
    });
}

#[test]
fn embeddings_never_stream() {
    let body = body(r#"{"model":"m","input":"a","stream":true}"#);
    let request = GenerationRequest::read(Endpoint::Embeddings, &body).unwrap();
    assert!(!request.stream);
    assert_eq!(request.to_pod(Dialect::Vllm, None).as_ptr(), body.as_ptr());
}

#[test]
fn prompts_are_texts_or_token_ids() {
    for (prompt, wanted) in [
        (r#""a b""#, ("a b", 0, 1)),
        (r#"["a","b\t"]"#, ("a\nb\t", 0, 2)),
        ("[7,8,9]", ("", 3, 1)),
        ("[[7,8],[9]]", ("", 3, 2)),
        ("[[]]", ("", 0, 1)),
        ("[]", ("", 0, 0)),
        (r#"[7,"a",8]"#, ("a", 2, 1)),
        (r#"[["a",7],"b"]"#, ("a\nb", 1, 2)),
        (r#"{"prompt_string":"a","multimodal_data":[]}"#, ("", 0, 1)),
    ] {
        let wanted = (wanted.0.to_owned(), wanted.1, wanted.2);
        let member = format!(r#""prompt":{prompt}"#);
        assert_eq!(prompt_of(Endpoint::Completions, &member), wanted, "{prompt}");
        let member = format!(r#""input":{prompt}"#);
        assert_eq!(prompt_of(Endpoint::Embeddings, &member), wanted, "{prompt}");
    }
}

#[test]
fn the_text_of_the_newer_apis_is_found_in_whatever_it_is_wrapped() {
    use Endpoint::{Detokenize, Messages, Other, Rerank, Responses, Score, Tokenize};
    for (endpoint, members, text) in [
        (Responses, r#""input":"hi","instructions":"be\nbrief""#, "be\nbrief\nhi"),
        (
            Responses,
            r#""input":[{"role":"user","content":[{"type":"input_text","text":"a"},
                {"type":"input_image","image_url":"data:AAAA"},{"type":"input_file","file_data":"BBBB"}]},
                {"type":"function_call","name":"f","arguments":"{}"},{"type":"function_call_output","output":"b"}],
                "tools":[{"type":"f"}]"#,
            "a\n{}\nb\n[{\"type\":\"f\"}]",
        ),
        (
            Messages,
            r#""system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":"a"},
                {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"x"},
                {"type":"tool_use","name":"f","input":{"q":"z"}}]},
                {"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"r"}]},
                {"type":"image","source":{"type":"base64","data":"AAAA"}}]}]"#,
            "s\na\nt\n{\"q\":\"z\"}\nr",
        ),
        (Rerank, r#""documents":["a",{"text":"b","id":"x"}],"query":"q","top_n":3"#, "q\na\nb"),
        (Score, r#""text_1":"a","text_2":["b","c"]"#, "a\nb\nc"),
        (Tokenize, r#""messages":[{"role":"user","content":"a"}]"#, "a"),
        (Tokenize, r#""content":"a""#, "a"),
        (Other, r#""texts":"no","prompt":{"text":"a"},"input":[1.5,true,null,-1,"b"]"#, "a\nb"),
    ] {
        assert_eq!(prompt_of(endpoint, members), (text.to_owned(), 0, 1), "{members}");
    }
    assert_eq!(prompt_of(Detokenize, r#""tokens":[1,2,3]"#), (String::new(), 3, 1));
    // Deeper than any message is.
    let deep = format!(r#""input":["a",{}"b"{}]"#, "[".repeat(300), "]".repeat(300));
    assert_eq!(prompt_of(Responses, &deep), ("a".to_owned(), 0, 1));
}

#[test]
fn each_endpoint_has_its_own_limit_of_output() {
    let members = r#"{"model":"m","messages":[],"max_tokens":1,"max_output_tokens":2,"n_predict":3}"#;
    for (endpoint, limit) in [
        (Endpoint::ChatCompletions, Some(1)),
        (Endpoint::Messages, Some(1)),
        (Endpoint::Responses, Some(2)),
        (Endpoint::LlamaCompletion, Some(3)),
        (Endpoint::Embeddings, None),
    ] {
        let body = body(members);
        assert_eq!(
            GenerationRequest::read(endpoint, &body).unwrap().max_output_tokens,
            limit,
            "{endpoint:?}"
        );
    }
}

#[test]
fn a_model_may_be_missing_only_where_none_is_needed() {
    for endpoint in Endpoint::ALL.into_iter().chain([Endpoint::Other]) {
        let body = body(r#"{"messages":[]}"#);
        let read = GenerationRequest::read(endpoint, &body);
        assert_eq!(read.is_err(), endpoint.description().needs_model, "{endpoint:?}");
    }
    for json in [r#"{"model":""}"#, r#"{"model":7}"#, r#"{"model":"a","model":"b"}"#] {
        error(Endpoint::Other, json);
    }
    for no_object in ["", "[]", "\"model\"", "x=1&model=m"] {
        let body = body(no_object);
        let request = GenerationRequest::read_either(Endpoint::Other, None, &body).unwrap();
        assert_eq!(request.model, None);
        assert_eq!(request.to_pod(Dialect::Vllm, Some("m")).as_ptr(), body.as_ptr());
    }
}

#[test]
fn a_chat_is_the_text_of_its_messages_and_tools() {
    let members = r#""tools":[{"type":"function","function":{"name":"f"}}],"messages":[
        {"role":"system","content":"be\nbrief"},
        {"role":"user","content":[{"type":"text","text":"look"},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},"also",{"text":null},7]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"1"}]},
        {"role":"tool"},
        {"role":"user","content":""}]"#;
    let text =
        "be\nbrief\nlook\nalso\n[{\"id\":\"1\"}]\n[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]";
    assert_eq!(prompt_of(Endpoint::ChatCompletions, members), (text.to_owned(), 0, 1));
    let one = Bytes::from_static(br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#);
    let request = GenerationRequest::read(Endpoint::ChatCompletions, &one).unwrap();
    assert!(matches!(request.prompt, Cow::Borrowed("hi")));
}

#[test]
fn a_body_that_is_no_object_is_refused_as_such() {
    for json in ["", " ", "null", "7", "\"model\"", "[]", r#"["m"]"#, "\u{feff}{}"] {
        let error = error(Endpoint::Completions, json);
        assert_eq!((&error, error.param()), (&RequestError::NotAnObject, None), "{json:?}");
    }
}

#[test]
fn broken_json_and_repeated_fields_are_refused_with_their_place() {
    for (json, message) in [
        (r#"{"model":"m""#, "EOF"),
        (r#"{"model":"m"} x"#, "trailing"),
        (r#"{"model":"m","model":"n"}"#, "duplicate field `model` at line 1"),
        (r#"{"model":"m","mod\u0065l":"n"}"#, "duplicate field `model`"),
        (r#"{"model":"m","stream":true,"stream":false}"#, "duplicate field `stream`"),
    ] {
        let error = error(Endpoint::Completions, json);
        assert!(matches!(&error, RequestError::Unreadable(said) if said.contains(message)), "{error}");
        assert_eq!(error.param(), None);
    }
    let not_utf8 = Bytes::from_static(b"{\"model\":\"\xff\"}");
    assert!(GenerationRequest::read(Endpoint::Completions, &not_utf8).is_err());
}

#[test]
fn a_wrong_field_is_refused_by_its_name() {
    use Endpoint::{ChatCompletions as Chat, Completions, Embeddings};
    for (endpoint, members, param) in [
        (Completions, r#""model":null"#, "model"),
        (Completions, r#""model":7"#, "model"),
        (Completions, r#""model":"""#, "model"),
        (Completions, r#""model":"\ud800""#, "model"),
        (Completions, r#""n":0"#, "n"),
        (Completions, r#""n":-1"#, "n"),
        (Completions, r#""n":1.5"#, "n"),
        (Completions, r#""n":"2""#, "n"),
        (Completions, r#""max_tokens":1.5"#, "max_tokens"),
        (Completions, r#""max_tokens":"16""#, "max_tokens"),
        (Completions, r#""max_tokens":1e999"#, "max_tokens"),
        (Completions, r#""max_completion_tokens":{},"max_tokens":1"#, "max_completion_tokens"),
        (Completions, r#""max_completion_tokens":1,"max_tokens":{}"#, "max_tokens"),
        (Completions, r#""stream":"yes""#, "stream"),
        (Completions, r#""stream":1"#, "stream"),
        (Completions, r#""stream_options":[true]"#, "stream_options"),
        (Completions, r#""stream_options":"x""#, "stream_options"),
        (Completions, r#""stream_options":{"include_usage":true,"include_usage":true}"#, "stream_options"),
        (Completions, r#""stream_options":{"include_usage":1}"#, "stream_options.include_usage"),
        (
            Completions,
            r#""stream_options":{"continuous_usage_stats":"a"}"#,
            "stream_options.continuous_usage_stats",
        ),
        (Completions, r#""timings_per_token":0"#, "timings_per_token"),
        (Completions, r#""prompt":7"#, "prompt"),
        (Completions, r#""prompt":true"#, "prompt"),
        (Completions, r#""prompt":[-1]"#, "prompt"),
        (Completions, r#""prompt":[1.5]"#, "prompt"),
        (Completions, r#""prompt":[null]"#, "prompt"),
        (Completions, r#""prompt":[[[1]]]"#, "prompt"),
        (Embeddings, r#""input":false"#, "input"),
        (Chat, "", "messages"),
        (Chat, r#""messages":{}"#, "messages"),
        (Chat, r#""messages":["hi"]"#, "messages"),
        (Chat, r#""messages":[["hi",null,null]]"#, "messages"),
        (Chat, r#""messages":[{},{"content":7}]"#, "messages"),
        (Chat, r#""messages":[{"content":"a","content":"b"}]"#, "messages"),
    ] {
        let model = if members.contains("model") { "" } else { r#""model":"m""# };
        let comma = if model.is_empty() || members.is_empty() { "" } else { "," };
        let error = error(endpoint, &format!("{{{model}{comma}{members}}}"));
        assert_eq!(error.param(), Some(param), "{members}: {error}");
        let named = param == "messages" || error.to_string().contains(&format!("`{param}`"));
        assert!(named, "{error}");
    }
    let missing = error(Completions, "{}");
    assert_eq!(missing.param(), Some("model"));
    assert!(missing.to_string().contains("/v1/models"), "{missing}");
    let second = error(Chat, r#"{"model":"m","messages":[{},{"content":7}]}"#);
    assert!(second.to_string().starts_with("`messages[1].content` must be"), "{second}");
}

#[test]
fn deep_nesting_is_an_error_or_passed_over_but_never_a_panic() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(
        error(Endpoint::Completions, &format!(r#"{{"model":"m","prompt":{deep}}}"#)).param(),
        Some("prompt")
    );
    let chat = format!(r#"{{"model":"m","messages":[{{"content":{deep}}}]}}"#);
    assert!(GenerationRequest::read(Endpoint::ChatCompletions, &body(&chat)).is_ok());
    with(&format!(r#","metadata":{deep}"#), |request| assert_eq!(request.model.as_deref(), Some("m")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_bytes_make_the_reader_panic(
        data in prop::collection::vec(any::<u8>(), 0..64),
        value in "[\\[\\]{}\":,a-z0-9 ]{0,24}",
        field in prop::sample::select(vec!["model", "messages", "prompt", "input", "n", "stream_options"]),
    ) {
        let near = format!(r#"{{"{field}":{value}}}"#).into_bytes();
        for bytes in [data, near] {
            let bytes = Bytes::from(bytes);
            for endpoint in Endpoint::ALL {
                let _ = GenerationRequest::read(endpoint, &bytes);
            }
        }
    }

    #[test]
    fn a_prompt_is_the_concatenation_of_its_texts(texts in prop::collection::vec("\\PC{1,8}", 1..5)) {
        let joined = texts.join("\n");
        let completion = body(&json!({"model": "m", "prompt": texts}).to_string());
        let request = GenerationRequest::read(Endpoint::Completions, &completion).unwrap();
        prop_assert_eq!((&*request.prompt, request.prompts), (&*joined, texts.len()));
        let messages: Vec<Value> = texts.iter().map(|text| json!({"role": "user", "content": text})).collect();
        let chat = body(&json!({"model": "m", "messages": messages}).to_string());
        let request = GenerationRequest::read(Endpoint::ChatCompletions, &chat).unwrap();
        prop_assert_eq!(&*request.prompt, &*joined);
    }
}
