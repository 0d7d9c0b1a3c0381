//! `GET /v1/vtc/requests` and `GET /v1/vtc/explain/{request-id}`.

use actix_web::web::{Data, Path, Query};
use actix_web::{Error, HttpResponse, ResponseError};
use serde::{Deserialize, Serialize};

use super::Story;
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::request::RequestError;

/// What may stand behind `/v1/vtc/requests?`.
#[derive(Debug, Deserialize)]
pub struct RequestsQuery {
    /// How many requests at most.
    #[serde(default = "hundred")]
    limit: usize,
    /// Only those of that account.
    user: Option<String>,
}

const fn hundred() -> usize {
    100
}

#[derive(Debug, Serialize)]
struct Requests<'a> {
    /// How many are kept.
    kept: usize,
    /// The newest end first.
    requests: Vec<Story<'a>>,
}

/// `GET /v1/vtc/requests?limit=N&user=ACCOUNT`: the last that have ended.
pub async fn requests(gateway: Data<Gateway>, query: Result<Query<RequestsQuery>, Error>) -> HttpResponse {
    let Ok(query) = query else {
        let error = RequestError::Wrong { param: "limit", wanted: "a whole number, 0 or more" };
        return GatewayError::Request(error).error_response();
    };
    let record = gateway.record();
    let latest = record.latest(if query.user.is_some() { record.room() } else { query.limit });
    let is_wanted = |account: Option<&str>| query.user.as_deref().is_none_or(|user| account == Some(user));
    let wanted = latest.iter().filter(|decision| is_wanted(decision.account.as_deref()));
    let requests = wanted.take(query.limit).map(|decision| Story::of(decision, record, false)).collect();
    HttpResponse::Ok().json(Requests { kept: record.room(), requests })
}

/// `GET /v1/vtc/explain/{request-id}`: the path of one of them.
pub async fn explain(gateway: Data<Gateway>, id: Path<String>) -> HttpResponse {
    let record = gateway.record();
    match record.find(&id) {
        Some(decision) => HttpResponse::Ok().json(Story::of(&decision, record, true)),
        None => GatewayError::UnknownRequest { id: id.into_inner(), kept: record.room() }.error_response(),
    }
}
