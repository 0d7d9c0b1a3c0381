//! What a pod answers when it cannot serve, in OpenAI's shape.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;

use crate::demo::engine::admission::Refused;

/// An HTTP error with a body `{"error": {message, type, code, param}}`.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct ApiError {
    status: StatusCode,
    message: String,
    code: Option<&'static str>,
    /// The field of the request that is wrong.
    param: Option<&'static str>,
}

// === impl ApiError ===

impl ApiError {
    /// 400: the body is not what the endpoint takes.
    pub(super) fn bad_body(error: &serde_json::Error) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            message: format!("the body is not a valid JSON request: {error}"),
            code: None,
            param: None,
        }
    }

    /// 400: one field has a value that cannot be served.
    pub(super) fn bad_field(param: &'static str, message: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.to_owned(), code: None, param: Some(param) }
    }

    /// 404: this pod serves one model, and it is another.
    pub(super) fn unknown_model(asked: &str, served: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            message: format!("the model `{asked}` does not exist here, `{served}` does"),
            code: Some("model_not_found"),
            param: Some("model"),
        }
    }

    /// 404: no such path, or not with this method.
    pub(super) fn unknown_route(method: &str, path: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            message: format!("{method} {path} does not exist"),
            code: None,
            param: None,
        }
    }

    /// The body did not arrive whole; the status is the web server's.
    pub(super) fn unread(error: &actix_web::Error) -> Self {
        Self {
            status: error.as_response_error().status_code(),
            message: error.to_string(),
            code: None,
            param: None,
        }
    }

    /// 500: the engine stopped in the middle of the request.
    pub(super) fn interrupted() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            message: "the engine stopped before the answer was complete: try again".to_owned(),
            code: None,
            param: None,
        }
    }
}

/// 400 for what is too long; 500 for a pod that is set up to serve nothing.
impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let (status, code) = match refused {
            Refused::PromptTooLong { .. } | Refused::ContextTooLong { .. } => {
                (StatusCode::BAD_REQUEST, Some("context_length_exceeded"))
            }
            Refused::NothingRuns => (StatusCode::INTERNAL_SERVER_ERROR, None),
        };
        Self { status, message: refused.to_string(), code, param: None }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let kind = if self.status.is_client_error() { "invalid_request_error" } else { "server_error" };
        HttpResponse::build(self.status).json(json!({
            "error": {
                "message": self.message,
                "type": kind,
                "code": self.code,
                "param": self.param,
            }
        }))
    }
}
