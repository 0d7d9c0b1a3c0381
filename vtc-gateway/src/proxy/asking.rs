//! A request at the pods: asked of its own, and if that fails before it answers, of others.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use bytes::Bytes;
use tokio::time::Instant;

use super::Passage;
use crate::admission::Candidate;
use crate::dialect::Dialect;
use crate::error::GatewayError;
use crate::headers::to_pod;
use crate::metrics;
use crate::pass::Pass;
use crate::request::Endpoint;
use crate::upstream::{Answer, Question, UpstreamError};

/// A request whose pod has answered, or begun to.
pub(super) struct Answered {
    pub(super) answer: Answer,
    /// How the pod reports usage.
    pub(super) dialect: Dialect,
    pub(super) pass: Pass,
}

/// Whether an answer shows that its pod does not work. That it does not know how to do something shows nothing.
fn is_failure(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
}

// === impl Passage ===

impl Passage<'_> {
    /// The path that the pod is asked for, and the client's query. Of a path that the gateway knows there is one
    /// spelling.
    fn path(&self) -> Cow<'_, str> {
        let uri = self.client.uri();
        let as_it_is = uri.path_and_query().map_or("/", |it| it.as_str());
        let endpoint = self.generation.endpoint;
        if endpoint == Endpoint::Other || endpoint.description().paths.contains(&uri.path()) {
            return Cow::Borrowed(as_it_is);
        }
        let path = self.client.match_pattern().unwrap_or_else(|| endpoint.path().to_owned());
        Cow::Owned(match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        })
    }

    /// Whether it may be sent twice. What nobody knows may do something that must not be done twice.
    fn may_repeat(&self) -> bool {
        self.generation.endpoint != Endpoint::Other || self.client.method().is_idempotent()
    }

    /// Asks the pod of the pass, and if that fails before it answers, others: at most the configured number, each
    /// once. The user is charged once. If all fail, not at all.
    pub(super) async fn ask(
        &self,
        candidate: &Candidate<'_>,
        mut pass: Pass,
    ) -> Result<Answered, GatewayError> {
        let mut headers = to_pod(self.client.headers(), self.request_id, &self.configuration.identity);
        self.trail.asks(&mut headers);
        let deadline = self.upstream.deadline();
        let mut all_are_away = true;
        self.gateway.fleet().count_request();
        for attempt in 0.. {
            let failure = match self.ask_one(&mut pass, &headers, deadline).await {
                Ok((answer, dialect)) => {
                    pass.pod_answered(!is_failure(answer.status));
                    return Ok(Answered { answer, dialect, pass });
                }
                Err(failure) => failure,
            };
            tracing::warn!(
                request_id = self.trail.id(),
                trace_id = self.trail.trace_id(),
                pod = pass.pod().name(),
                %failure,
                "a pod failed before it answered"
            );
            pass.note_failure(&failure);
            if matches!(failure, UpstreamError::TooLong { .. }) {
                // The work was done. Nobody knows how much it was, so the estimate stays.
                pass.pod_answered(true);
                pass.close();
                return Err(GatewayError::PodFailed(failure.to_string()));
            }
            let is_away = matches!(failure, UpstreamError::Away(_));
            pass.pod_failed(is_away);
            if matches!(failure, UpstreamError::TimedOut(_)) {
                // The client has waited for long, and there is no telling that another pod would be faster.
                pass.void();
                return Err(GatewayError::PodTimeout(failure.to_string()));
            }
            all_are_away &= is_away;
            if !is_away && !self.may_repeat() {
                pass.void();
                return Err(GatewayError::PodFailed(failure.to_string()));
            }
            let has_other = self.gateway.admission().move_on(&mut pass, candidate).await;
            if !has_other || attempt >= self.configuration.retries {
                pass.void();
                let is_hopeless = !has_other && all_are_away;
                let failed = || GatewayError::PodFailed(failure.to_string());
                return Err(if is_hopeless { GatewayError::NoPods } else { failed() });
            }
            if !self.gateway.fleet().may_retry() {
                metrics::retry_refused();
                pass.void();
                return Err(GatewayError::PodFailed(failure.to_string()));
            }
            metrics::retry();
        }
        Err(GatewayError::NoPods)
    }

    async fn ask_one(
        &self,
        pass: &mut Pass,
        headers: &HeaderMap,
        deadline: Instant,
    ) -> Result<(Answer, Dialect), UpstreamError> {
        // The fleet of now: the request may have waited for a while.
        let fleet = self.gateway.fleet().load();
        let backend = fleet.backend(pass.pod());
        let backend = backend.ok_or_else(|| UpstreamError::Away("it is gone".to_owned()))?;
        pass.asks(&backend.vitals);
        let dialect = backend.report.dialect;
        let mut headers = Cow::Borrowed(headers);
        if let Some(key) = &backend.authorization {
            headers.to_mut().insert(AUTHORIZATION, key.clone());
        }
        let alias =
            self.generation.model.as_deref().and_then(|name| self.configuration.aliases.resolve(name));
        let body: Bytes = self.generation.to_pod(dialect, alias);
        let path = self.path();
        let question = Question {
            method: self.client.method().as_str(),
            path: &path,
            may_repeat: self.may_repeat(),
            passes_json: self.generation.endpoint == Endpoint::Other,
        };
        let answer = self.upstream.send(&backend.url, question, &headers, body, deadline).await?;
        Ok((answer, dialect))
    }
}
