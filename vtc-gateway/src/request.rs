//! A client's request for work of a pod, read from its body without copying what can be borrowed.
//!
//! Only what the gateway decides by is read, and that strictly: a field that is wrong or stands twice is
//! an error here, since a pod might read it otherwise than the gateway did. `null` means absent, as it
//! does for the servers. All other fields pass unread, however they look: they are the pod's to judge.

mod edit;
mod endpoint;
mod error;
mod form;
mod member;
mod prompt;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

pub use self::endpoint::{Description, Endpoint, StreamUsage, TextAt};
pub use self::error::RequestError;
pub use self::member::Member;
use self::member::Members;
use self::prompt::Prompt;
use crate::dialect::UsageAsk;
use crate::splice::{Span, is_solid};

/// What the gateway knows of a request: it borrows from the body, and [makes of it](Self::to_pod) what goes to a pod.
#[derive(Clone, Debug)]
pub struct GenerationRequest<'a> {
    /// Where it came in.
    pub endpoint: Endpoint,
    /// The model asked for; never empty. `None` only where an endpoint does not need it.
    pub model: Option<Cow<'a, str>>,
    /// The text that the pod will read, for an estimate of its tokens: of a chat the text of all
    /// messages and their tool calls, and the definitions of tools as the JSON they are (pods put that
    /// into the prompt, too), a line each; of the others the prompt or input, a line per text. Images,
    /// audio and files are not in it, nor what is in a form.
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
    /// Whether the client wants a stream of events. Never where there is none.
    pub stream: bool,
    /// What the client itself asks to be told about usage in the stream.
    pub usage_ask: UsageAsk,
    body: &'a Bytes,
    /// Where in the body the name of the model lies: in JSON with its quotes.
    model_at: Option<Span>,
    /// What was read; nothing of a form.
    members: Members<'a>,
    stream_options: StreamOptions<'a>,
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

// === impl GenerationRequest ===

impl<'a> GenerationRequest<'a> {
    /// Reads a body, which is a form if `boundary` says so and the endpoint takes forms, else JSON. Linear in its length.
    ///
    /// # Errors
    /// [`RequestError`], fit for the body of a 400.
    pub fn read_either(
        endpoint: Endpoint,
        boundary: Option<&str>,
        body: &'a Bytes,
    ) -> Result<Self, RequestError> {
        match boundary {
            Some(boundary) if endpoint.description().takes_forms => Self::read_form(endpoint, boundary, body),
            // What it is, is between the client and a pod.
            _ if endpoint == Endpoint::Other && !is_object(body) => Ok(Self::unread(endpoint, body)),
            _ => Self::read(endpoint, body),
        }
    }

    /// Whether its body is JSON, and not a form or whatever else.
    #[must_use]
    pub fn is_json(&self) -> bool {
        is_object(self.body)
    }

    /// Reads a body of JSON. Linear in its length.
    ///
    /// A chat needs `messages`; a missing `prompt` or `input` counts as nothing, since servers know
    /// other fields that stand for it, and refuse the request if none does.
    ///
    /// # Errors
    /// [`RequestError`], fit for the body of a 400.
    pub fn read(endpoint: Endpoint, body: &'a Bytes) -> Result<Self, RequestError> {
        if !is_object(body) {
            return Err(RequestError::NotAnObject);
        }
        let members: Members<'a> =
            serde_json::from_slice(body).map_err(|error| RequestError::Unreadable(error.to_string()))?;
        let description = endpoint.description();

        let stream_options = match members.even_null(Member::StreamOptions) {
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
            timings_per_token: flag(members.get(Member::TimingsPerToken), "timings_per_token")?,
        };
        let stream = flag(members.get(Member::Stream), "stream")?;
        let raw_model = members.get(Member::Model);
        let model = match raw_model {
            None if !description.needs_model => None,
            raw => Some(model(raw)?),
        };
        let prompt = match description.text {
            TextAt::Chat => Prompt::of_chat(
                members.get(Member::Messages),
                [members.get(Member::Tools), members.get(Member::Functions)],
            )?,
            TextAt::Prompts(member) => Prompt::of_texts(member.name(), members.get(member))?,
            TextAt::Within(list) => Prompt::within(list.iter().map(|&member| (member, members.get(member)))),
        };
        Ok(Self {
            endpoint,
            model,
            prompt: prompt.text,
            prompt_tokens: prompt.tokens,
            prompts: prompt.count,
            max_output_tokens: max_output_tokens(description.caps, &members)?,
            n: choices(members.get(Member::N).map(whole_number))?,
            stream: stream && description.streams.is_some(),
            usage_ask,
            body,
            model_at: raw_model.and_then(|raw| Span::of(raw.get().as_bytes(), body)),
            members,
            stream_options,
        })
    }

