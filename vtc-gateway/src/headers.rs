//! Which headers pass, and which end at the gateway.

use actix_web::http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
};
use uuid::Uuid;

use crate::explain::{self, EXPLAIN};
use crate::identity::Rules;
use crate::quota;

/// The header by which a request chooses its policy, and a reply says which it was.
pub const ROUTING_STRATEGY: HeaderName = HeaderName::from_static("routing-strategy");
/// The header by which a reply says which pod served it.
pub const TARGET_POD: HeaderName = HeaderName::from_static("target-pod");
/// The header that names the request in replies.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// The same, as pods know it.
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers that are about one connection. Source: RFC 9110, section 7.6.1.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What the gateway says to the pod itself. It has to read the answer, so it asks for none that is compressed.
const NOT_TO_PODS: [HeaderName; 7] =
    [HOST, CONTENT_LENGTH, EXPECT, ACCEPT_ENCODING, ROUTING_STRATEGY, X_REQUEST_ID, EXPLAIN];

/// What the gateway says to the client itself, besides explanations and limits.
static OWN: [HeaderName; 4] = [CONTENT_LENGTH, TARGET_POD, ROUTING_STRATEGY, REQUEST_ID];

/// The client's headers that the pod gets, and the request's name. Who the user is, is none of the pod's business.
#[must_use]
pub fn to_pod(client: &HeaderMap, request_id: &HeaderValue, rules: &Rules) -> HeaderMap {
    let named = named(client.get_all(CONNECTION).map(|names| names.as_bytes()));
    let mut headers = HeaderMap::with_capacity(client.len());
    for (name, value) in client {
        let is_out = NOT_TO_PODS.contains(name) || rules.is_identity(name);
        if !is_out && is_end_to_end(name.as_str(), &named) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers.insert(X_REQUEST_ID, request_id.clone());
    headers
}

/// Whether a pod's header is for the client: what the gateway says itself is not, nor the length, which is set anew, since a
/// stream may have become shorter. Names are in small letters.
#[must_use]
pub(crate) fn is_for_client(name: &str, named: &[&str]) -> bool {
    let mut own = OWN.iter().chain(&explain::HEADERS).chain(quota::headers());
    !own.any(|own| own.as_str() == name) && is_end_to_end(name, named)
}

/// The headers that `connection` names: they are about this connection, too. It may stand more than once.
#[must_use]
pub(crate) fn named<'a>(connection: impl IntoIterator<Item = &'a [u8]>) -> Vec<&'a str> {
    let names = connection.into_iter().filter_map(|names| std::str::from_utf8(names).ok());
    names.flat_map(|names| names.split(',')).map(str::trim).collect()
}

fn is_end_to_end(name: &str, named: &[&str]) -> bool {
    !HOP_BY_HOP.contains(&name) && !named.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// The name that the client gave the request, if it is short visible text; else a new one.
#[must_use]
pub fn request_id(client: &HeaderMap) -> HeaderValue {
    let given = client.get(&REQUEST_ID).or_else(|| client.get(&X_REQUEST_ID));
    let is_fit = |id: &&HeaderValue| id.len() <= 128 && !id.is_empty() && id.to_str().is_ok();
    let fresh = || HeaderValue::from_str(&Uuid::new_v4().to_string());
    // A UUID is visible text: the alternative is never taken.
    given.filter(is_fit).cloned().unwrap_or_else(|| fresh().unwrap_or(HeaderValue::from_static("")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_pod_gets_what_is_meant_for_it() {
        let client = headers(&[
            ("host", "gateway"),
            ("authorization", "Bearer k"),
            ("content-type", "application/json"),
            ("content-length", "5"),
            ("accept-encoding", "gzip"),
            ("user", "alice"),
            ("routing-strategy", "random"),
            ("x-vtc-explain", "1"),
            ("connection", "keep-alive, X-Private"),
            ("x-private", "1"),
            ("x-public", "2"),
            ("transfer-encoding", "chunked"),
        ]);
        let names = |rules: &Rules| {
            let pod = to_pod(&client, &HeaderValue::from_static("id-1"), rules);
            let mut names: Vec<_> = pod.keys().map(|name| name.as_str().to_owned()).collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names(&Rules::default()), ["content-type", "x-public", "x-request-id"]);
        let forwarding = Rules { forward_authorization: true, ..Rules::default() };
        assert_eq!(names(&forwarding), ["authorization", "content-type", "x-public", "x-request-id"]);
        let pod = to_pod(&client, &HeaderValue::from_static("id-1"), &forwarding);
        assert_eq!(pod.get("x-request-id").unwrap(), "id-1");
    }

    #[test]
    fn a_client_gets_what_the_pod_says_except_what_the_gateway_says_itself() {
        let named = named([&b"close, X-Private"[..], b"x-other"]);
        for name in ["content-type", "x-a", "retry-after"] {
            assert!(is_for_client(name, &named), "{name}");
        }
        let forged =
            ["target-pod", "routing-strategy", "request-id", "x-vtc-rank", "x-ratelimit-limit-tokens"];
        let of_the_connection = ["content-length", "connection", "keep-alive", "x-private", "x-other"];
        for name in forged.into_iter().chain(of_the_connection) {
            assert!(!is_for_client(name, &named), "{name}");
        }
    }

    #[test]
    fn a_fit_name_of_the_request_is_kept() {
        assert_eq!(request_id(&headers(&[("x-request-id", "mine")])), "mine");
        assert_eq!(request_id(&headers(&[("request-id", "mine"), ("x-request-id", "other")])), "mine");
        let long = "x".repeat(129);
        for unfit in [headers(&[]), headers(&[("request-id", "")]), headers(&[("request-id", &long)])] {
            assert_eq!(request_id(&unfit).len(), 36);
        }
    }
}
