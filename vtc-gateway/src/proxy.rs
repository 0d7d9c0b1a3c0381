//! The way of a request: identity, estimate, admission, proxy, settle.

mod asking;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::rc::Rc;

use actix_web::body::SizedStream;
use actix_web::http::Version;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::Instant;
use vtc_core::Policy;

use self::asking::Answered;
use crate::admission::Candidate;
use crate::configuration::Configuration;
use crate::dialect::Dialect;
use crate::error::{GatewayError, Shape};
use crate::estimate::Estimate;
use crate::fleet::{Fleet, Service};
use crate::gateway::Gateway;
use crate::headers::{REQUEST_ID, ROUTING_STRATEGY, TARGET_POD, request_id};
use crate::identity::Identity;
use crate::pass::Pass;
use crate::passed::PassedStream;
use crate::record::Trail;
use crate::request::{Endpoint, GenerationRequest, RequestError};
use crate::settlement::settle_answer;
use crate::stream::MeteredStream;
use crate::tenant::Terms;
use crate::upstream::{AnswerBody, PodBody, Upstream};
use crate::view::ClientView;
use crate::{body, explain, head, identity, metrics};

/// A request as it came in, and who follows it.
struct Call<'a> {
    endpoint: Endpoint,
    client: &'a HttpRequest,
    gateway: &'a Gateway,
    upstream: &'a Upstream,
    request_id: &'a HeaderValue,
    trail: &'a Rc<Trail>,
}

/// A request under way: what was decided about it.
struct Passage<'a> {
    gateway: &'a Gateway,
    configuration: &'a Configuration,
    upstream: &'a Upstream,
    client: &'a HttpRequest,
    request_id: &'a HeaderValue,
    policy: &'a dyn Policy,
    identity: Identity<'a>,
    sub_user: Option<Cow<'a, str>>,
    generation: GenerationRequest<'a>,
    estimate: Estimate,
    bytes: usize,
    trail: &'a Rc<Trail>,
}

/// Serves one of the [endpoints](Endpoint) that do work on a pod, or whatever else clients ask of pods.
pub async fn generate(
    endpoint: Endpoint,
    client: HttpRequest,
    payload: Payload,
    gateway: Data<Gateway>,
    upstream: Data<Upstream>,
) -> HttpResponse {
    let request_id = request_id(client.headers());
    let trail = gateway.record().begin(endpoint, &client, &request_id);
    let call = Call {
        endpoint,
        client: &client,
        gateway: &gateway,
        upstream: &upstream,
        request_id: &request_id,
        trail: &trail,
    };
    let outcome = serve(call, payload).await;
    let mut response = outcome.unwrap_or_else(|error| {
        tracing::debug!(request_id = trail.id(), trace_id = trail.trace_id(), code = error.code(), "refused");
        let response = error.response(Shape::of(endpoint));
        trail.refused(&error, response.status());
        response
    });
    metrics::request(endpoint.path(), response.status().as_u16());
    response.headers_mut().insert(REQUEST_ID, request_id);
    response
}

async fn serve(call: Call<'_>, payload: Payload) -> Result<HttpResponse, GatewayError> {
    let Call { endpoint, client, gateway, upstream, request_id, trail } = call;
    let configuration = &*gateway.configuration();
    let upstream = &upstream.with(&configuration.manners);
    head::check(client, configuration.limits.header_bytes)?;
    let identity = configuration.identify(client)?;
    let policy = gateway.policy(client.headers())?;
    let body = body::read(client, payload, configuration.limits).await?;
    let generation = GenerationRequest::read_either(endpoint, boundary(client).as_deref(), &body)?;
    let model = generation.model.as_deref().map(|name| configuration.aliases.resolve(name).unwrap_or(name));
    let estimate = Estimate::of(&generation, configuration.estimators.of(model));
    trail.asked(identity.source, policy.name(), estimate);
    let bytes = body.len();
    let may_name_user = configuration.identity.sub_users && generation.is_json();
    let sub_user = if may_name_user { identity::sub_user(&body)? } else { None };
    let passage = Passage {
        gateway,
        configuration,
        upstream,
        client,
        request_id,
        policy,
        identity,
        sub_user,
        generation,
        estimate,
        bytes,
        trail,
    };
    passage.go().await
}

const MULTIPART: &[u8] = b"multipart/";

/// What separates the parts of the client's form, if it sends one.
fn boundary(client: &HttpRequest) -> Option<String> {
    // Few are forms, and to read a type takes longer than to see that it is another.
    let kind = client.headers().get(CONTENT_TYPE)?.as_bytes();
    if !kind.get(..MULTIPART.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(MULTIPART)) {
        return None;
    }
    let kind = client.mime_type().ok()??;
    let is_form = kind.essence_str() == "multipart/form-data";
    is_form.then(|| kind.get_param("boundary").map(|boundary| boundary.to_string()).unwrap_or_default())
}

