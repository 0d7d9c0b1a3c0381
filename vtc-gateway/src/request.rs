//! A client's request for text or embeddings, read from its body without copying what can be borrowed.
//!
//! Only what the gateway decides by is read, and that strictly: a field that is wrong or stands twice is
//! an error here, since a pod might read it otherwise than the gateway did. `null` means absent, as it
//! does for the servers. All other fields pass unread, however they look: they are the pod's to judge.

mod edit;
mod error;
mod prompt;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

pub use self::error::RequestError;
use self::prompt::Prompt;
use crate::dialect::UsageAsk;
use crate::splice::is_solid;

/// The endpoints of the OpenAI API that do work on a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `POST /v1/completions`.
    Completions,
    /// `POST /v1/embeddings`.
    Embeddings,
}

/// What the gateway knows of a request: it borrows from the body, and can [ask](Self::ask_usage) the pod
/// for usage on the client's behalf.
#[derive(Clone, Debug)]
pub struct GenerationRequest<'a> {
    /// Where it came in.
    pub endpoint: Endpoint,
    /// The model asked for; never empty.
    pub model: Cow<'a, str>,
    /// The text that the pod will read, for an estimate of its tokens: of a chat the text of all
    /// messages and their tool calls, and the definitions of tools as the JSON they are (pods put that
    /// into the prompt, too), a line each; of the others the prompt or input, a line per text. Images,
    /// audio and files are not in it.
    pub prompt: Cow<'a, str>,
    /// Tokens of prompts that came as token ids, which need no estimate and are not in
    /// [`prompt`](Self::prompt).
    pub prompt_tokens: usize,
    /// How many prompts (or inputs) there are. A pod answers each one; 0 if the list is empty.
    pub prompts: usize,
    /// The most tokens that each choice may have; nothing where the client set no limit, or a negative
    /// one, which is llama.cpp's way to say so.
    pub max_output_tokens: Option<u64>,
    /// Choices asked for per prompt, at least 1.
    pub n: u64,
    /// Whether the answer comes as a stream of events. Never for embeddings.
    pub stream: bool,
    /// What the client itself asks to be told about usage in the stream.
    pub usage_ask: UsageAsk,
    body: &'a Bytes,
    fields: Fields<'a>,
    stream_options: StreamOptions<'a>,
}

/// The fields that are read, as they stand in the body. `None` is absent or null, except for the two
/// that may be edited: there null is a value to replace.
#[derive(Clone, Debug, Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    messages: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(borrow)]
    functions: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    max_completion_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    n: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    stream_options: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    timings_per_token: Option<&'a RawValue>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct StreamOptions<'a> {
    #[serde(borrow, default, deserialize_with = "even_null")]
    include_usage: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "even_null")]
    continuous_usage_stats: Option<&'a RawValue>,
}

/// A string, borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

// === impl Endpoint ===

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ChatCompletions, Self::Completions, Self::Embeddings];

    /// The path of its URL.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Embeddings => "/v1/embeddings",
        }
    }
}

// === impl GenerationRequest ===

