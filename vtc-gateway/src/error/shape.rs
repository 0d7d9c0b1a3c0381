//! How each API writes an error: as a body, and as an event of a stream that has begun.

use actix_web::http::StatusCode;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::request::Endpoint;

/// An error, however it is written.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The status that it has, or would have if the answer had not begun.
    pub status: StatusCode,
    /// What is wrong and what to do, in words.
    pub message: &'a str,
    /// A word for programs.
    pub code: &'a str,
    /// The part of the request that is wrong, if it is one.
    pub param: Option<&'a str>,
}

/// Whose API it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// OpenAI's, and whatever has none of its own.
    OpenAi,
    /// OpenAI's responses, which name each event.
    Responses,
    /// Anthropic's messages.
    Anthropic,
}

// === impl Shape ===

impl Shape {
    /// The shape that clients of that endpoint understand.
    #[must_use]
    pub const fn of(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::Messages => Self::Anthropic,
            Endpoint::Responses => Self::Responses,
            _ => Self::OpenAi,
        }
    }

    /// The body of a reply that is nothing but this error. Anthropic's has the word for programs besides.
    #[must_use]
    pub fn body(self, told: &Told<'_>) -> Value {
        let Told { message, code, param, .. } = told;
        match self {
            Self::OpenAi | Self::Responses => {
                let kind = openai_kind(told.status);
                json!({ "error": { "message": message, "type": kind, "code": code, "param": param } })
            }
            Self::Anthropic => {
                let kind = anthropic_kind(told.status);
                json!({ "type": "error", "error": { "type": kind, "message": message, "code": code } })
            }
        }
    }

    /// The last event of a stream that breaks off with this error.
    #[must_use]
    pub fn event(self, told: &Told<'_>) -> Bytes {
        let Told { message, code, param, .. } = told;
        Bytes::from(match self {
            Self::OpenAi => format!("data: {}\n\n", self.body(told)),
            Self::Responses => {
                let data = json!({ "type": "error", "code": code, "message": message, "param": param });
                format!("event: error\ndata: {data}\n\n")
            }
            Self::Anthropic => format!("event: error\ndata: {}\n\n", self.body(told)),
        })
    }
}

/// OpenAI's words for kinds of errors go by the status.
fn openai_kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

/// And so do Anthropic's.
fn anthropic_kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        504 => "timeout_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: Told<'static> =
        Told { status: StatusCode::SERVICE_UNAVAILABLE, message: "m", code: "c", param: None };

    #[test]
    fn openais_kinds_go_by_the_status() {
        let kinds = [400, 401, 403, 404, 408, 409, 413, 429, 431, 500, 502, 503, 504]
            .map(|status| openai_kind(StatusCode::from_u16(status).unwrap()));
        let (request, server) = ("invalid_request_error", "server_error");
        assert_eq!(kinds[..3], [request, "authentication_error", "permission_error"]);
        assert_eq!(kinds[3..9], [request, request, request, request, "rate_limit_error", request]);
        assert_eq!(kinds[9..], [server; 4]);
    }

    #[test]
    fn each_api_has_its_own() {
        let openai = r#"{"error":{"code":"c","message":"m","param":null,"type":"server_error"}}"#;
        let anthropic = r#"{"error":{"code":"c","message":"m","type":"overloaded_error"},"type":"error"}"#;
        let responses = r#"{"code":"c","message":"m","param":null,"type":"error"}"#;
        for (endpoint, body, event) in [
            (Endpoint::ChatCompletions, openai, format!("data: {openai}\n\n")),
            (Endpoint::Responses, openai, format!("event: error\ndata: {responses}\n\n")),
            (Endpoint::Messages, anthropic, format!("event: error\ndata: {anthropic}\n\n")),
        ] {
            let shape = Shape::of(endpoint);
            assert_eq!(shape.body(&TOLD).to_string(), body);
            assert_eq!(shape.event(&TOLD), event);
        }
    }
}
