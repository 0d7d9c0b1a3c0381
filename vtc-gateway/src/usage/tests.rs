//! Real answers of the servers, and laws over made-up ones.

use proptest::prelude::*;

use super::*;

const fn usage(input_tokens: u64, output_tokens: u64, cached_tokens: u64) -> Usage {
    Usage { input_tokens, output_tokens, cached_tokens }
}

fn part(data: &str) -> StreamPart {
    StreamPart::read(data.as_bytes())
}

#[test]
fn the_usage_of_a_whole_answer_is_read_under_all_its_names() {
    let read = |body: &str| usage_of_response(body.as_bytes());
    let llama = r#"{"choices":[{"text":"x","index":0}],"usage":{"completion_tokens":3,"prompt_tokens":25,
        "total_tokens":28,"prompt_tokens_details":{"cached_tokens":24}},"timings":{"cache_n":24}}"#;
    assert_eq!(read(llama), Some(usage(25, 3, 24)));
    let embeddings = r#"{"object":"list","data":[{"embedding":[0.5,-1e-3]}],"usage":{"prompt_tokens":7,"total_tokens":7}}"#;
    assert_eq!(read(embeddings), Some(usage(7, 0, 0)));
    let newer =
        r#"{"usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":2},"output_tokens":4}}"#;
    assert_eq!(read(newer), Some(usage(5, 4, 2)));
    let both = r#"{"usage":{"input_tokens":5,"prompt_tokens":5,"output_tokens":4,"completion_tokens":4}}"#;
    assert_eq!(read(both), Some(usage(5, 4, 0)));
    let vllm = r#"{"usage":{"prompt_tokens":5,"completion_tokens":null,"prompt_tokens_details":null}}"#;
    assert_eq!(read(vllm), Some(usage(5, 0, 0)));
}