    /// Reads a body of `multipart/form-data`: the fields `model`, `stream` and `n`. Linear in its length.
    fn read_form(endpoint: Endpoint, boundary: &str, body: &'a Bytes) -> Result<Self, RequestError> {
        if boundary.is_empty() {
            return Err(RequestError::BrokenForm("its content-type names no boundary"));
        }
        let parts = form::parts(body, boundary)?;
        let field = |member: Member| {
            let param = member.name();
            let mut parts = parts.iter().filter(|part| part.name == param);
            let Some(part) = parts.next() else { return Ok(None) };
            if part.is_file || parts.next().is_some() {
                return Err(RequestError::wrong(param, "a field of the form that is there once"));
            }
            let content = body.get(part.at.start..part.at.end).unwrap_or_default();
            let text = std::str::from_utf8(content).map_err(|_| RequestError::wrong(param, "text"))?;
            Ok(Some((text, part.at)))
        };
        let model = field(Member::Model)?;
        match model {
            Some(("", _)) => return Err(RequestError::wrong("model", MODEL)),
            None if endpoint.description().needs_model => return Err(RequestError::NO_MODEL),
            _ => {}
        }
        let n = field(Member::N)?.map(|(text, _)| text.trim().parse().ok());
        // Servers take several words for it.
        let is_true =
            |text: &str| ["true", "1", "on", "yes"].iter().any(|word| text.trim().eq_ignore_ascii_case(word));
        let stream = field(Member::Stream)?.is_some_and(|(text, _)| is_true(text));
        Ok(Self {
            model: model.map(|(name, _)| Cow::Borrowed(name)),
            n: choices(n)?,
            stream: stream && endpoint.description().streams.is_some(),
            model_at: model.map(|(_, at)| at),
            ..Self::unread(endpoint, body)
        })
    }

    fn unread(endpoint: Endpoint, body: &'a Bytes) -> Self {
        Self {
            endpoint,
            model: None,
            prompt: Cow::Borrowed(""),
            prompt_tokens: 0,
            prompts: 1,
            max_output_tokens: None,
            n: 1,
            stream: false,
            usage_ask: UsageAsk::default(),
            body,
            model_at: None,
            members: Members::default(),
            stream_options: StreamOptions::default(),
        }
    }
}

fn is_object(body: &[u8]) -> bool {
    body.iter().find(|byte| is_solid(byte)) == Some(&b'{')
}

const MODEL: &str = "the name of a model, a string that is not empty";

fn model(raw: Option<&RawValue>) -> Result<Cow<'_, str>, RequestError> {
    match text(raw.ok_or(RequestError::NO_MODEL)?) {
        Some(name) if !name.is_empty() => Ok(name),
        _ => Err(RequestError::wrong("model", MODEL)),
    }
}

/// The first of these limits that is there. All are checked.
fn max_output_tokens(caps: &[Member], members: &Members<'_>) -> Result<Option<u64>, RequestError> {
    let mut first = None;
    for &cap in caps {
        let Some(raw) = members.get(cap) else { continue };
        let limit = whole_number(raw);
        let limit = limit.ok_or(RequestError::wrong(cap.name(), "a whole number of tokens"))?;
        first = first.or(Some(limit));
    }
    Ok(first.filter(|&limit| limit >= 0).map(saturated))
}

fn choices(n: Option<Option<i128>>) -> Result<u64, RequestError> {
    match n {
        None => Ok(1),
        Some(Some(n)) if n >= 1 => Ok(saturated(n)),
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
