//! What a client gets when it cannot get an answer: a status, OpenAI's error body, and when to come back.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};
use vtc_core::{InvalidTokens, RouteError, UnknownPolicy};

use crate::identity::LONGEST_NAME;
use crate::request::RequestError;

/// Why a request got no answer from a pod.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GatewayError {
    /// The body is not what the endpoint takes.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The header `user` is longer than a name may be.
    #[error("the header `user` is longer than the {LONGEST_NAME} bytes that a name may have")]
    LongUser,
    /// The body is longer than is allowed.
    #[error("the body is longer than the {limit} bytes that are allowed")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body did not arrive in time.
    #[error("the body did not arrive within {limit:?}")]
    TooSlow {
        /// How long it may take.
        limit: Duration,
    },
    /// The body broke off.
    #[error("the body cannot be read: {0}")]
    BrokenBody(String),
    /// No pod serves that model.
    #[error("the model {model:?} does not exist here; there are: {}", known.join(", "))]
    UnknownModel {
        /// The model asked for.
        model: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// The header `routing-strategy` names no policy.
    #[error(transparent)]
    Policy(#[from] UnknownPolicy),
    /// No pod is ready, or all have just gone.
    #[error("no pod is ready to serve this request: come back in {} s", RETRY_SECONDS)]
    NoPods,
    /// The last pod that was asked, maybe after others, did not bring its answer to an end.
    #[error("no pod answered; the last one that was asked: {0}")]
    PodFailed(String),
    /// There is nothing at this path, or not by this method.
    #[error("there is nothing at {method} {path}")]
    NotFound {
        /// The request's method.
        method: String,
        /// The request's path.
        path: String,
    },
    /// An estimate that is no number: cannot come from a real request.
    #[error(transparent)]
    Tokens(#[from] InvalidTokens),
}

/// When to come back while no pod is ready: readiness is looked at every few seconds.
const RETRY_SECONDS: u64 = 2;

/// OpenAI's error body.
#[must_use]
pub fn openai_error(message: &str, kind: &str, code: &str, param: Option<&str>) -> Value {
    json!({ "error": { "message": message, "type": kind, "code": code, "param": param } })
}

// === impl GatewayError ===

impl GatewayError {
    /// A word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Request(_) | Self::LongUser | Self::BrokenBody(_) | Self::Tokens(_) => "invalid_request",
            Self::TooLarge { .. } => "request_too_large",
            Self::TooSlow { .. } => "request_timeout",
            Self::UnknownModel { .. } => "model_not_found",
            Self::Policy(_) => "unknown_routing_strategy",
            Self::NoPods => "no_ready_pods",
            Self::PodFailed(_) => "pod_failed",
            Self::NotFound { .. } => "not_found",
        }
    }

    fn param(&self) -> Option<&str> {
        match self {
            Self::Request(error) => error.param(),
            Self::LongUser => Some("user"),
            Self::UnknownModel { .. } => Some("model"),
            Self::Policy(_) => Some("routing-strategy"),
            _ => None,
        }
    }
}

impl From<RouteError> for GatewayError {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::NoPods => Self::NoPods,
            RouteError::Tokens(error) => Self::Tokens(error),
        }
    }
}

impl ResponseError for GatewayError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Request(_) | Self::LongUser | Self::BrokenBody(_) | Self::Policy(_) | Self::Tokens(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::UnknownModel { .. } | Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::NoPods => StatusCode::SERVICE_UNAVAILABLE,
            Self::PodFailed(_) => StatusCode::BAD_GATEWAY,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let kind = if status.is_client_error() { "invalid_request_error" } else { "server_error" };
        let mut response = HttpResponse::build(status);
        if matches!(self, Self::NoPods) {
            response.insert_header((RETRY_AFTER, RETRY_SECONDS));
        }
        if matches!(self, Self::TooLarge { .. } | Self::TooSlow { .. } | Self::BrokenBody(_)) {
            // What is left of the body is not read: the connection cannot carry another request.
            response.force_close();
        }
        response.json(openai_error(&self.to_string(), kind, self.code(), self.param()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_openais_shape_and_its_status() {
        let unknown =
            GatewayError::UnknownModel { model: "gpt-9".into(), known: vec!["a".into(), "b".into()] };
        let cases = [
            (GatewayError::Request(RequestError::NotAnObject), 400),
            (GatewayError::LongUser, 400),
            (GatewayError::TooLarge { limit: 5 }, 413),
            (GatewayError::TooSlow { limit: Duration::from_secs(5) }, 408),
            (unknown.clone(), 404),
            (GatewayError::Policy(UnknownPolicy { name: "x".into() }), 400),
            (GatewayError::NoPods, 503),
            (GatewayError::PodFailed("refused".into()), 502),
            (GatewayError::NotFound { method: "GET".into(), path: "/x".into() }, 404),
        ];
        for (error, status) in cases {
            let response = error.error_response();
            assert_eq!(response.status().as_u16(), status, "{error}");
            assert_eq!(response.headers().contains_key(RETRY_AFTER), status == 503, "{error}");
        }
        assert_eq!(unknown.to_string(), "the model \"gpt-9\" does not exist here; there are: a, b");
        assert_eq!(
            openai_error("m", "t", "c", None).to_string(),
            r#"{"error":{"code":"c","message":"m","param":null,"type":"t"}}"#
        );
    }
}
