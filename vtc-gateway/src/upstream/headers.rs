//! Headers between the two libraries that have a type for them: one serves clients, one asks pods.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use http::header::CONNECTION;

use crate::headers::{is_for_client, named};

/// Puts a request's headers beside those that are there.
pub(super) fn put(headers: &HeaderMap, request: &mut http::HeaderMap) {
    request.reserve(headers.len());
    for (name, value) in headers {
        // What is fit for the one is fit for the other.
        let name = http::HeaderName::from_bytes(name.as_str().as_bytes());
        let value = http::HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            request.append(name, value);
        }
    }
}

/// The headers of an answer that are the client's.
pub(super) fn to_client(answer: &http::HeaderMap) -> HeaderMap {
    let named = named(answer.get_all(CONNECTION).iter().map(|names| names.as_bytes()));
    let mut headers = HeaderMap::with_capacity(answer.len());
    for (name, value) in answer.iter().filter(|(name, _)| is_for_client(name.as_str(), &named)) {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}
