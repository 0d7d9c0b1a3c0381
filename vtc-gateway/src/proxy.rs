//! The way of a request: identity, estimate, route, proxy, settle.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::Version;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use bytes::Bytes;
use tokio::time::Instant;
use vtc_core::{PodTable, Policy, RouteRequest, Ticket};

use crate::error::GatewayError;
use crate::estimate::Estimate;
use crate::fleet::Fleet;
use crate::gateway::Gateway;
use crate::headers::{REQUEST_ID, ROUTING_STRATEGY, TARGET_POD, request_id, to_pod};
use crate::request::{Endpoint, GenerationRequest};
use crate::settlement::settle_answer;
use crate::stream::MeteredStream;
use crate::upstream::{Answer, AnswerBody, Upstream, UpstreamError};
use crate::view::ClientView;
use crate::{body, identity, metrics};

/// A request under way: what was decided about it.
struct Passage<'a> {
    gateway: &'a Gateway,
    upstream: &'a Upstream,
    client: &'a HttpRequest,
    request_id: &'a HeaderValue,
    fleet: Arc<Fleet>,
    policy: &'a dyn Policy,
    user: Option<Cow<'a, str>>,
    generation: GenerationRequest<'a>,
    estimate: Estimate,
}

/// Serves one of the [endpoints](Endpoint) that do work on a pod.
pub async fn generate(
    endpoint: Endpoint,
    client: HttpRequest,
    payload: Payload,
    gateway: Data<Gateway>,
    upstream: Data<Upstream>,
) -> HttpResponse {
    let request_id = request_id(client.headers());
    let outcome = serve(endpoint, &client, payload, &gateway, &upstream, &request_id).await;
    let mut response = outcome.unwrap_or_else(|error| {
        tracing::debug!(request_id = ?request_id, code = error.code(), "refused");
        error.error_response()
    });
    metrics::request(endpoint.path(), response.status().as_u16());
    response.headers_mut().insert(REQUEST_ID, request_id);
    response
}

async fn serve(
    endpoint: Endpoint,
    client: &HttpRequest,
    payload: Payload,
    gateway: &Gateway,
    upstream: &Upstream,
    request_id: &HeaderValue,
) -> Result<HttpResponse, GatewayError> {
    let policy = gateway.policy(client.headers())?;
    let user = identity::user(client.headers())?;
    let body = body::read(client, payload, gateway.limits()).await?;
    let generation = GenerationRequest::read(endpoint, &body)?;
    let estimate = Estimate::of(&generation, gateway.estimator());
    let fleet = gateway.fleet().load();
    let passage =
        Passage { gateway, upstream, client, request_id, fleet, policy, user, generation, estimate };
    passage.go().await
}

// === impl Passage ===

impl Passage<'_> {
    async fn go(self) -> Result<HttpResponse, GatewayError> {
        let pods = self.fleet.serving(&self.generation.model)?;
        let request = RouteRequest {
            user: self.user.as_deref(),
            input_tokens: self.estimate.input_tokens,
            output_tokens: self.estimate.output_tokens,
        };
        let mut ticket = self.gateway.router().route_among(pods, self.policy, &request)?;
        let begun = Instant::now();
        let answer = self.ask(pods, &mut ticket).await?;
        metrics::time_to_head(begun.elapsed());
        tracing::debug!(
            request_id = ?self.request_id,
            pod = ticket.pod().name(),
            policy = self.policy.name(),
            status = answer.status.as_u16(),
            "answered"
        );
        Ok(self.reply(answer, ticket))
    }

    /// Asks the ticket's pod, and if that fails before it answers, others: at most the configured number, each
    /// once. The user is charged once. If all fail, not at all.
    async fn ask(&self, pods: &PodTable, ticket: &mut Ticket) -> Result<Answer, GatewayError> {
        let headers = to_pod(self.client.headers(), self.request_id);
        let mut untried = pods.clone();
        let mut all_are_away = true;
        for attempt in 0.. {
            let failure = match self.ask_one(ticket, headers.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            tracing::warn!(pod = ticket.pod().name(), %failure, "a pod failed before it answered");
            if matches!(failure, UpstreamError::TooLong { .. }) {
                // The work was done. Nobody knows how much it was, so the estimate stays.
                ticket.close();
                return Err(GatewayError::PodFailed(failure.to_string()));
            }
            self.gateway.fleet().suspect();
            all_are_away &= matches!(failure, UpstreamError::Away(_));
            untried = untried.without(ticket.pod());
            match self.gateway.router().choose(&untried, self.policy, self.user.as_deref()) {
                Some(next) if attempt < self.gateway.retries() => ticket.move_to(next),
                next => {
                    ticket.settle(0.0, 0.0)?;
                    let is_hopeless = next.is_none() && all_are_away;
                    let failed = || GatewayError::PodFailed(failure.to_string());
                    return Err(if is_hopeless { GatewayError::NoPods } else { failed() });
                }
            }
            metrics::retry();
        }
        Err(GatewayError::NoPods)
    }

    async fn ask_one(&self, ticket: &Ticket, headers: HeaderMap) -> Result<Answer, UpstreamError> {
        // A table is made from its fleet, so the pod is there.
        let backend = self.fleet.backend(ticket.pod());
        let backend = backend.ok_or_else(|| UpstreamError::Away("it is gone".to_owned()))?;
        let body: Bytes = self.generation.ask_usage(backend.report.dialect);
        let path = self.generation.endpoint.path();
        self.upstream.send(&backend.url, path, headers, body).await
    }

    fn reply(&self, answer: Answer, ticket: Ticket) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(answer.status);
        for (name, value) in answer.headers {
            response.append_header((name, value));
        }
        response.insert_header((ROUTING_STRATEGY, self.policy.name()));
        // A pod's name is checked to be fit for a header when it is configured.
        response.insert_header((TARGET_POD, ticket.pod().name()));
        match answer.body {
            AnswerBody::Whole(body) => {
                settle_answer(&ticket, answer.status, &body);
                response.body(body)
            }
            AnswerBody::Events(events) => {
                let dialect = self.fleet.backend(ticket.pod()).map(|backend| backend.report.dialect);
                let view = ClientView::new(&self.generation, dialect.unwrap_or_default());
                let events = MeteredStream::new(events, view, self.generation.n, self.estimate, ticket);
                if self.client.version() >= Version::HTTP_11 {
                    return response.streaming(events);
                }
                // An older client knows no chunks: the end of the connection is the end of the stream.
                let mut response = response.force_close().streaming(events);
                response.head_mut().no_chunking(true);
                response
            }
        }
    }
}
