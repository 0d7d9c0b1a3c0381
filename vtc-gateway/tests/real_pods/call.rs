//! Calls of OpenAI's client, and what comes of them.

use serde::Serialize;
use serde_json::{Value, json};

/// A call, as `client.py` takes it.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// The server; `None` is the gateway.
    pub base: Option<String>,
    user: Option<String>,
    method: &'static str,
    arguments: Value,
    leave_after: Option<usize>,
}

/// Tokens, as a server counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub prompt: u64,
    pub completion: u64,
}

/// The two endpoints that write text, for a prompt.
pub const ENDPOINTS: [fn(&str) -> Call; 2] = [Call::chat, Call::completion];

// === impl Call ===

impl Call {
    pub fn chat(prompt: &str) -> Self {
        let messages = json!([{ "role": "user", "content": prompt }]);
        Self::new("chat.completions.create", json!({ "model": "tiny", "messages": messages }))
    }

    pub fn completion(prompt: &str) -> Self {
        Self::new("completions.create", json!({ "model": "tiny", "prompt": prompt }))
    }

    pub fn models() -> Self {
        Self::new("models.list", json!({}))
    }

    fn new(method: &'static str, arguments: Value) -> Self {
        Self { base: None, user: None, method, arguments, leave_after: None }
    }

    /// The call made by a user; without this it is nobody's.
    pub fn by(self, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..self }
    }

    /// The call made to another server.
    pub fn to(self, base: &str) -> Self {
        Self { base: Some(base.to_owned()), ..self }
    }

    /// The call with these arguments, too; those it has already are replaced.
    pub fn with(mut self, more: Value) -> Self {
        let Value::Object(more) = more else { panic!("give an object") };
        self.arguments.as_object_mut().unwrap().extend(more);
        self
    }

    /// The call whose answer comes as a stream, with or without its usage.
    pub fn streamed(self, include_usage: bool) -> Self {
        self.with(json!({ "stream": true, "stream_options": { "include_usage": include_usage } }))
    }

    /// The call that breaks off its stream after so many chunks.
    pub fn leaving_after(self, chunks: usize) -> Self {
        Self { leave_after: Some(chunks), ..self }
    }
}

/// The answer that came whole.
pub fn answer(outcome: &Value) -> &Value {
    outcome.get("answer").unwrap_or_else(|| panic!("no answer: {outcome}"))
}

/// The chunks that came.
pub fn chunks(outcome: &Value) -> &[Value] {
    outcome["chunks"].as_array().unwrap_or_else(|| panic!("no chunks: {outcome}"))
}

// === impl Usage ===

impl Usage {
    /// What the answer says it took, or a stream's last chunk.
    pub fn of(outcome: &Value) -> Self {
        let said = outcome.get("answer").unwrap_or_else(|| chunks(outcome).last().unwrap());
        let count =
            |name: &str| said["usage"][name].as_u64().unwrap_or_else(|| panic!("no usage: {outcome}"));
        Self { prompt: count("prompt_tokens"), completion: count("completion_tokens") }
    }

    /// What that costs: a token of the answer counts twice.
    pub fn cost(self) -> f64 {
        (self.prompt + 2 * self.completion) as f64
    }
}
