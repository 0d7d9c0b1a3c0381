//! What clients and pods might send instead: good inputs of every reader, cut, doubled and mixed. Nothing panics, and
//! where a stream is split does not matter.

use bytes::Bytes;
use proptest::prelude::*;

use crate::dialect::Dialect;
use crate::estimate::{Estimate, Estimator};
use crate::request::{Endpoint, GenerationRequest};
use crate::sse::{self, Piece, SseSplitter};
use crate::usage::{End, StreamPart, Tally, Usage, usage_of_response};
use crate::view::ClientView;

const BODIES: [&str; 9] = [
    r#"{"model":"m","messages":[{"role":"system","content":"be\nbrief"},{"role":"user","content":[{"type":"text","text":"hé"},{"type":"image_url","image_url":{"url":"data:"}}]},{"role":"assistant","tool_calls":[{"id":"1"}]}],"max_completion_tokens":5,"max_tokens":1e3,"n":2,"stream":true,"stream_options":{"include_usage":false},"tools":[{"type":"function"}]}"#,
    r#"{"prompt":["a",[1,2,3],"\u00e9"],"mod\u0065l":"m","n":1,"stream":true,"stream_options":null,"timings_per_token":false}"#,
    r#"{"model":"m","input":[[1,2],[3]],"stream":false}"#,
    r#"{"model":"m","instructions":"be brief","input":[{"role":"user","content":[{"type":"input_text","text":"hi"},{"type":"input_image","image_url":"x"}]},{"type":"function_call_output","output":"42"}],"max_output_tokens":16,"stream":true}"#,
    r#"{"model":"m","max_tokens":9,"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"tool_result","content":"r"},{"type":"tool_use","input":{"q":[1]}},{"type":"image","source":{"data":"AAAA"}}]}]}"#,
    r#"{"model":"m","query":"q","documents":["a",{"text":"b"}],"top_n":2}"#,
    r#"{"model":"m","text_1":"a","text_2":["b","c"],"tokens":[1,2,3]}"#,
    "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--b\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n2\r\n--b--\r\n",
    r#"{"prompt":"hi","n_predict":8,"content":"x"}"#,
];

const ANSWERS: [&str; 6] = [
    r#"{"choices":[{"text":"x","index":0},{"text":"y","index":1}],"usage":{"completion_tokens":3,"prompt_tokens":25,"total_tokens":28,"prompt_tokens_details":{"cached_tokens":24}},"timings":{"cache_n":24,"prompt_n":1,"predicted_n":3}}"#,
    r#"{"object":"response","usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":3}}"#,
    r#"{"type":"message","usage":{"input_tokens":2,"cache_read_input_tokens":30,"cache_creation_input_tokens":5,"output_tokens":4}}"#,
    r#"{"results":[],"usage":{"total_tokens":56}}"#,
    r#"{"content":"x","tokens_predicted":3,"tokens_evaluated":5,"timings":{"cache_n":4,"prompt_n":1,"predicted_n":3}}"#,
    r#"{"text":"hello","usage":{"type":"duration","seconds":3}}"#,
];

/// Each with what it costs, and how it ends.
const STREAMS: [(&str, Usage, Option<End>); 7] = [
    (
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":null}\n\n\
         : ping\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"la\"}}]}\n\n\
         data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n",
        usage(9, 1, 0),
        Some(End::Last),
    ),
    (
        "data: {\"choices\":[{\"index\":0,\"text\":\"a\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\r\n\r\n\
         data: {\"choices\":[{\"index\":0,\"text\":\"b\",\"finish_reason\":\"stop\"}],\r\n\
         data: \"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\r\n\r\ndata: [DONE]\r\n\r\n",
        usage(9, 2, 0),
        Some(End::Last),
    ),
    (
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}],\"timings\":{\"cache_n\":4,\"prompt_n\":6,\"predicted_n\":1}}\n\n\
         data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"timings\":{\"cache_n\":4,\"prompt_n\":6,\"predicted_n\":2}}\n\n\
         data: [DONE]\n\n",
        usage(10, 2, 4),
        Some(End::Last),
    ),
    (
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":4,\"cache_read_input_tokens\":20,\"cache_creation_input_tokens\":6,\"output_tokens\":1}}}\n\n\
         event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"la\"}}\n\n\
         event: ping\ndata: {\"type\":\"ping\"}\n\n\
         event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\n\
         event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        usage(30, 7, 20),
        Some(End::Last),
    ),
    (
        "event: response.created\rdata: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\r\r\
         event: response.output_text.delta\rdata: {\"type\":\"response.output_text.delta\",\"delta\":\"la\"}\r\r\
         event: response.completed\rdata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":11,\"input_tokens_details\":{\"cached_tokens\":8},\"output_tokens\":6}}}\r\r",
        usage(11, 6, 8),
        Some(End::Last),
    ),
    (
        "data: {\"content\":\"la\",\"stop\":false}\n\ndata: {\"content\":\"\",\"stop\":true,\"tokens_predicted\":4,\"tokens_evaluated\":9}\n\n",
        usage(9, 4, 0),
        Some(End::MaybeLast),
    ),
    (
        "data: {\"type\":\"transcript.text.delta\",\"delta\":\"la\"}\n\n\
         data: {\"type\":\"transcript.text.done\",\"text\":\"la\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,\"output_tokens\":5,\"total_tokens\":19}}\n\n",
        usage(14, 5, 0),
        Some(End::Last),
    ),
];

