//! The answer to a generation in OpenAI's shapes: one object, or a chunk of a stream per token.

use std::time::SystemTime;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::request::{Generation, Style, UsageIn};
use crate::demo::engine::Progress;

/// The end of a stream.
const DONE: &str = "data: [DONE]\n\n";

/// What all the chunks of one answer have in common.
#[derive(Debug)]
pub(super) struct Reply {
    style: Style,
    id: String,
    created: u64,
    model: String,
    /// The pod's name, so that one sees who answered.
    fingerprint: String,
    prompt_tokens: u32,
    finish_reason: &'static str,
    usage_in: UsageIn,
}

/// A whole answer or a chunk of one.
#[derive(Serialize)]
struct Envelope<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    system_fingerprint: &'a str,
    choices: &'a [Choice<'a>],
    /// Left out, or `null`, or known.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    #[serde(flatten)]
    content: Content<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Content<'a> {
    Message { role: &'static str, content: &'a str },
    Delta(Delta<'a>),
    Text(&'a str),
}

#[derive(Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    content: &'a str,
}

#[derive(Clone, Copy, Serialize)]
struct Usage {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
}

// === impl Reply ===

impl Reply {
    /// The answer to `generation` from the pod `fingerprint`, with an id of its own.
    pub(super) fn new(generation: &Generation, fingerprint: &str) -> Self {
        let prefix = match generation.style {
            Style::Chat => "chatcmpl",
            Style::Text => "cmpl",
        };
        Self {
            style: generation.style,
            id: format!("{prefix}-{}", Uuid::new_v4().simple()),
            created: unix_seconds(),
            model: generation.model.clone(),
            fingerprint: fingerprint.to_owned(),
            prompt_tokens: generation.prompt_tokens,
            finish_reason: if generation.limited { "length" } else { "stop" },
            usage_in: generation.stream.unwrap_or(UsageIn::Nowhere),
        }
    }

    /// The answer as one JSON object.
    pub(super) fn whole(&self, text: &str, output_tokens: u32) -> Bytes {
        let (object, content) = match self.style {
            Style::Chat => {
                let role = "assistant";
                let message = Content::Message { role, content: text };
                ("chat.completion", message)
            }
            Style::Text => ("text_completion", Content::Text(text)),
        };
        let choice = self.choice(content, true);
        let usage = Some(Some(self.usage(output_tokens)));
        Bytes::from(self.json(object, &[choice], usage))
    }

    /// The events of one token: its chunk, before the first one the chunk that names the role, and
    /// after the last one what ends the stream.
    pub(super) fn events(&self, progress: Progress, token: &str) -> Bytes {
        let mut events = String::new();
        if self.style == Style::Chat && progress.produced == 1 {
            let opening = Delta { role: Some("assistant"), content: "" };
            let choice = self.choice(Content::Delta(opening), false);
            self.push_event(&mut events, &[choice], self.running_usage(0));
        }
        let content = match self.style {
            Style::Chat => Content::Delta(Delta { role: None, content: token }),
            Style::Text => Content::Text(token),
        };
        let choice = self.choice(content, progress.finished);
        let so_far = self.running_usage(progress.produced);
        self.push_event(&mut events, &[choice], so_far);
        if progress.finished {
            if self.usage_in != UsageIn::Nowhere {
                let total = self.usage(progress.produced);
                self.push_event(&mut events, &[], Some(Some(total)));
            }
            events.push_str(DONE);
        }
        Bytes::from(events)
    }

    fn push_event(&self, events: &mut String, choices: &[Choice<'_>], usage: Option<Option<Usage>>) {
        let object = match self.style {
            Style::Chat => "chat.completion.chunk",
            Style::Text => "text_completion",
        };
        events.push_str("data: ");
        events.push_str(&self.json(object, choices, usage));
        events.push_str("\n\n");
    }

    fn choice<'a>(&self, content: Content<'a>, finished: bool) -> Choice<'a> {
        Choice { index: 0, content, logprobs: None, finish_reason: finished.then_some(self.finish_reason) }
    }

    /// The usage that a chunk with content carries.
    fn running_usage(&self, output_tokens: u32) -> Option<Option<Usage>> {
        match self.usage_in {
            UsageIn::Nowhere => None,
            UsageIn::LastChunk => Some(None),
            UsageIn::EveryChunk => Some(Some(self.usage(output_tokens))),
        }
    }

    fn usage(&self, output_tokens: u32) -> Usage {
        Usage {
            prompt_tokens: self.prompt_tokens,
            completion_tokens: output_tokens,
            total_tokens: self.prompt_tokens.saturating_add(output_tokens),
        }
    }

    fn json(&self, object: &'static str, choices: &[Choice<'_>], usage: Option<Option<Usage>>) -> String {
        let envelope = Envelope {
            id: &self.id,
            object,
            created: self.created,
            model: &self.model,
            system_fingerprint: &self.fingerprint,
            choices,
            usage,
        };
        // Strings and numbers only: there is nothing in it that JSON cannot say.
        serde_json::to_string(&envelope).unwrap_or_default()
    }
}

/// The answer to a request for embeddings.
pub(super) fn embeddings(model: &str, vectors: &[Vec<f32>], prompt_tokens: u32) -> Value {
    let data: Vec<Value> = (0..)
        .zip(vectors)
        .map(|(index, vector): (usize, _)| {
            json!({ "object": "embedding", "index": index, "embedding": vector })
        })
        .collect();
    json!({
        "object": "list",
        "data": data,
        "model": model,
        "usage": { "prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens },
    })
}

/// The answer to a request for the list of models.
pub(super) fn models(model: &str, context_tokens: u32) -> Value {
    json!({
        "object": "list",
        "data": [{
            "id": model,
            "object": "model",
            "created": unix_seconds(),
            "owned_by": "vllm",
            "root": model,
            "parent": null,
            "max_model_len": context_tokens,
        }],
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "`created` is a date for people to read; nothing is decided by it"
)]
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
