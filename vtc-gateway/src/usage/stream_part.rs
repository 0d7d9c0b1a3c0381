//! What one event of a stream says.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Usage, Wire};
use crate::splice::{Span, is_solid};

/// The data of one event, read. Whatever cannot be read (`[DONE]`, an error, no JSON) says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamPart {
    /// The usage: OpenAI's `usage`, else llama.cpp's `timings`. With choices it is of the choice it
    /// comes with, so far; without, of the whole stream.
    pub usage: Option<Usage>,
    /// How many choices, or whatever else a stream is of, carry something new: text, reasoning, a refusal, a tool call. Each is a token or
    /// more, so that their sum is the least that was written, for pods that never tell.
    pub deltas: u64,
    /// The index of the first choice, if there are any.
    pub choice: Option<u64>,
    /// Whether this is the extra event that `include_usage` adds: usage, and an empty list of choices.
    pub only_usage: bool,
    /// Whether a choice ends here.
    pub finished: bool,
    /// Whether the stream may end here, or does.
    pub end: Option<End>,
    /// Where in the data the value of `usage` lies, unless it is null.
    pub(crate) usage_at: Option<Span>,
    /// Where in the data the value of `timings` lies, unless it is null.
    pub(crate) timings_at: Option<Span>,
}

/// How a stream ends. OpenAI's older streams end with `[DONE]`, which is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// This was the last event, and its request is served.
    Last,
    /// Behind this the request is served, or another part of it follows: one of several pictures, of several prompts.
    MaybeLast,
    /// This was the last event: the pod says that it failed.
    Failed,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    choices: Option<Choices>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    timings: Option<&'a RawValue>,
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    /// These four are of llama.cpp's own endpoint.
    #[serde(default)]
    content: Filled,
    #[serde(borrow)]
    stop: Option<&'a RawValue>,
    #[serde(borrow)]
    tokens_evaluated: Option<&'a RawValue>,
    #[serde(borrow)]
    tokens_predicted: Option<&'a RawValue>,
}

/// The list of choices, summed up as it is read.
#[derive(Default)]
struct Choices {
    first: Option<u64>,
    deltas: u64,
    finished: bool,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    #[serde(default)]
    finish_reason: Filled,
    #[serde(default)]
    text: Filled,
    delta: Option<Delta>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Delta {
    content: Filled,
    reasoning_content: Filled,
    reasoning: Filled,
    refusal: Filled,
    tool_calls: Filled,
    function_call: Filled,
}

/// What a content block of Anthropic's gets.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Block {
    text: Filled,
    thinking: Filled,
    partial_json: Filled,
}

/// Whether a value holds anything: it is there, not null, and no empty string, list or object.
#[derive(Clone, Copy, Default)]
struct Filled(bool);

// === impl StreamPart ===

impl StreamPart {
    /// Reads an event's [data](crate::sse::data). One pass, and no allocation unless the JSON is nested
    /// or escapes its names.
    #[must_use]
    pub fn read(data: &[u8]) -> Self {
        // serde would take a list for a struct, field by field.
        if data.iter().find(|byte| is_solid(byte)) != Some(&b'{') {
            return Self::default();
        }
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) else {
            return Self::default();
        };
        let span = |raw: &RawValue| Span::of(raw.get().as_bytes(), data);
        let spans = Self {
            usage_at: chunk.usage.and_then(span),
            timings_at: chunk.timings.and_then(span),
            ..Self::default()
        };
        let timings = || chunk.timings.and_then(|it| Usage::of_timings(it.get()));
        let Some(choices) = &chunk.choices else {
            let name = chunk.r#type.and_then(|name| name.get().strip_prefix('"')?.strip_suffix('"'));
            return match name {
                Some(name) => chunk.typed(name, spans),
                None => chunk.of_llama_cpp(timings(), spans),
            };
        };
        let usage = chunk.usage.and_then(|usage| Usage::of_usage(usage.get()));
        Self {
            usage: usage.or_else(timings),
            deltas: choices.deltas,
            choice: choices.first,
            only_usage: choices.first.is_none() && chunk.usage.is_some(),
            finished: choices.finished,
            ..spans
        }
    }
}

