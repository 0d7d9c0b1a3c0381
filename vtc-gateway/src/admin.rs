//! What an admin may have done: pods put, taken away, drained.

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Deserialize;
use serde_json::json;

use crate::error::openai_error;
use crate::fleet::{Order, OrderError};
use crate::gateway::Gateway;
use crate::settings::PodSetting;

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    #[error("only an admin may do this, and for now that is whoever asks from the gateway's own machine")]
    Forbidden,
    #[error("the body is not what this takes: {0}")]
    Body(#[from] serde_json::Error),
    #[error(transparent)]
    Order(#[from] OrderError),
}

/// The body of `PUT /v1/vtc/pods/{name}`: a pod of the settings without its name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PutPod {
    url: String,
    #[serde(default)]
    max_running: Option<usize>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    max_waiting: Option<u64>,
    #[serde(default)]
    max_kv_usage: Option<f64>,
}

/// `PUT /v1/vtc/pods/{name}`: that pod shall be there, until the gateway ends.
pub(crate) async fn put(
    request: HttpRequest,
    name: Path<String>,
    body: Bytes,
    gateway: Data<Gateway>,
) -> Result<HttpResponse, AdminError> {
    // Who may not ask is told nothing about what was asked.
    allow(&request)?;
    let PutPod { url, max_running, max_tokens, max_waiting, max_kv_usage } = serde_json::from_slice(&body)?;
    let name = name.into_inner();
    let pod = PodSetting { name, url, max_running, max_tokens, max_waiting, max_kv_usage };
    carry_out(&request, Order::Put(pod), &gateway).await
}

/// `DELETE /v1/vtc/pods/{name}`: that pod, which was put, shall be there no more.
pub(crate) async fn remove(
    request: HttpRequest,
    name: Path<String>,
    gateway: Data<Gateway>,
) -> Result<HttpResponse, AdminError> {
    carry_out(&request, Order::Remove(name.into_inner()), &gateway).await
}

/// `POST /v1/vtc/pods/{name}/drain`: that pod shall get no new requests.
pub(crate) async fn drain(
    request: HttpRequest,
    name: Path<String>,
    gateway: Data<Gateway>,
) -> Result<HttpResponse, AdminError> {
    carry_out(&request, Order::Drain(name.into_inner()), &gateway).await
}

/// `POST /v1/vtc/pods/{name}/undrain`: it shall get requests again.
pub(crate) async fn undrain(
    request: HttpRequest,
    name: Path<String>,
    gateway: Data<Gateway>,
) -> Result<HttpResponse, AdminError> {
    carry_out(&request, Order::Undrain(name.into_inner()), &gateway).await
}

async fn carry_out(
    request: &HttpRequest,
    order: Order,
    gateway: &Gateway,
) -> Result<HttpResponse, AdminError> {
    allow(request)?;
    tracing::info!(?order, "an admin's order");
    gateway.fleet().order(order).await?;
    Ok(HttpResponse::Ok().json(json!({ "status": "ok" })))
}

fn allow(request: &HttpRequest) -> Result<(), AdminError> {
    if is_admin(request) { Ok(()) } else { Err(AdminError::Forbidden) }
}

/// Whether this comes from an admin: from the gateway's own machine. A proxy there makes everybody one.
fn is_admin(request: &HttpRequest) -> bool {
    request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback())
}

// === impl AdminError ===

impl AdminError {
    const fn code(&self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Body(_) | Self::Order(OrderError::Setting(_)) => "invalid_request",
            Self::Order(OrderError::NoSuchPod(_)) => "pod_not_found",
            Self::Order(OrderError::Listed { .. }) => "pod_listed",
            Self::Order(OrderError::Ending) => "gateway_ending",
        }
    }
}

impl ResponseError for AdminError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Body(_) | Self::Order(OrderError::Setting(_)) => StatusCode::BAD_REQUEST,
            Self::Order(OrderError::NoSuchPod(_)) => StatusCode::NOT_FOUND,
            Self::Order(OrderError::Listed { .. }) => StatusCode::CONFLICT,
            Self::Order(OrderError::Ending) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let kind = match self {
            Self::Order(OrderError::Ending) => "server_error",
            _ => "invalid_request_error",
        };
        HttpResponse::build(self.status_code()).json(openai_error(&self.to_string(), kind, self.code(), None))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn an_admin_asks_from_the_gateways_own_machine() {
        let from =
            |peer: &str| is_admin(&TestRequest::default().peer_addr(peer.parse().unwrap()).to_http_request());
        assert!(from("127.0.0.1:9") && from("[::1]:9") && from("[::ffff:127.0.0.1]:9"));
        assert!(!from("10.0.0.1:9") && !from("[fd00::1]:9") && !from("[::ffff:10.0.0.1]:9"));
        assert!(!is_admin(&TestRequest::default().to_http_request()), "nobody knows");
    }
}