impl<'a> GenerationRequest<'a> {
    /// Reads a body. Linear in its length.
    ///
    /// A chat needs `messages`; a missing `prompt` or `input` counts as nothing, since servers know
    /// other fields that stand for it, and refuse the request if none does.
    ///
    /// # Errors
    /// [`RequestError`], fit for the body of a 400.
    pub fn read(endpoint: Endpoint, body: &'a Bytes) -> Result<Self, RequestError> {
        if body.iter().find(|byte| is_solid(byte)) != Some(&b'{') {
            return Err(RequestError::NotAnObject);
        }
        let fields: Fields<'a> =
            serde_json::from_slice(body).map_err(|error| RequestError::Unreadable(error.to_string()))?;

        let stream_options = match fields.stream_options {
            Some(options) if Kind::of(options) == Kind::Object => serde_json::from_str(options.get())
                .map_err(|_| {
                    RequestError::wrong("stream_options", "an object that names each option once")
                })?,
            Some(options) if Kind::of(options) != Kind::Null => {
                return Err(RequestError::wrong("stream_options", "an object"));
            }
            _ => StreamOptions::default(),
        };
        let usage_ask = UsageAsk {
            include_usage: flag(stream_options.include_usage, "stream_options.include_usage")?,
            continuous_usage_stats: flag(
                stream_options.continuous_usage_stats,
                "stream_options.continuous_usage_stats",
            )?,
            timings_per_token: flag(fields.timings_per_token, "timings_per_token")?,
        };
        let stream = flag(fields.stream, "stream")?;
        let model = model(fields.model)?;
        let prompt = match endpoint {
            Endpoint::ChatCompletions => Prompt::of_chat(fields.messages, [fields.tools, fields.functions])?,
            Endpoint::Completions => Prompt::of_texts("prompt", fields.prompt)?,
            Endpoint::Embeddings => Prompt::of_texts("input", fields.input)?,
        };
        Ok(Self {
            endpoint,
            model,
            prompt: prompt.text,
            prompt_tokens: prompt.tokens,
            prompts: prompt.count,
            max_output_tokens: max_output_tokens(&fields)?,
            n: choices(fields.n)?,
            stream: stream && endpoint != Endpoint::Embeddings,
            usage_ask,
            body,
            fields,
            stream_options,
        })
    }
}

fn model(raw: Option<&RawValue>) -> Result<Cow<'_, str>, RequestError> {
    const WANTED: &str = "the name of a model, a string that is not empty";
    let raw = raw.ok_or(RequestError::Missing {
        param: "model",
        what: "name one of the models that GET /v1/models lists",
    })?;
    match text(raw) {
        Some(name) if !name.is_empty() => Ok(name),
        _ => Err(RequestError::wrong("model", WANTED)),
    }
}

fn max_output_tokens(fields: &Fields<'_>) -> Result<Option<u64>, RequestError> {
    const WANTED: &str = "a whole number of tokens";
    // Both are checked, though only the newer name counts if both are there.
    let [newer, older] =
        [("max_completion_tokens", fields.max_completion_tokens), ("max_tokens", fields.max_tokens)].map(
            |(param, raw)| {
                raw.map(|raw| whole_number(raw).ok_or(RequestError::wrong(param, WANTED))).transpose()
            },
        );
    let limit = newer?.or(older?);
    Ok(limit.filter(|&limit| limit >= 0).map(saturated))
}

fn choices(raw: Option<&RawValue>) -> Result<u64, RequestError> {
    let Some(raw) = raw else { return Ok(1) };
    match whole_number(raw) {
        Some(n) if n >= 1 => Ok(saturated(n)),
        _ => Err(RequestError::wrong("n", "a whole number, 1 or more")),
    }
}

/// A boolean: absent and null are false, and nothing else stands for true or false.
fn flag(raw: Option<&RawValue>, param: &'static str) -> Result<bool, RequestError> {
    match raw.map(RawValue::get) {
        Some("true") => Ok(true),
        None | Some("false" | "null") => Ok(false),
        Some(_) => Err(RequestError::wrong(param, "true or false")),
    }
}

/// A whole number, also one that is written like `16.0` or `1e3`, as servers take those, too.
fn whole_number(raw: &RawValue) -> Option<i128> {
    if Kind::of(raw) != Kind::Number {
        return None;
    }
    raw.get().parse().ok().or_else(|| {
        let number: f64 = raw.get().parse().ok()?;
        // The cast saturates.
        (number.fract() == 0.0).then_some(number as i128)
    })
}

fn saturated(number: i128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(raw.get()).ok().map(|text| text.0)
}

fn even_null<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

/// The type of a JSON value, told by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

// === impl Kind ===

impl Kind {
    fn of(raw: &RawValue) -> Self {
        // A raw value is valid JSON without whitespace around it.
        match raw.get().as_bytes().first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b'"') => Self::String,
            Some(b't' | b'f') => Self::Bool,
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Number,
        }
    }
}