// === impl Passage ===

impl Passage<'_> {
    async fn go(self) -> Result<HttpResponse, GatewayError> {
        let begun = Instant::now();
        let fleet = self.gateway.fleet().load();
        let account = &*self.identity.account;
        let terms = self.configuration.tenants.of(account);
        self.trail.enters(account, terms.weight);
        let tells = explain::is_wanted(self.client.headers());
        let candidate = Candidate {
            service: self.service(&fleet, terms)?,
            policy: self.policy,
            user: account,
            weight: terms.weight,
            estimate: self.estimate,
            bytes: self.bytes,
            longest_wait: self.configuration.longest_wait(),
            explain: tells || self.gateway.record().counts_those_ahead(),
        };
        self.trail.waits_for(candidate.service.name());
        let quotas = self.gateway.quotas();
        let stay = quotas.enter(account, self.sub_user.as_deref(), self.estimate.tokens())?;
        self.trail.waits(self.generation.model.as_deref());
        let pass = self.gateway.admission().admit(&candidate).await?.within(stay);
        self.trail.admitted(&pass, candidate.explain, self.gateway.router(), self.gateway.scoring());
        let pass = pass.recorded(self.trail);
        let Answered { answer, dialect, pass } = self.ask(&candidate, pass).await?;
        metrics::time_to_head(begun.elapsed());
        self.trail.answered(answer.status);
        tracing::debug!(
            request_id = self.trail.id(),
            trace_id = self.trail.trace_id(),
            pod = pass.pod().name(),
            policy = self.policy.name(),
            status = answer.status.as_u16(),
            "answered"
        );
        let mut response = HttpResponseBuilder::new(answer.status);
        for (name, value) in answer.headers {
            response.append_header((name, value));
        }
        response.insert_header((ROUTING_STRATEGY, self.policy.name()));
        // A pod's name is checked to be fit for a header when it is configured.
        response.insert_header((TARGET_POD, pass.pod().name()));
        if tells {
            explain::tell(&pass, self.policy.name(), &mut response);
        }
        let mut response = match answer.body {
            AnswerBody::Whole(body) => {
                settle_answer(pass, answer.status, &body);
                response.body(body)
            }
            AnswerBody::Events(events) => self.stream(response, events, dialect, pass),
            AnswerBody::Passed { bytes, length, is_json } => {
                let passed = PassedStream::new(bytes, length, is_json, pass);
                match length {
                    Some(length) => response.body(SizedStream::new(length, passed)),
                    None => self.streaming(response, passed),
                }
            }
        };
        // Of a whole answer it is known by now what it really took.
        quotas.standing(account).tell(response.headers_mut());
        Ok(response)
    }

    /// The pods that can serve it: those with its model, or all, if it names none. Who may use certain models only has
    /// to name one, by its own name or by an alias.
    fn service<'f>(&self, fleet: &'f Fleet, terms: &Terms) -> Result<Service<'f>, GatewayError> {
        let Some(name) = self.generation.model.as_deref() else {
            return match terms.models {
                None => fleet.serving_any(),
                Some(_) => Err(RequestError::NO_MODEL.into()),
            };
        };
        let aliases = &self.configuration.aliases;
        let model = aliases.resolve(name).unwrap_or(name);
        let service = if terms.allows(name) { fleet.serving(model) } else { terms.serving(fleet, model) };
        service.map_err(|error| match error {
            GatewayError::UnknownModel { known, .. } => {
                // The name that the client knows, and all that it may know.
                let known = known.into_iter().filter(|known| terms.allows(known));
                let names =
                    aliases.iter().filter(|(alias, model)| terms.allows(alias) || terms.allows(model));
                let known: BTreeSet<_> = known.chain(names.map(|(alias, _)| alias.to_owned())).collect();
                GatewayError::UnknownModel { model: name.to_owned(), known: known.into_iter().collect() }
            }
            other => other,
        })
    }

    fn stream(
        &self,
        response: HttpResponseBuilder,
        events: PodBody,
        dialect: Dialect,
        pass: Pass,
    ) -> HttpResponse {
        let view = ClientView::new(&self.generation, dialect);
        let events = MeteredStream::new(events, view, &self.generation, self.estimate, pass);
        self.streaming(response, events)
    }

    fn streaming<S>(&self, mut response: HttpResponseBuilder, body: S) -> HttpResponse
    where
        S: Stream<Item = Result<Bytes, actix_web::Error>> + 'static,
    {
        if self.client.version() >= Version::HTTP_11 {
            return response.streaming(body);
        }
        // An older client knows no chunks: the end of the connection is the end of the stream.
        let mut response = response.force_close().streaming(body);
        response.head_mut().no_chunking(true);
        response
    }
}
