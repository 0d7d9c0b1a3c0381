//! What the gateway tells about itself: models, users, pods, queues, health, metrics.

mod queues;

use std::collections::BTreeMap;

use actix_web::http::header::ContentType;
use actix_web::web::{Data, Path, Query};
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vtc_core::Clock;

use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::headers::{REQUEST_ID, request_id};
use crate::metrics::Sight;
use crate::request::RequestError;

pub use self::queues::queues;

/// How many users are shown by name in metrics.
const NAMED_USERS: usize = 20;

/// `GET /v1/vtc/users`.
#[derive(Debug, Serialize)]
struct Users {
    /// The window in which tokens count, in seconds.
    window_seconds: f64,
    /// What a token counts that is read, and one that is written.
    token_weights: TokenWeights,
    /// How many users have tokens.
    active: usize,
    /// The least and the most that any user has; the configured ones while nobody has any.
    min_tokens: f64,
    max_tokens: f64,
    /// The adaptive bucket: tokens per step of position.
    bucket: f64,
    /// Most tokens first.
    users: Vec<User>,
}

#[derive(Debug, Serialize)]
struct TokenWeights {
    input: f64,
    output: f64,
}

#[derive(Debug, Serialize)]
struct User {
    user: String,
    /// Weighted tokens in the window, reservations of requests in flight included.
    tokens: f64,
    /// The account's share, where others have 1.
    weight: f64,
}

/// What may stand behind `/v1/vtc/users?` and `/v1/vtc/queues?`.
#[derive(Debug, Deserialize)]
pub struct UsersQuery {
    /// How many users at most: those with the most tokens, or of each queue those with the most that waits.
    #[serde(default = "thousand")]
    limit: usize,
}

const fn thousand() -> usize {
    1000
}

/// `GET /v1/vtc/pods`.
#[derive(Debug, Serialize)]
struct Pods<'a> {
    pods: Vec<Pod<'a>>,
    /// What does not work about finding pods, in words.
    troubles: &'a [String],
}

#[derive(Debug, Serialize)]
struct Pod<'a> {
    pod: &'a str,
    url: &'a str,
    /// Where the gateway has it from: settings, file, dns or admin.
    source: &'static str,
    /// Whether it answers when it is asked.
    ready: bool,
    /// Whether it gets no new requests because an admin said so.
    draining: bool,
    /// closed; open while it gets nothing because it failed requests; half-open while one shows whether it does again.
    breaker: &'static str,
    /// The share of its capacity that it is given, 0 to 1: less while it starts.
    share: f64,
    /// Requests in flight.
    running: u64,
    /// The load term of `vtc-basic`, 0 to 1.
    load: f64,
    models: Vec<&'a str>,
    /// What it says of itself at `/metrics`.
    reported: Option<Reported>,
}

#[derive(Debug, Serialize)]
struct Reported {
    running: Option<u64>,
    waiting: Option<u64>,
    kv_usage: Option<f64>,
}

/// `GET /v1/models`: the models of all ready pods that whoever asks may use, and their aliases.
pub async fn models(client: HttpRequest, gateway: Data<Gateway>) -> HttpResponse {
    match listed(&client, &gateway) {
        Ok(models) => {
            let models: Vec<_> = models.values().collect();
            HttpResponse::Ok().json(json!({ "object": "list", "data": models }))
        }
        Err(error) => error.error_response(),
    }
}

/// `GET /v1/models/{model}`: one of them.
pub async fn model(client: HttpRequest, gateway: Data<Gateway>, name: Path<String>) -> HttpResponse {
    let mut models = match listed(&client, &gateway) {
        Ok(models) => models,
        Err(error) => return error.error_response(),
    };
    match models.remove(name.as_str()) {
        Some(model) => HttpResponse::Ok().json(model),
        None => {
            let known = models.into_keys().collect();
            GatewayError::UnknownModel { model: name.into_inner(), known }.error_response()
        }
    }
}

/// What whoever asks may ask for, by name. An alias is described as its model is, with that as its root.
fn listed(client: &HttpRequest, gateway: &Gateway) -> Result<BTreeMap<String, Value>, GatewayError> {
    let configuration = gateway.configuration();
    let account = configuration.identify(client)?.account;
    let (fleet, aliases) = (gateway.fleet().load(), &configuration.aliases);
    let named = |model: &Value| Some((model["id"].as_str()?.to_owned(), model.clone()));
    let mut models: BTreeMap<_, _> = fleet.models().into_iter().filter_map(named).collect();
    let served = aliases.iter().filter_map(|(alias, name)| {
        let mut model = models.get(name)?.clone();
        model["id"] = alias.into();
        model["root"] = name.into();
        Some((alias.to_owned(), model))
    });
    let served: Vec<_> = served.collect();
    // Where a model has the name of an alias, it is the alias that is served.
    models.extend(served);
    let terms = configuration.tenants.of(&account);
    models.retain(|name, _| terms.allows(name) || aliases.resolve(name).is_some_and(|it| terms.allows(it)));
    Ok(models)
}

