//! A request's body, read whole, within its limits.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use crate::error::GatewayError;
use crate::settings::Limits;

/// Reads the body: not copied if it comes in one piece.
///
/// # Errors
/// [`GatewayError::TooLarge`] at once if the client announces too much, else when it has sent too much;
/// [`GatewayError::TooSlow`]; [`GatewayError::BrokenBody`].
pub async fn read(request: &HttpRequest, payload: Payload, limits: Limits) -> Result<Bytes, GatewayError> {
    let limit = limits.body_bytes;
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit as u64) {
        return Err(GatewayError::TooLarge { limit });
    }
    match tokio::time::timeout(limits.body_timeout, collect(payload, limit)).await {
        Ok(body) => body,
        Err(_) => Err(GatewayError::TooSlow { limit: limits.body_timeout }),
    }
}

async fn collect(mut payload: Payload, limit: usize) -> Result<Bytes, GatewayError> {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| GatewayError::BrokenBody(error.to_string()))?;
        if first.len() + joined.len() + chunk.len() > limit {
            return Err(GatewayError::TooLarge { limit });
        }
        if first.is_empty() && joined.is_empty() {
            first = chunk;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&chunk);
        }
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}
