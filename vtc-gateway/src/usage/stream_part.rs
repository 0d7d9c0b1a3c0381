//! What one event of a stream says.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Usage;
use crate::splice::{Span, is_solid};

/// The data of one event, read. Whatever cannot be read (`[DONE]`, an error, no JSON) says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamPart {
    /// The usage: OpenAI's `usage`, else llama.cpp's `timings`. With choices it is of the choice it
    /// comes with, so far; without, of the whole stream.
    pub usage: Option<Usage>,
    /// How many choices carry something new: text, reasoning, a refusal, a tool call. Each is a token or
    /// more, so that their sum is the least that was written, for pods that never tell.
    pub deltas: u64,
    /// The index of the first choice, if there are any.
    pub choice: Option<u64>,
    /// Whether this is the extra event that `include_usage` adds: usage, and an empty list of choices.
    pub only_usage: bool,
    /// Whether a choice ends here.
    pub finished: bool,
    /// Where in the data the value of `usage` lies, unless it is null.
    pub(crate) usage_at: Option<Span>,
    /// Where in the data the value of `timings` lies, unless it is null.
    pub(crate) timings_at: Option<Span>,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    choices: Option<Choices>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    timings: Option<&'a RawValue>,
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
        let usage = chunk.usage.and_then(|usage| Usage::of_usage(usage.get()));
        let timings = || chunk.timings.and_then(|it| Usage::of_timings(it.get()));
        let span = |raw: &RawValue| Span::of(raw.get().as_bytes(), data);
        let no_choices = matches!(chunk.choices, Some(Choices { first: None, .. }));
        let choices = chunk.choices.unwrap_or_default();
        Self {
            usage: usage.or_else(timings),
            deltas: choices.deltas,
            choice: choices.first,
            only_usage: no_choices && chunk.usage.is_some(),
            finished: choices.finished,
            usage_at: chunk.usage.and_then(span),
            timings_at: chunk.timings.and_then(span),
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
        let json = <&RawValue>::deserialize(value)?.get().as_bytes();
        let filled = match json {
            b"null" => false,
            [b'"', inside @ .., b'"'] => !inside.is_empty(),
            [b'[', inside @ .., b']'] | [b'{', inside @ .., b'}'] => inside.iter().any(is_solid),
            _ => true,
        };
        Ok(Self(filled))
    }
}
