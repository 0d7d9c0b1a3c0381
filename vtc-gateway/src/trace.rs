//! Traces of requests over several services, as W3C's Trace Context has them.
//!
//! What a client says in `traceparent` and `tracestate` goes on to the pod. With the feature `otel`, and a collector
//! configured, the gateway is a service on the way: it adds spans of its own, the pod's parent is one of them, and where a
//! client has begun no trace it begins one.

#[cfg(feature = "otel")]
mod collector;
#[cfg(feature = "otel")]
mod otel;
#[cfg(not(feature = "otel"))]
mod without;

use std::time::Duration;

use actix_web::http::header::HeaderMap;
use vtc_core::Usage;

use crate::record::Decision;

#[cfg(feature = "otel")]
pub(crate) use self::otel::{Spans, Traces};
#[cfg(not(feature = "otel"))]
pub(crate) use self::without::{Spans, Traces};

/// What is told of a request.
pub(crate) struct Told<'a> {
    pub(crate) status: Option<u16>,
    /// The code of the error with which it ended.
    pub(crate) error: Option<&'static str>,
    pub(crate) user: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    pub(crate) pod: Option<&'a str>,
    pub(crate) policy: Option<&'static str>,
    /// How long it waited in the queue, if there is one.
    pub(crate) waited: Option<Duration>,
    pub(crate) usage: Option<Usage>,
}

// === impl Told ===

impl<'a> Told<'a> {
    /// What is told of that one; its user only if users are named.
    pub(crate) fn of(decision: &'a Decision, names_users: bool) -> Self {
        Self {
            status: decision.status,
            error: decision.error(),
            user: decision.account.as_deref().filter(|_| names_users),
            model: decision.model.as_deref(),
            pod: decision.tries.last().map(|last| &*last.pod),
            policy: Some(decision.policy).filter(|policy| !policy.is_empty()),
            waited: decision.turn.map(|turn| turn.waited),
            usage: decision.usage(),
        }
    }
}

/// The name of the trace that a client says its request belongs to: 32 digits. Source: W3C Trace Context, section 3.2.
pub(crate) fn trace_id(headers: &HeaderMap) -> Option<String> {
    let mut parents = headers.get_all("traceparent");
    let (parent, None) = (parents.next()?.to_str().ok()?, parents.next()) else { return None };
    let mut parts = parent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_any = |part: &str| part.bytes().any(|it| it != b'0');
    // Later versions may have more to say.
    let is_whole = version > "00" || parts.next().is_none();
    let is_fit = is_hex(version, 2) && version != "ff" && is_whole && is_hex(flags, 2);
    let is_named = is_hex(trace, 32) && is_any(trace) && is_hex(span, 16) && is_any(span);
    (is_fit && is_named).then(|| trace.to_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn read(parents: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for parent in parents {
            headers.append(HeaderName::from_static("traceparent"), HeaderValue::from_str(parent).unwrap());
        }
        trace_id(&headers)
    }

    #[test]
    fn a_trace_has_a_name_only_if_all_of_its_header_is_fit() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        const FIT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(read(&[FIT]).as_deref(), Some(TRACE));
        assert_eq!(read(&[&format!("cc{}-more", &FIT[2..])]).as_deref(), Some(TRACE));
        for unfit in [
            String::new(),
            format!("{FIT}-more"),
            format!("ff{}", &FIT[2..]),
            FIT.to_uppercase(),
            FIT.replace(TRACE, &"0".repeat(32)),
            FIT.replace("00f067aa0ba902b7", &"0".repeat(16)),
            FIT[..FIT.len() - 3].to_owned(),
            FIT.replace("-01", "-1"),
            FIT.replace("4bf", "4b"),
        ] {
            assert_eq!(read(&[&unfit]), None, "{unfit}");
        }
        assert_eq!((read(&[]), read(&[FIT, FIT])), (None, None));
    }
}