#[test]
fn the_usage_of_other_apis_is_read_as_they_mean_it() {
    let read = |body: &str| usage_of_response(body.as_bytes());
    let anthropic = r#"{"type":"message","usage":{"input_tokens":2,"cache_read_input_tokens":30,"cache_creation_input_tokens":5,"output_tokens":4}}"#;
    assert_eq!(read(anthropic), Some(usage(37, 4, 30)), "what was cached is beside the rest");
    let nulls = r#"{"usage":{"input_tokens":2,"cache_read_input_tokens":null,"cache_creation_input_tokens":null,"output_tokens":4}}"#;
    assert_eq!(read(nulls), Some(usage(2, 4, 0)));
    let openai = r#"{"usage":{"prompt_tokens":37,"cache_read_input_tokens":30,"completion_tokens":4}}"#;
    assert_eq!(read(openai), Some(usage(37, 4, 30)), "a prompt has all in it");
    assert_eq!(read(r#"{"usage":{"total_tokens":56}}"#), Some(usage(56, 0, 0)));
    assert_eq!(read(r#"{"usage":{"total_tokens":5,"completion_tokens":9}}"#), Some(usage(0, 9, 0)));
    assert_eq!(read(r#"{"usage":{"prompt_tokens":5,"total_tokens":9}}"#), Some(usage(5, 0, 0)));
    assert_eq!(read(r#"{"usage":{"type":"duration","seconds":3}}"#), None);
    let most = u64::MAX;
    let huge = format!(
        r#"{{"usage":{{"input_tokens":{most},"cache_read_input_tokens":{most},"output_tokens":{most}}}}}"#
    );
    assert_eq!(read(&huge), Some(usage(most, most, most)));
    let llama = r#"{"content":"x","tokens_predicted":3,"tokens_evaluated":25,"timings":{"cache_n":24,"prompt_n":1,"predicted_n":3}}"#;
    assert_eq!(read(llama), Some(usage(25, 3, 24)));
    assert_eq!(read(r#"{"tokens_predicted":3}"#), None);
}

#[test]
fn events_that_say_of_which_type_they_are_are_read_by_it() {
    for (data, deltas, end) in [
        (r#"{"type":"response.output_text.delta","delta":"la"}"#, 1, None),
        (r#"{"type":"response.output_text.delta","delta":""}"#, 0, None),
        (r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#, 1, None),
        (r#"{"type":"response.output_text.done","text":"la"}"#, 0, None),
        (r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"la"}}"#, 1, None),
        (r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"la"}}"#, 1, None),
        (r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":""}}"#, 0, None),
        (r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}"#, 1, None),
        (r#"{"type":"content_block_delta","delta":{"type":"signature_delta","signature":"x"}}"#, 0, None),
        (r#"{"type":"content_block_delta","delta":null}"#, 0, None),
        (r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, 0, None),
        (r#"{"type":"message_stop"}"#, 0, Some(End::Last)),
        (r#"{"type":"response.incomplete","response":7}"#, 0, Some(End::Last)),
        (r#"{"type":"response.failed","response":{"usage":null}}"#, 0, Some(End::Failed)),
        (r#"{"type":"error","message":"no"}"#, 0, Some(End::Failed)),
        (r#"{"type":"image_generation.completed","b64_json":"x"}"#, 0, Some(End::MaybeLast)),
        (r#"{"type":7,"content":"la","stop":false}"#, 1, None),
        (r#"{"content":"la"}"#, 0, None),
        (r#"{"content":"","stop":true}"#, 0, Some(End::MaybeLast)),
        (r#"{"choices":[{"text":"a"}],"type":"message_stop"}"#, 1, None),
    ] {
        let part = part(data);
        assert_eq!((part.deltas, part.end, part.usage), (deltas, end, None), "{data}");
    }
    let part = part(r#"{"type":"message_delta","usage":{"output_tokens":7}}"#);
    assert_eq!(part.usage, Some(usage(0, 7, 0)), "another event tells of the prompt");
}

#[test]
fn the_choices_that_llama_cpp_does_not_count_are_taken_to_be_as_long_as_the_one_it_does() {
    let read = |choices: &str, counted: u64, timings: &str| {
        let usage = format!(
            r#""usage":{{"completion_tokens":{counted},"prompt_tokens":25,"prompt_tokens_details":{{"cached_tokens":24}}}}"#
        );
        usage_of_response(format!("{{{choices},{usage}{timings}}}").as_bytes())
    };
    let timings = r#","timings":{"cache_n":24,"prompt_n":1,"prompt_ms":0.2,"predicted_n":3}"#;
    let three = r#""choices":[{"text":"x","index":0},{"text":"y","index":1},{"text":"z","index":2}]"#;
    assert_eq!(read(three, 3, timings), Some(usage(25, 9, 24)));
    assert_eq!(read(r#""choices":[{"text":"x"}]"#, 3, timings), Some(usage(25, 3, 24)));
    assert_eq!(read(r#""choices":[]"#, 3, timings), Some(usage(25, 3, 24)));
    assert_eq!(read(three, 8, timings), Some(usage(25, 8, 24)), "a sum stays a sum");
    assert_eq!(read(three, 3, ""), Some(usage(25, 3, 24)), "another server");
    assert_eq!(
        read(three, u64::MAX, &timings.replace("3}", &format!("{}}}", u64::MAX))),
        Some(usage(25, u64::MAX, 24))
    );
}

#[test]
fn an_answer_without_readable_usage_has_none() {
    for body in [
        "",
        "null",
        "{}",
        "[]",
        r#"{"usage":null}"#,
        r#"{"usage":{}}"#,
        r#"{"usage":"3"}"#,
        r#"{"usage":{"prompt_tokens":-1}}"#,
        r#"{"usage":{"completion_tokens":3}}"#,
        r#"{"usage":{"prompt_tokens":1}"#,
        "<html>",
    ] {
        assert_eq!(usage_of_response(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn a_delta_is_a_choice_with_something_new_in_it() {
    for (choices, deltas) in [
        (r#"{"index":0,"delta":{"role":"assistant","content":""}}"#, 0),
        (r#"{"index":0,"delta":{"role":"assistant","content":null}}"#, 0),
        (r#"{"index":0,"delta":{"tool_calls":[ ],"content":null}}"#, 0),
        (r#"{"index":0,"delta":{},"finish_reason":"stop"}"#, 0),
        (r#"{"index":0,"delta":null}"#, 0),
        (r#"{"index":0,"text":""}"#, 0),
        (r#"{"index":0,"text":"\n"}"#, 1),
        (r#"{"index":0,"delta":{"content":"a"}}"#, 1),
        (r#"{"index":0,"delta":{"content":"a","reasoning":"b"}}"#, 1),
        (r#"{"index":0,"delta":{"reasoning_content":"a"}}"#, 1),
        (r#"{"index":0,"delta":{"reasoning":"a"}}"#, 1),
        (r#"{"index":0,"delta":{"refusal":"a"}}"#, 1),
        (r#"{"index":0,"delta":{"tool_calls":[{"index":0}]}}"#, 1),
        (r#"{"index":0,"delta":{"function_call":{"arguments":"{"}}}"#, 1),
        (r#"{"index":0,"text":"a"},{"index":1,"text":""},{"index":2,"text":"b"}"#, 2),
        ("", 0),
    ] {
        let part = part(&format!(r#"{{"choices":[{choices}],"usage":null}}"#));
        assert_eq!(part.deltas, deltas, "{choices}");
        assert_eq!(part.usage, None, "{choices}");
        assert!(!part.only_usage, "{choices}");
        assert_eq!(part.finished, choices.contains("stop"), "{choices}");
    }
}

#[test]
fn the_extra_event_has_usage_and_an_empty_list_of_choices() {
    let numbers = r#""usage":{"prompt_tokens":1,"completion_tokens":2}"#;
    let only = part(&format!(r#"{{"choices":[ ],{numbers}}}"#));
    assert!(only.only_usage);
    assert_eq!(only.usage, Some(usage(1, 2, 0)));
    let last =
        part(&format!(r#"{{"choices":[{{"text":"","index":1,"finish_reason":"length"}}],{numbers}}}"#));
    assert!(!last.only_usage && last.finished);
    assert_eq!((last.usage, last.choice), (Some(usage(1, 2, 0)), Some(1)));
    assert!(!part(&format!("{{{numbers}}}")).only_usage, "no choices at all is something else");
    assert!(!part(r#"{"choices":[],"usage":null}"#).only_usage);
    assert!(!part(r#"{"choices":[],"prompt_filter_results":[]}"#).only_usage);
}

#[test]
fn timings_stand_in_for_usage_if_they_tell_the_whole_prompt() {
    let timings = r#""timings":{"cache_n":24,"prompt_n":1,"prompt_ms":0.2,"predicted_n":3}"#;
    let choices = r#""choices":[{"index":0,"delta":{"content":"a"}}]"#;
    let running = part(&format!("{{{choices},{timings}}}"));
    assert_eq!(running.usage, Some(usage(25, 3, 24)));
    let both = r#""usage":{"prompt_tokens":9,"completion_tokens":8}"#;
    let both = part(&format!("{{{choices},{both},{timings}}}"));
    assert_eq!(both.usage, Some(usage(9, 8, 0)));
    let old = r#""timings":{"prompt_n":1,"predicted_n":3}"#;
    assert_eq!(part(&format!("{{{choices},{old}}}")).usage, None);
}

#[test]
fn what_cannot_be_read_says_nothing() {
    for data in [
        "",
        "null",
        "[DONE]",
        "[]",
        r#"[[{"text":"a"}],null,null]"#,
        "{",
        r#"{"error":{"message":"no","code":500}}"#,
        r#"{"choices":"none"}"#,
        r#"{"choices":[{"text":"a"}],"choices":[]}"#,
        "\u{0}",
    ] {
        assert_eq!(part(data), StreamPart::default(), "{data}");
    }
    let deep = format!(r#"{{"choices":[],"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(part(&deep), StreamPart::default());
    assert_eq!(StreamPart::read(b"{\"choices\":[{\"text\":\"\xff\"}]}"), StreamPart::default());
}

#[test]
fn the_choices_of_a_llama_cpp_stream_add_up_and_their_prompt_counts_once() {
    let mut tally = Tally::new(2);
    let chunk = |index: u64, count: u64| {
        part(&format!(
            r#"{{"choices":[{{"index":{index},"text":"a"}}],"timings":{{"cache_n":5,"prompt_n":1,"predicted_n":{count}}}}}"#
        ))
    };
    assert_eq!(tally.usage(), None);
    for (index, count, total) in [(1, 1, 1), (0, 1, 2), (1, 2, 3), (0, 2, 4), (0, 2, 4)] {
        tally.add(&chunk(index, count));
        assert_eq!(tally.usage(), Some(usage(6, total, 5)));
    }
    // The second prompt's choices are 2 and 3.
    tally.add(&chunk(3, 1));
    assert_eq!(tally.usage(), Some(usage(12, 5, 10)));
    // With include_usage each choice of a chat ends with an event of its own.
    let extra = part(r#"{"choices":[],"usage":{"prompt_tokens":6,"completion_tokens":2}}"#);
    let mut tally = Tally::new(2);
    tally.add(&extra);
    tally.add(&extra);
    assert_eq!(tally.usage(), Some(usage(6, 4, 0)));
}

#[test]
fn the_whole_usage_of_a_vllm_stream_agrees_with_its_parts() {
    let mut tally = Tally::new(2);
    for (index, count) in [(0, 0), (1, 0), (0, 1), (1, 2), (0, 3)] {
        let data = format!(
            r#"{{"choices":[{{"index":{index},"delta":{{}}}}],"usage":{{"prompt_tokens":9,"completion_tokens":{count}}}}}"#
        );
        tally.add(&part(&data));
    }
    assert_eq!(tally.usage(), Some(usage(9, 5, 0)));
    let last = r#"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":8}}}"#;
    tally.add(&part(last));
    assert_eq!(tally.usage(), Some(usage(9, 5, 8)));
    assert_eq!(tally.output_tokens(), 5);
}

#[test]
fn pieces_of_content_count_only_until_the_pod_tells() {
    let mut tally = Tally::new(1);
    for _ in 0..3 {
        tally.add(&part(r#"{"choices":[{"index":0,"delta":{"content":"abc"}}]}"#));
    }
    assert_eq!(tally.output_tokens(), 3);
    tally.add(&part(r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":7}}"#));
    assert_eq!(tally.output_tokens(), 7);
}

/// One running report: which choice, and how much it has written by then.
fn reports() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((0..6u64, 0..50u64), 1..60)
}

proptest! {
    #[test]
    fn a_tally_is_the_sum_of_the_most_that_each_choice_told_and_never_shrinks(reports in reports(), n in 0..4u64) {
        let mut tally = Tally::new(n);
        let mut before = 0;
        for seen in 1..=reports.len() {
            let (choice, output_tokens) = reports[seen - 1];
            tally.add(&StreamPart {
                usage: Some(Usage { input_tokens: 10, output_tokens, cached_tokens: 0 }),
                choice: Some(choice),
                ..StreamPart::default()
            });
            let told = |of: u64| {
                let of_choice = reports[..seen].iter().filter(|(choice, _)| *choice == of);
                of_choice.map(|(_, count)| *count).max()
            };
            let output: u64 = (0..6).filter_map(told).sum();
            let prompts = (0..6).filter(|&choice| told(choice).is_some()).map(|choice| choice / n.max(1));
            let prompts = prompts.collect::<std::collections::BTreeSet<_>>().len() as u64;
            prop_assert_eq!(tally.usage(), Some(usage(10 * prompts, output, 0)));
            prop_assert!(output >= before);
            before = output;
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(data in prop::collection::vec(any::<u8>(), 0..64), json in "[\\[\\]{}\":,a-z0-9 ]{0,64}") {
        for bytes in [&data[..], json.as_bytes()] {
            let _ = StreamPart::read(bytes);
            let _ = usage_of_response(bytes);
        }
    }
}