/// What breaks readers.
const BITS: [&str; 26] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "\\u00",
    "null",
    "-1",
    "1e999",
    "18446744073709551616",
    "\"model\":\"x\"",
    "\"usage\":",
    "\"type\":\"error\"",
    "\"delta\":",
    "\r",
    "\n",
    "\n\n",
    "data:",
    "[DONE]",
    "\r\n--b",
    "--",
    "\0",
    "\u{feff}",
];

const fn usage(input_tokens: u64, output_tokens: u64, cached_tokens: u64) -> Usage {
    Usage { input_tokens, output_tokens, cached_tokens }
}

/// One thing that happens to an input: places are parts of its length.
#[derive(Clone, Debug)]
enum Mutation {
    Cut(u16, u16),
    Double(u16, u16),
    Put(u16, &'static str),
    Set(u16, u8),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<u16>(), 0..64u16).prop_map(|(at, length)| Mutation::Cut(at, length)),
        (any::<u16>(), 0..64u16).prop_map(|(at, length)| Mutation::Double(at, length)),
        (any::<u16>(), prop::sample::select(&BITS[..])).prop_map(|(at, bit)| Mutation::Put(at, bit)),
        (any::<u16>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
    ]
}

/// One of these, to which up to five things have happened.
fn mutated(inputs: Vec<&'static str>) -> impl Strategy<Value = Vec<u8>> {
    (prop::sample::select(inputs), prop::collection::vec(mutation(), 0..6)).prop_map(|(input, mutations)| {
        let mut bytes = input.as_bytes().to_vec();
        for mutation in mutations {
            let place = |at: u16| usize::from(at) * bytes.len() / usize::from(u16::MAX);
            match mutation {
                Mutation::Cut(at, length) => {
                    let start = place(at);
                    bytes.drain(start..(start + usize::from(length)).min(bytes.len()));
                }
                Mutation::Double(at, length) => {
                    let start = place(at);
                    let part = bytes[start..(start + usize::from(length)).min(bytes.len())].to_vec();
                    bytes.splice(start..start, part);
                }
                Mutation::Put(at, bit) => {
                    let start = place(at);
                    bytes.splice(start..start, bit.bytes());
                }
                Mutation::Set(at, byte) => {
                    let at = place(at);
                    if let Some(seat) = bytes.get_mut(at) {
                        *seat = byte;
                    }
                }
            }
        }
        bytes
    })
}

/// What a stream says in all: the data of its events as a client sees them, what they cost, how they end.
type Sum = (Vec<Vec<u8>>, Option<Usage>, u64, Option<End>);

fn read(view: ClientView, chunks: impl Iterator<Item = Bytes>) -> (Sum, Vec<u8>) {
    let mut splitter = SseSplitter::new();
    let mut tally = Tally::new(1);
    let (mut joined, mut shown, mut end) = (Vec::new(), Vec::new(), None);
    let mut take = |event: Bytes| {
        joined.extend_from_slice(&event);
        let Some(data) = sse::data(&event).map(|data| data.into_owned()) else { return };
        if sse::is_done(&data) {
            end = end.or(Some(End::Last));
        }
        let part = StreamPart::read(&data);
        tally.add(&part);
        end = end.or(part.end);
        shown.extend(view.show(event, &part).and_then(|event| sse::data(&event).map(|it| it.into_owned())));
    };
    for chunk in chunks {
        splitter.push(chunk);
        while let Some(piece) = splitter.next_event() {
            match piece {
                Piece::Event(event) => take(event),
                Piece::Passthrough(_) => unreachable!("no event of these is that long"),
            }
        }
    }
    splitter.finish().into_iter().for_each(&mut take);
    ((shown, tally.usage(), tally.output_tokens(), end), joined)
}

