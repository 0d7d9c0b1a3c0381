//! The one room that speaks HTTP to pods.
//!
//! A worker keeps the connections that it has opened, and uses them again. A pod may close such a connection just when
//! the next request goes out: a request that dies there before any byte of its answer came is sent once more, on a
//! fresh connection. Only if that fails, too, has the pod failed.

mod body;
mod headers;
mod link;
mod origin;
mod patience;
mod wire;

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{Method, Request, Uri};
use http_body_util::Full;
use serde::de::IgnoredAny;
use tokio::time::Instant;

pub use self::body::PodBody;
use self::link::Link;
use self::origin::Origin;
use self::patience::{Limits, Patience};
use crate::metrics;
use crate::settings::{PodTls, UpstreamSettings};

/// A worker's connections to the pods, and how it speaks over them.
#[derive(Clone)]
pub struct Upstream {
    origins: Rc<RefCell<HashMap<String, Rc<Origin>>>>,
    manners: Arc<Manners>,
}

/// How pods are spoken to.
#[derive(Debug)]
pub(crate) struct Manners {
    tls: PodTls,
    connect_timeout: Duration,
    limits: Limits,
    answer_bytes: usize,
}

/// What is asked of a pod.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// How.
    pub method: &'a str,
    /// The path and the query.
    pub path: &'a str,
    /// Whether it may be sent twice, should a used connection break.
    pub may_repeat: bool,
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
        bytes: PodBody,
        /// How many there are.
        length: Option<u64>,
        /// Whether they are JSON, which is passed like that only where the question says so.
        is_json: bool,
    },
    /// Server-sent events, as they come. Dropping it closes the connection, which cancels the pod's request. It
    /// also just ends if the connection does, unless the pod told how long it is: only its last event tells that it
    /// is complete.
    Events(PodBody),
}

/// Why there is no answer, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// Nobody is there. Nothing was sent.
    #[error("{0}")]
    Away(String),
    /// The pod broke off before its answer was there, or answers what is no HTTP.
    #[error("{0}")]
    BrokenOff(String),
    /// The pod takes longer than it may.
    #[error("{0}")]
    TimedOut(String),
    /// The answer is longer than is allowed, and so would be another pod's.
    #[error("its answer is longer than the {limit} bytes that are allowed")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
}

/// The head of an answer, and what is to come.
struct Begun {
    head: http::response::Parts,
    body: PodBody,
}

// === impl Upstream ===

impl Upstream {
    /// No connections yet. They are one worker's: they cannot be sent to another thread.
    #[must_use]
    pub(crate) fn new(manners: Arc<Manners>) -> Self {
        Self { origins: Rc::default(), manners }
    }

    /// The same connections, with these manners.
    #[must_use]
    pub(crate) fn with(&self, manners: &Arc<Manners>) -> Self {
        Self { origins: Rc::clone(&self.origins), manners: Arc::clone(manners) }
    }

    /// When a request that begins now must be complete, wherever it is sent.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.manners.limits.whole
    }

    /// Asks a pod about itself, and shows it its key if it wants one: the status and the body of its answer, of which no
    /// more than `limit` bytes are read. Head and body together may take as long as `patience`.
    ///
    /// # Errors
    /// [`UpstreamError`]: the pod is not there, broke off, answered too much or took too long.
    pub async fn get(
        &self,
        url: &str,
        path: &str,
        key: Option<&HeaderValue>,
        patience: Duration,
        limit: usize,
    ) -> Result<(StatusCode, Bytes), UpstreamError> {
        let limits = Limits { first_byte: patience, idle: patience, whole: patience };
        let deadline = Instant::now() + patience;
        let origin = self.origin(url)?;
        let key: HeaderMap = key.map(|key| (AUTHORIZATION, key.clone())).into_iter().collect();
        let make = || request(&origin, &Method::GET, path, &key, Bytes::new());
        let Begun { head, body } = self.begin(&origin, make, Patience::new(limits, deadline), true).await?;
        Ok((status(&head)?, body.whole(limit).await?))
    }

    /// Posts a request and returns with the whole answer, or with the head of a stream. It must be complete at the
    /// `deadline`.
    ///
    /// # Errors
    /// [`UpstreamError`]. Nothing has gone to the client. If the pod is away or broke off, it may be sent to another.
    pub async fn send(
        &self,
        url: &str,
        question: Question<'_>,
        headers: &HeaderMap,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Answer, UpstreamError> {
        let unfit = |error| UpstreamError::BrokenOff(format!("{} is no method: {error}", question.method));
        let method = Method::from_bytes(question.method.as_bytes()).map_err(unfit)?;
        let origin = self.origin(url)?;
        let make = || request(&origin, &method, question.path, headers, body.clone());
        let patience = Patience::new(self.manners.limits, deadline);
        let Begun { head, body } = self.begin(&origin, make, patience, question.may_repeat).await?;
        let (status, headers) = (status(&head)?, headers::to_client(&head.headers));
        let kind = media_type(&head.headers);
        let is_json = kind == "application/json" || kind.ends_with("+json");
        let body = if kind == "text/event-stream" {
            AnswerBody::Events(body)
        } else if status.is_success() && (!is_json || question.passes_json) {
            AnswerBody::Passed { length: body.length(), bytes: body, is_json }
        } else {
            let body = body.whole(self.manners.answer_bytes).await?;
            if breaks_off(status, &head.headers, &body) {
                return Err(UpstreamError::BrokenOff("it broke off its answer".to_owned()));
            }
            AnswerBody::Whole(body)
        };
        Ok(Answer { status, headers, body })
    }

    async fn begin(
        &self,
        origin: &Rc<Origin>,
        make: impl Fn() -> Result<Request<Full<Bytes>>, UpstreamError>,
        mut patience: Patience,
        may_repeat: bool,
    ) -> Result<Begun, UpstreamError> {
        let used = if may_repeat { origin.used_link() } else { None };
        if let Some(mut link) = used {
            match head_within(&mut link, make()?, &mut patience).await? {
                Ok(answer) => return Ok(Begun::new(answer, link, Rc::clone(origin), patience)),
                Err(error) if link.has_heard() => return Err(UpstreamError::broken_off(&error)),
                Err(_) => metrics::reconnect(),
            }
        }
        let mut link = origin.fresh_link(self.manners.connect_timeout).await?;
        match head_within(&mut link, make()?, &mut patience).await? {
            Ok(answer) => Ok(Begun::new(answer, link, Rc::clone(origin), patience)),
            Err(error) => Err(UpstreamError::broken_off(&error)),
        }
    }

    fn origin(&self, url: &str) -> Result<Rc<Origin>, UpstreamError> {
        let mut origins = self.origins.borrow_mut();
        // One to which TLS is spoken otherwise now is another.
        if let Some(origin) = origins.get(url).filter(|origin| origin.speaks(&self.manners.tls)) {
            return Ok(Rc::clone(origin));
        }
        // Pods come and go.
        origins.retain(|_, origin| !origin.is_forgotten());
        let origin = Rc::new(Origin::new(url, &self.manners.tls)?);
        origins.insert(url.to_owned(), Rc::clone(&origin));
        Ok(origin)
    }
}

