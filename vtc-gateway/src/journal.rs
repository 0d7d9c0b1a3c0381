//! What became of a request, told outside: a line of the log, and a trace where there are any.
//!
//! Neither has a prompt, an answer or a key in it, and a user's name only if that is configured.

use std::time::Duration;

use actix_web::HttpRequest;

use crate::record::Decision;
use crate::request::Endpoint;
use crate::settings::{LogSetting, SettingsError, TracesSetting};
use crate::trace::{Spans, Told, Traces};

/// Where it is told.
#[derive(Debug)]
pub(crate) struct Journal {
    log: LogSetting,
    traces: Traces,
    traces_name_users: bool,
}

/// The target of the lines about requests.
pub(crate) const TARGET: &str = "vtc_gateway::requests";

// === impl Journal ===

impl Journal {
    pub(crate) fn new(log: &LogSetting, traces: &TracesSetting) -> Result<Self, SettingsError> {
        Ok(Self { log: log.clone(), traces: Traces::new(traces)?, traces_name_users: traces.users })
    }

    /// A request has come. Its spans, if there are traces.
    pub(crate) fn begin(&self, endpoint: Endpoint, client: &HttpRequest) -> Option<Spans> {
        self.traces.begin(endpoint, client)
    }

    /// A request is over.
    pub(crate) fn tell(&self, decision: &Decision, spans: Option<Spans>) {
        if let Some(spans) = spans {
            spans.end(&Told::of(decision, self.traces_name_users));
        }
        if self.log.requests {
            self.log(&Told::of(decision, self.log.users), decision);
        }
    }

    fn log(&self, told: &Told<'_>, decision: &Decision) {
        let seconds = |time: Duration| time.as_secs_f64();
        tracing::info!(
            target: TARGET,
            request_id = decision.id,
            trace_id = decision.trace_id,
            endpoint = decision.endpoint,
            status = told.status,
            error = told.error,
            user = told.user,
            model = told.model,
            pod = told.pod,
            policy = told.policy,
            queue_seconds = told.waited.map(seconds),
            head_seconds = decision.head.map(seconds),
            seconds = seconds(decision.duration),
            input_tokens = told.usage.map(|usage| usage.input),
            cached_tokens = told.usage.map(|usage| usage.cached),
            output_tokens = told.usage.map(|usage| usage.output),
            "request"
        );
    }

    /// What was recorded and not sent yet is sent, if that does not take too long.
    pub(crate) fn flush(&self) {
        self.traces.flush();
    }
}