fn any_view() -> impl Strategy<Value = ClientView> {
    let dialects = prop::sample::select(vec![Dialect::Vllm, Dialect::LlamaCpp, Dialect::Other]);
    let endpoints =
        prop::sample::select(vec![Endpoint::ChatCompletions, Endpoint::Completions, Endpoint::Messages]);
    (endpoints, dialects).prop_map(|(endpoint, dialect)| {
        let body = Bytes::from_static(br#"{"model":"m","messages":[],"stream":true}"#);
        ClientView::new(&GenerationRequest::read(endpoint, &body).unwrap(), dialect)
    })
}

#[test]
fn every_stream_tells_its_usage_and_its_end_wherever_it_is_split() {
    let body = Bytes::from_static(br#"{"model":"m","messages":[],"stream":true}"#);
    let request = GenerationRequest::read(Endpoint::ChatCompletions, &body).unwrap();
    let view = ClientView::new(&request, Dialect::Vllm);
    for (stream, usage, end) in STREAMS {
        let stream = Bytes::from_static(stream.as_bytes());
        for at in 0..=stream.len() {
            let chunks = [stream.slice(..at), stream.slice(at..)];
            let ((_, told, _, ended), joined) = read(view, chunks.into_iter());
            assert_eq!((told, ended), (Some(usage), end), "{at} of {stream:?}");
            assert_eq!(joined, stream);
        }
        let bytes = (0..stream.len()).map(|at| stream.slice(at..=at));
        assert_eq!(read(view, bytes).0.1, Some(usage), "byte by byte");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_body_is_read_or_refused_and_goes_on_as_it_is(body in mutated(BODIES.to_vec()), boundary in any::<bool>()) {
        let body = Bytes::from(body);
        for endpoint in Endpoint::ALL.into_iter().chain([Endpoint::Other]) {
            let boundary = boundary.then_some("b");
            let Ok(request) = GenerationRequest::read_either(endpoint, boundary, &body) else { continue };
            let estimate = Estimate::of(&request, &Estimator::default());
            prop_assert!(estimate.input_tokens >= 1.0 && estimate.input_tokens.is_finite());
            prop_assert!(estimate.output_tokens >= 0.0 && estimate.output_tokens <= 1e6);
            if !request.stream {
                prop_assert_eq!(request.to_pod(Dialect::Vllm, None).as_ptr(), body.as_ptr());
            }
            // Under another name it is the same request for another model.
            let renamed = request.to_pod(Dialect::Other, Some("another \"one\""));
            let again = GenerationRequest::read_either(endpoint, boundary, &renamed);
            let again = again.map_err(|error| TestCaseError::fail(format!("{error}: {renamed:?}")))?;
            prop_assert_eq!(again.model.as_deref(), request.model.as_ref().map(|_| "another \"one\""));
            prop_assert_eq!(&again.prompt, &request.prompt);
            prop_assert_eq!((again.n, again.stream, again.max_output_tokens), (request.n, request.stream, request.max_output_tokens));
        }
    }

    #[test]
    fn an_answer_tells_its_usage_or_nothing(answer in mutated(ANSWERS.to_vec())) {
        let _ = usage_of_response(&answer);
    }

    #[test]
    fn a_stream_says_the_same_however_it_is_split(
        stream in mutated(STREAMS.map(|(stream, ..)| stream).to_vec()),
        cuts in prop::collection::vec(any::<u16>(), 0..6),
        view in any_view(),
    ) {
        let stream = Bytes::from(stream);
        let mut cuts: Vec<_> = cuts.iter().map(|&cut| usize::from(cut) * stream.len() / usize::from(u16::MAX)).collect();
        cuts.sort_unstable();
        cuts.insert(0, 0);
        cuts.push(stream.len());
        let (whole, joined) = read(view, std::iter::once(stream.clone()));
        prop_assert_eq!(&joined, &stream);
        let (split, joined) = read(view, cuts.windows(2).map(|cut| stream.slice(cut[0]..cut[1])));
        prop_assert_eq!(split, whole);
        prop_assert_eq!(joined, stream);
    }
}
