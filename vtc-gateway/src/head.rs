//! How long the head of a request may be.

use actix_web::HttpRequest;

use crate::error::GatewayError;

/// Checks the length of the request's target and headers, each with the four bytes that part it from the next.
///
/// # Errors
/// [`GatewayError::LongHead`].
pub fn check(client: &HttpRequest, limit: usize) -> Result<(), GatewayError> {
    let target = client.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let headers = client.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if target + headers.sum::<usize>() > limit { Err(GatewayError::LongHead { limit }) } else { Ok(()) }
}
