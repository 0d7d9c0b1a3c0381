//! What an admin may have done: pods put, taken away, drained. All of it stands behind the [guard](super::guard).

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpResponse, ResponseError};
use serde::Deserialize;
use serde_json::json;

use crate::error::{Shape, Told};
use crate::fleet::{Order, OrderError};
use crate::gateway::Gateway;
use crate::settings::{PodSetting, Secret};

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderRefused {
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
    api_key: Option<Secret>,
    #[serde(default)]
    max_waiting: Option<u64>,
    #[serde(default)]
    max_kv_usage: Option<f64>,
}

/// `PUT /v1/vtc/pods/{name}`: that pod shall be there, until the gateway ends.
pub(crate) async fn put(
    name: Path<String>,
    body: Bytes,
    gateway: Data<Gateway>,
) -> Result<HttpResponse, OrderRefused> {
    let put: PutPod = serde_json::from_slice(&body)?;
    let pod = PodSetting {
        max_running: put.max_running,
        max_tokens: put.max_tokens,
        max_waiting: put.max_waiting,
        max_kv_usage: put.max_kv_usage,
        api_key: put.api_key,
        ..PodSetting::new(name.into_inner(), put.url)
    };
    carry_out(Order::Put(pod), &gateway).await
}

/// `DELETE /v1/vtc/pods/{name}`: that pod, which was put, shall be there no more.
pub(crate) async fn remove(name: Path<String>, gateway: Data<Gateway>) -> Result<HttpResponse, OrderRefused> {
    carry_out(Order::Remove(name.into_inner()), &gateway).await
}

/// `POST /v1/vtc/pods/{name}/drain`: that pod shall get no new requests.
pub(crate) async fn drain(name: Path<String>, gateway: Data<Gateway>) -> Result<HttpResponse, OrderRefused> {
    carry_out(Order::Drain(name.into_inner()), &gateway).await
}

/// `POST /v1/vtc/pods/{name}/undrain`: it shall get requests again.
pub(crate) async fn undrain(
    name: Path<String>,
    gateway: Data<Gateway>,
) -> Result<HttpResponse, OrderRefused> {
    carry_out(Order::Undrain(name.into_inner()), &gateway).await
}

async fn carry_out(order: Order, gateway: &Gateway) -> Result<HttpResponse, OrderRefused> {
    tracing::info!(?order, "an admin's order");
    gateway.fleet().order(order).await?;
    Ok(HttpResponse::Ok().json(json!({ "status": "ok" })))
}

// === impl OrderRefused ===

impl OrderRefused {
    const fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Body(_) | Self::Order(OrderError::Setting(_)) => {
                (StatusCode::BAD_REQUEST, "invalid_request")
            }
            Self::Order(OrderError::NoSuchPod(_)) => (StatusCode::NOT_FOUND, "pod_not_found"),
            Self::Order(OrderError::Listed { .. }) => (StatusCode::CONFLICT, "pod_listed"),
            Self::Order(OrderError::Ending) => (StatusCode::SERVICE_UNAVAILABLE, "gateway_ending"),
        }
    }
}

impl ResponseError for OrderRefused {
    fn status_code(&self) -> StatusCode {
        self.status_and_code().0
    }

    fn error_response(&self) -> HttpResponse {
        let (status, code) = self.status_and_code();
        let message = self.to_string();
        let told = Told { status, message: &message, code, param: None };
        HttpResponse::build(status).json(Shape::OpenAi.body(&told))
    }
}
