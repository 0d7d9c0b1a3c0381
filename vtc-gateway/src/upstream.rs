//! The one room that speaks HTTP to pods.

use std::pin::Pin;
use std::time::Duration;

use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::http::{Method, StatusCode};
use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::{Client, Connector};
use bytes::Bytes;
use futures_util::Stream;
use serde::de::IgnoredAny;

use crate::headers::to_client;
use crate::settings::UpstreamSettings;

/// A worker's connections to the pods.
#[derive(Clone)]
pub struct Upstream {
    client: Client,
    answer_bytes: usize,
}

/// What is asked of a pod.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// How.
    pub method: &'a Method,
    /// The path and the query.
    pub path: &'a str,
    /// Whether an answer of JSON is passed as it comes. Else it is read as a whole first.
    pub passes_json: bool,
}

/// What a pod answered.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// The headers that are the client's.
    pub headers: HeaderMap,
    /// The body.
    pub body: AnswerBody,
}

/// The body of an answer.
pub enum AnswerBody {
    /// All of it.
    Whole(Bytes),
    /// Neither JSON nor events: sound, a picture, a file, as it comes, and how long it is, if the pod said so. Dropping
    /// it cancels the pod's request.
    Passed {
        /// The bytes.
        bytes: EventBytes,
        /// How many there are.
        length: Option<u64>,
        /// Whether they are JSON, which is passed like that only where the question says so.
        is_json: bool,
    },
    /// Server-sent events, as they come. Dropping it closes the connection, which cancels the pod's request. It
    /// also just ends if the connection does: only its last event tells that it is complete.
    Events(EventBytes),
}

/// The bytes of a stream of events.
pub type EventBytes = Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>;

/// Why there is no answer. Nothing has gone to the client.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// Nobody is there. Nothing was sent.
    #[error("{0}")]
    Away(String),
    /// The pod broke off before its answer was there.
    #[error("{0}")]
    BrokenOff(String),
    /// The answer is longer than is allowed, and so would be another pod's.
    #[error("its answer is longer than the {limit} bytes that are allowed")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
}

/// A connection that was not used for so long is closed. Servers close theirs after some time (uvicorn: 5 s): better
/// to be the first.
const IDLE: Duration = Duration::from_secs(4);

// === impl Upstream ===

impl Upstream {
    /// Fresh connections, for one worker: they cannot be sent to another thread.
    #[must_use]
    pub fn new(settings: &UpstreamSettings) -> Self {
        let connector = Connector::new()
            .timeout(settings.connect_timeout)
            // How many requests a pod runs is the policy's business, not the connection pool's.
            .limit(0)
            .conn_keep_alive(IDLE)
            .conn_lifetime(Duration::from_secs(24 * 3600));
        let client = Client::builder()
            .connector(connector)
            // The first token of a long prompt may take minutes.
            .disable_timeout()
            .disable_redirects()
            .no_default_headers()
            .finish();
        Self { client, answer_bytes: settings.answer_bytes }
    }

    /// The client itself, for the poller.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request and returns with the whole answer, or with the head of a stream.
    ///
    /// # Errors
    /// [`UpstreamError`]: unless its answer was too long, it may be sent again, to another pod.
    pub async fn send(
        &self,
        url: &str,
        question: Question<'_>,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, UpstreamError> {
        let Question { method, path, passes_json } = question;
        let mut request = self.client.request(method.clone(), format!("{url}{path}")).no_decompress();
        *request.headers_mut() = headers;
        let mut response = request.send_body(body).await?;
        let (status, headers) = (response.status(), to_client(response.headers()));
        let kind = media_type(response.headers());
        let is_json = kind == "application/json" || kind.ends_with("+json");
        let body = if kind == "text/event-stream" {
            AnswerBody::Events(Box::pin(response))
        } else if status.is_success() && (!is_json || passes_json) {
            let length = announced(response.headers());
            AnswerBody::Passed { bytes: Box::pin(response), length, is_json }
        } else {
            let limit = self.answer_bytes;
            let body = response.body().limit(limit).await.map_err(|error| match error {
                PayloadError::Overflow => UpstreamError::TooLong { limit },
                other => UpstreamError::BrokenOff(other.to_string()),
            })?;
            if breaks_off(status, response.headers(), &body) {
                return Err(UpstreamError::BrokenOff("it broke off its answer".to_owned()));
            }
            AnswerBody::Whole(body)
        };
        Ok(Answer { status, headers, body })
    }
}

impl From<SendRequestError> for UpstreamError {
    fn from(error: SendRequestError) -> Self {
        let text = error.to_string();
        match error {
            // So awc calls a connection that ended before the head of the answer.
            SendRequestError::Connect(ConnectError::Disconnected) => Self::BrokenOff(text),
            SendRequestError::Connect(_) => Self::Away(text),
            _ => Self::BrokenOff(text),
        }
    }
}

/// Whether the pod left before its answer was complete: awc takes the end of a connection for the end of the body.
/// Where no length was announced, JSON that stops short tells; an error may come without a body.
fn breaks_off(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> bool {
    match announced(headers) {
        Some(length) => (body.len() as u64) < length,
        None if status.is_success() && media_type(headers) == "application/json" => {
            serde_json::from_slice::<IgnoredAny>(body).is_err_and(|error| error.is_eof())
        }
        None => false,
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok())
}

/// The type of the content, without parameters, in small letters; empty if there is none.
fn media_type(headers: &HeaderMap) -> String {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
