//! What became of a request: a line of the log, and a trace where there are any.
//!
//! Neither has a prompt, an answer or a key in it, and a user's name only if that is configured.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use vtc_core::Usage;

use crate::request::Endpoint;
use crate::settings::{LogSetting, SettingsError, TracesSetting};
use crate::trace::{self, Spans, Traces};

/// What is told of requests.
#[derive(Debug)]
pub(crate) struct Journal {
    log: LogSetting,
    traces: Traces,
    traces_name_users: bool,
}

/// A request under way, and what is known of it. Told when the last of those who hold it lets go, which is when its
/// answer has ended or its client has left.
pub(crate) struct Entry {
    request_id: HeaderValue,
    /// Of the client's `traceparent`, or else of the gateway's own trace.
    trace_id: Option<String>,
    endpoint: Endpoint,
    begun: Instant,
    is_logged: bool,
    /// Whether the log, and whether traces name users.
    names_users: (bool, bool),
    spans: Option<Spans>,
    user: OnceCell<String>,
    model: OnceCell<String>,
    pod: OnceCell<String>,
    policy: OnceCell<&'static str>,
    waited: Cell<Option<Duration>>,
    head: Cell<Option<Duration>>,
    status: Cell<Option<StatusCode>>,
    usage: Cell<Option<Usage>>,
    end: Cell<End>,
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// It has not: if nothing more comes, its client has left.
    None,
    /// As it should.
    Well,
    /// With an error of that code.
    Badly(&'static str),
}

/// The target of the lines about requests.
pub(crate) const TARGET: &str = "vtc_gateway::requests";

// === impl Journal ===

impl Journal {
    pub(crate) fn new(log: &LogSetting, traces: &TracesSetting) -> Result<Self, SettingsError> {
        Ok(Self { log: log.clone(), traces: Traces::new(traces)?, traces_name_users: traces.users })
    }

    /// A request has come.
    pub(crate) fn begin(
        &self,
        endpoint: Endpoint,
        client: &HttpRequest,
        request_id: &HeaderValue,
    ) -> Rc<Entry> {
        let spans = self.traces.begin(endpoint, client);
        let own = spans.as_ref().map(Spans::trace_id);
        Rc::new(Entry {
            request_id: request_id.clone(),
            trace_id: own.or_else(|| trace::trace_id(client.headers())),
            endpoint,
            begun: Instant::now(),
            is_logged: self.log.requests && tracing::enabled!(target: TARGET, tracing::Level::INFO),
            names_users: (self.log.users, self.traces_name_users),
            spans,
            user: OnceCell::new(),
            model: OnceCell::new(),
            pod: OnceCell::new(),
            policy: OnceCell::new(),
            waited: Cell::new(None),
            head: Cell::new(None),
            status: Cell::new(None),
            usage: Cell::new(None),
            end: Cell::new(End::None),
        })
    }

    /// What was recorded and not sent yet is sent, if that does not take too long.
    pub(crate) fn flush(&self) {
        self.traces.flush();
    }
}

// === impl Entry ===

impl Entry {
    /// How the log names it.
    pub(crate) fn id(&self) -> &str {
        // It was read as visible text.
        self.request_id.to_str().unwrap_or_default()
    }

    /// How the log names the trace that it belongs to.
    pub(crate) fn trace_id(&self) -> Option<&str> {
        self.trace_id.as_deref()
    }

    /// Whether anybody will see what it knows.
    const fn is_told(&self) -> bool {
        self.is_logged || self.spans.is_some()
    }

    /// It may go once its turn comes. The model is one that there is.
    pub(crate) fn waits(&self, user: &str, model: Option<&str>, policy: &'static str) {
        if !self.is_told() {
            return;
        }
        if self.names_users.0 || self.names_users.1 {
            let _ = self.user.set(user.to_owned());
        }
        if let Some(model) = model {
            let _ = self.model.set(model.to_owned());
        }
        let _ = self.policy.set(policy);
        if let Some(spans) = &self.spans {
            spans.wait();
        }
    }

    /// Its turn has come, after that time in the queue, if there is one.
    pub(crate) fn goes(&self, waited: Option<Duration>) {
        self.waited.set(waited);
        if let Some(spans) = &self.spans {
            spans.go();
        }
    }

    /// A pod is asked, with these headers.
    pub(crate) fn asks(&self, headers: &mut HeaderMap) {
        if let Some(spans) = &self.spans {
            spans.ask(headers);
        }
    }

    /// That pod has answered.
    pub(crate) fn answered(&self, pod: &str) {
        self.head.set(Some(self.begun.elapsed()));
        if self.is_told() {
            let _ = self.pod.set(pod.to_owned());
        }
    }

    /// It has cost so much so far.
    pub(crate) fn cost(&self, usage: Usage) {
        self.usage.set(Some(usage));
    }

    /// The status of its reply is known.
    pub(crate) fn replied(&self, status: StatusCode) {
        self.status.set(Some(status));
    }

    /// Nothing more is to come.
    pub(crate) fn ended(&self) {
        if self.end.get() == End::None {
            self.end.set(End::Well);
        }
    }

    /// It has ended with an error of that code.
    pub(crate) fn failed(&self, code: &'static str) {
        self.end.set(End::Badly(code));
    }

    /// The code of the error with which it ended.
    fn error(&self) -> Option<&'static str> {
        match self.end.get() {
            End::None => Some(trace::CLIENT_LEFT),
            End::Well => None,
            End::Badly(code) => Some(code),
        }
    }

    fn log(&self) {
        let usage = self.usage.get();
        let seconds = |time: Duration| time.as_secs_f64();
        tracing::info!(
            target: TARGET,
            request_id = self.id(),
            trace_id = self.trace_id(),
            endpoint = self.endpoint.path(),
            status = self.status.get().map(|status| status.as_u16()),
            error = self.error(),
            user = self.user.get().filter(|_| self.names_users.0),
            model = self.model.get(),
            pod = self.pod.get(),
            policy = self.policy.get(),
            queue_seconds = self.waited.get().map(seconds),
            head_seconds = self.head.get().map(seconds),
            seconds = seconds(self.begun.elapsed()),
            input_tokens = usage.map(|usage| usage.input),
            cached_tokens = usage.map(|usage| usage.cached),
            output_tokens = usage.map(|usage| usage.output),
            "request"
        );
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(spans) = self.spans.take() {
            spans.end(&trace::Told {
                status: self.status.get(),
                error: self.error(),
                user: self.user.get().filter(|_| self.names_users.1).map(String::as_str),
                model: self.model.get().map(String::as_str),
                pod: self.pod.get().map(String::as_str),
                policy: self.policy.get().copied(),
                waited: self.waited.get(),
                usage: self.usage.get(),
            });
        }
        if self.is_logged {
            self.log();
        }
    }
}
