//! What clients ask for, and what they get.

use std::pin::Pin;

use awc::ClientRequest;
use awc::error::PayloadError;
use awc::http::header::HeaderMap;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};

use super::{MODEL, soon};

/// A request to be sent to one of the endpoints.
#[derive(Clone, Debug)]
pub struct Question {
    pub path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Json(Value),
    Bytes(&'static str),
}

/// A reply that came whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A reply that comes as a stream of events. Dropping it is the client's leaving.
pub struct Events {
    pub headers: HeaderMap,
    body: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>,
    unread: Vec<u8>,
}

/// A chat of twelve bytes: estimated at 3 tokens to read and 5 to write, which cost 13.
pub fn ask_chat() -> Question {
    let body = json!({ "model": MODEL, "messages": [{ "role": "user", "content": "twelve bytes" }] });
    Question::new("/v1/chat/completions", body)
}

/// What the question of [`ask_chat`] is charged before it is answered.
pub const ESTIMATE: f64 = 13.0;

/// The same text to be continued.
pub fn ask_completion() -> Question {
    Question::new("/v1/completions", json!({ "model": MODEL, "prompt": "twelve bytes" }))
}

/// The same text to be embedded.
pub fn ask_embeddings() -> Question {
    Question::new("/v1/embeddings", json!({ "model": MODEL, "input": "twelve bytes" }))
}

// === impl Question ===

impl Question {
    fn new(path: &'static str, body: Value) -> Self {
        Self { path, headers: Vec::new(), body: Body::Json(body) }
    }

    /// The same, asked somewhere else.
    pub fn at(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    /// With this header `user`.
    pub fn of(self, user: &str) -> Self {
        self.with_header("user", user)
    }

    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// With this member of the body.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let Body::Json(body) = &mut self.body else { panic!("its body is bytes") };
        body[name] = value.into();
        self
    }

    /// With these very bytes as its body.
    pub fn with_body(self, body: &'static str) -> Self {
        Self { body: Body::Bytes(body), ..self }
    }

    /// To be answered by a stream.
    pub fn streamed(self) -> Self {
        self.with("stream", true)
    }

    pub(super) fn into_parts(self, mut request: ClientRequest) -> (ClientRequest, Bytes) {
        for (name, value) in self.headers {
            request = request.append_header((name, value));
        }
        let body = match self.body {
            Body::Json(body) => body.to_string().into(),
            Body::Bytes(bytes) => bytes.into(),
        };
        (request.content_type("application/json"), body)
    }
}

// === impl Reply ===

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The one header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        one_header(&self.headers, name)
    }

    /// The pod that answered.
    pub fn pod(&self) -> &str {
        assert_eq!(self.status, 200, "{:?}", self.body);
        self.header("target-pod").unwrap()
    }
}

// === impl Events ===

impl Events {
    pub(super) fn new(
        headers: HeaderMap,
        body: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
    ) -> Self {
        Self { headers, body: Box::pin(body), unread: Vec::new() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        one_header(&self.headers, name)
    }

    /// The data of the next event; nothing at the end of the stream.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|end| end == b"\n\n") {
                let event: Vec<u8> = self.unread.drain(..end + 2).collect();
                let event = String::from_utf8(event).unwrap();
                return Some(event.trim_end().strip_prefix("data: ").unwrap_or(&event).to_owned());
            }
            let Some(bytes) = soon(self.body.next()).await else {
                assert!(self.unread.is_empty(), "an event without its end");
                return None;
            };
            self.unread.extend_from_slice(&bytes.unwrap());
        }
    }

    /// The data of the next event, which are JSON.
    pub async fn next_json(&mut self) -> Value {
        serde_json::from_str(&self.next().await.unwrap()).unwrap()
    }

    /// All events to the end of the stream.
    pub async fn rest(mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn one_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let first = values.next().map(|value| value.to_str().unwrap());
    assert_eq!(values.next(), None, "{name} stands twice");
    first
}