/// The head of the answer; how the connection ended, if it did; an error if it takes too long.
async fn head_within(
    link: &mut Link,
    request: Request<Full<Bytes>>,
    patience: &mut Patience,
) -> Result<hyper::Result<http::Response<hyper::body::Incoming>>, UpstreamError> {
    let mut answer = pin!(link.send(request));
    poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Ok(answer)),
        Poll::Pending => patience.poll_end(context).map(Err),
    })
    .await
}

fn request(
    origin: &Origin,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, UpstreamError> {
    let unfit = |error| UpstreamError::BrokenOff(format!("{path} cannot be asked for: {error}"));
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method.clone();
    *request.uri_mut() = Uri::try_from(path).map_err(unfit)?;
    request.headers_mut().insert(HOST, origin.authority.clone());
    headers::put(headers, request.headers_mut());
    Ok(request)
}

/// The status of a complete answer: a pod that changes the protocol, unasked, speaks none of ours.
fn status(head: &http::response::Parts) -> Result<StatusCode, UpstreamError> {
    let fit = StatusCode::from_u16(head.status.as_u16()).ok().filter(|status| !status.is_informational());
    fit.ok_or_else(|| UpstreamError::BrokenOff(format!("it answers {}", head.status)))
}

/// Whether the pod left before its answer was complete. Where it announced no length, the end of the connection is the
/// end of the body, and JSON that stops short tells; an error may come without a body.
fn breaks_off(status: StatusCode, headers: &http::HeaderMap, body: &[u8]) -> bool {
    let is_announced = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
    !is_announced
        && status.is_success()
        && media_type(headers) == "application/json"
        && serde_json::from_slice::<IgnoredAny>(body).is_err_and(|error| error.is_eof())
}

/// The type of the content, without parameters, in small letters; empty if there is none.
fn media_type(headers: &http::HeaderMap) -> String {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

// === impl Manners ===

impl Manners {
    pub(crate) fn new(settings: &UpstreamSettings, tls: &PodTls) -> Self {
        let limits = Limits {
            first_byte: settings.first_byte_timeout,
            idle: settings.idle_timeout,
            whole: settings.request_timeout,
        };
        Self {
            tls: tls.clone(),
            connect_timeout: settings.connect_timeout,
            limits,
            answer_bytes: settings.answer_bytes,
        }
    }
}

// === impl UpstreamError ===

impl UpstreamError {
    fn broken_off(error: &hyper::Error) -> Self {
        use std::error::Error;
        Self::BrokenOff(match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })
    }
}

// === impl Begun ===

impl Begun {
    fn new(
        answer: http::Response<hyper::body::Incoming>,
        link: Box<Link>,
        origin: Rc<Origin>,
        mut patience: Patience,
    ) -> Self {
        patience.renew();
        let (head, incoming) = answer.into_parts();
        Self { head, body: PodBody::new(incoming, link, origin, patience) }
    }
}