// === impl Chunk ===

impl Chunk<'_> {
    /// An event that says of which type it is: Anthropic's, and OpenAI's newer ones.
    fn typed(&self, name: &str, part: StreamPart) -> StreamPart {
        let inner = self.response.or(self.message);
        let end = match name {
            "message_stop"
            | "response.completed"
            | "response.incomplete"
            | "transcript.text.done"
            | "speech.audio.done" => Some(End::Last),
            "image_generation.completed" | "image_edit.completed" => Some(End::MaybeLast),
            "response.failed" | "error" => Some(End::Failed),
            _ => None,
        };
        let usage = match self.usage {
            Some(usage) => serde_json::from_str(usage.get()).ok().map(Wire::read_part),
            None => inner.and_then(|inner| Usage::of_inner(inner.get())),
        };
        StreamPart { usage, deltas: u64::from(self.has_delta(name)), end, ..part }
    }

    /// Whether an event of that type carries something new.
    fn has_delta(&self, name: &str) -> bool {
        let Some(delta) = self.delta else { return false };
        if name == "content_block_delta" {
            let block: Result<Block, _> = serde_json::from_str(delta.get());
            return block.is_ok_and(|it| it.text.0 || it.thinking.0 || it.partial_json.0);
        }
        name.ends_with(".delta") && Filled::of(delta).0
    }

    /// An event without choices. What tells how many tokens were predicted is llama.cpp's own; whatever else has usage
    /// is taken at its word.
    fn of_llama_cpp(&self, timings: Option<Usage>, part: StreamPart) -> StreamPart {
        let number = |raw: Option<&RawValue>| raw.and_then(|raw| raw.get().parse().ok());
        let told = self.usage.and_then(|usage| Usage::of_usage(usage.get()));
        let own =
            || Usage::of_llama_cpp(number(self.tokens_evaluated), number(self.tokens_predicted), timings);
        let is_own = self.stop.is_some();
        StreamPart {
            usage: told.or_else(own).or(timings),
            deltas: u64::from(is_own && self.content.0),
            end: self.stop.filter(|stop| stop.get() == "true").map(|_| End::MaybeLast),
            ..part
        }
    }
}

// === impl Choices ===

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct Sum;

        impl<'de> Visitor<'de> for Sum {
            type Value = Choices;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Choices, S::Error> {
                let mut sum = Choices::default();
                while let Some(choice) = list.next_element::<Choice>()? {
                    sum.first.get_or_insert(choice.index);
                    sum.deltas += u64::from(choice.has_content());
                    sum.finished |= choice.finish_reason.0;
                }
                Ok(sum)
            }
        }

        value.deserialize_seq(Sum)
    }
}

// === impl Choice ===

impl Choice {
    fn has_content(&self) -> bool {
        let in_delta = |delta: &Delta| {
            let Delta { content, reasoning_content, reasoning, refusal, tool_calls, function_call } = delta;
            [content, reasoning_content, reasoning, refusal, tool_calls, function_call].iter().any(|it| it.0)
        };
        self.text.0 || self.delta.as_ref().is_some_and(in_delta)
    }
}

// === impl Filled ===

impl<'de> Deserialize<'de> for Filled {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(value).map(Self::of)
    }
}

impl Filled {
    fn of(value: &RawValue) -> Self {
        Self(match value.get().as_bytes() {
            b"null" => false,
            [b'"', inside @ .., b'"'] => !inside.is_empty(),
            [b'[', inside @ .., b']'] | [b'{', inside @ .., b'}'] => inside.iter().any(is_solid),
            _ => true,
        })
    }
}