/// `GET /v1/vtc/users?limit=N`: who has used how much.
pub async fn users(gateway: Data<Gateway>, query: Result<Query<UsersQuery>, Error>) -> HttpResponse {
    let Ok(query) = query else { return wrong_limit() };
    let tracker = gateway.router().tracker();
    let configuration = gateway.configuration();
    let users = tracker.top_users(query.limit).into_iter().map(|(user, tokens)| {
        let weight = configuration.tenants.of(&user).weight.as_f64();
        User { user, tokens, weight }
    });
    let users = users.collect();
    let weights = tracker.config().weights;
    // Of now, and so in agreement with the counts beside it.
    let extremes = tracker.upkeep();
    HttpResponse::Ok().json(Users {
        window_seconds: tracker.config().span().as_secs_f64(),
        token_weights: TokenWeights { input: weights.input, output: weights.output },
        active: extremes.users,
        min_tokens: extremes.min,
        max_tokens: extremes.max,
        bucket: extremes.bucket,
        users,
    })
}

fn wrong_limit() -> HttpResponse {
    let error = RequestError::Wrong { param: "limit", wanted: "a whole number, 0 or more" };
    GatewayError::Request(error).error_response()
}

/// `GET /v1/vtc/pods`: where requests go.
pub async fn pods(gateway: Data<Gateway>) -> HttpResponse {
    let fleet = gateway.fleet().load();
    let now = gateway.router().tracker().clock().now();
    let pods = fleet.backends().iter().map(|backend| {
        let running = backend.pod().in_flight();
        let models = backend.report.models.iter().flatten().filter_map(|model| model["id"].as_str());
        Pod {
            pod: backend.pod().name(),
            url: &backend.url,
            source: backend.source.name(),
            ready: backend.ready,
            draining: backend.draining,
            breaker: backend.breaker.name(),
            share: backend.share(now),
            running,
            load: (running as f64 / gateway.max_pod_load()).min(1.0),
            models: models.collect(),
            reported: backend.vitals.load().map(|load| Reported {
                running: load.running,
                waiting: load.waiting,
                kv_usage: load.kv_usage,
            }),
        }
    });
    HttpResponse::Ok().json(Pods { pods: pods.collect(), troubles: fleet.troubles() })
}

/// `GET /v1/vtc/config`: what came of reading the settings again.
pub async fn config(gateway: Data<Gateway>) -> HttpResponse {
    HttpResponse::Ok().json(gateway.reloads().standing())
}

/// `GET /v1/vtc/replica`: how this gateway stands with those that it shares with.
pub async fn replica(gateway: Data<Gateway>) -> HttpResponse {
    let Some(replica) = gateway.replica() else {
        return HttpResponse::Ok().json(json!({ "shared": false }));
    };
    let now = gateway.router().tracker().clock().now();
    HttpResponse::Ok().json(json!({
        "shared": true,
        "id": &*replica.id,
        "connected": replica.is_connected,
        "seconds_since_exchange": replica.exchanged_at.map(|at| now.since(at).as_secs_f64()),
        "error": replica.error.as_deref(),
        "others": replica.others,
        "users_elsewhere": replica.users_elsewhere,
        "exchanges": replica.exchanges,
        "failures": replica.failures,
        "rewrites": replica.rewrites,
    }))
}

/// `GET /healthz`: 200 while some pod is ready, else 503.
pub async fn healthz(gateway: Data<Gateway>) -> HttpResponse {
    let fleet = gateway.fleet().look();
    let ready = fleet.backends().iter().filter(|backend| backend.takes_requests()).count();
    let status = if ready > 0 { "ok" } else { "no pod is ready" };
    let mut body = json!({ "status": status, "pods_ready": ready, "pods": fleet.backends().len() });
    if let Some(replica) = gateway.replica() {
        // Alone it goes on all the same.
        body["sharing"] = replica.is_connected.into();
    }
    if ready > 0 { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

/// `GET /livez`: 200 as long as it serves at all.
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// `GET /readyz`: 200 while requests should come here, which is while some pod is ready and nobody has told the
/// gateway to end; else 503.
pub async fn readyz(gateway: Data<Gateway>) -> HttpResponse {
    if gateway.is_ending() {
        return HttpResponse::ServiceUnavailable().json(json!({ "status": "ending" }));
    }
    healthz(gateway).await
}

/// `GET /metrics`, in Prometheus's text format.
pub async fn prometheus(gateway: Data<Gateway>) -> HttpResponse {
    let tracker = gateway.router().tracker();
    let queue = gateway.admission().snapshot(0).await;
    let sight = Sight {
        fleet: &gateway.fleet().look(),
        top_users: &tracker.top_users(NAMED_USERS),
        all_tokens: tracker.total_tokens(),
        queue: queue.as_ref(),
    };
    let text = gateway.metrics().render() + &sight.render();
    HttpResponse::Ok().content_type(ContentType::plaintext()).body(text)
}

/// Something that is there, by another method.
pub async fn wrong_method(request: HttpRequest, allowed: &'static str) -> HttpResponse {
    let (method, path) = (request.method().to_string(), request.path().to_owned());
    let mut response = GatewayError::WrongMethod { method, path, allowed }.error_response();
    response.headers_mut().insert(REQUEST_ID, request_id(request.headers()));
    response
}

/// Anything else.
pub async fn nothing(request: HttpRequest) -> HttpResponse {
    let (method, path) = (request.method().to_string(), request.path().to_owned());
    let mut response = GatewayError::NotFound { method, path }.error_response();
    response.headers_mut().insert(REQUEST_ID, request_id(request.headers()));
    response
}
