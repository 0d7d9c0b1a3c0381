//! Why a request went when it did, and where: headers for whoever asks, and a page in the [`terminal`].

pub mod terminal;

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{HeaderMap, HeaderName};
use vtc_actor::dispatcher::Grant;

use crate::pass::Pass;

/// The header by which a client asks: any value but `0` will do.
pub const EXPLAIN: HeaderName = HeaderName::from_static("x-vtc-explain");
/// How long the request waited for its turn, in milliseconds.
const WAIT: HeaderName = HeaderName::from_static("x-vtc-wait-ms");
/// Its user's virtual counter when its turn came, in weighted tokens per weight.
const COUNTER: HeaderName = HeaderName::from_static("x-vtc-counter");
/// How many users were to go before its user when it came.
const RANK: HeaderName = HeaderName::from_static("x-vtc-rank");
/// The pod.
const POD: HeaderName = HeaderName::from_static("x-vtc-pod");
/// All that in words.
const REASON: HeaderName = HeaderName::from_static("x-vtc-reason");

/// Every header of an explanation: only the gateway itself sets them.
pub(crate) static HEADERS: [HeaderName; 5] = [WAIT, COUNTER, RANK, POD, REASON];

/// Whether the client wants to know.
pub(crate) fn is_wanted(client: &HeaderMap) -> bool {
    client.get(&EXPLAIN).is_some_and(|value| value != "0")
}

/// Tells how the request came to its pod.
pub(crate) fn tell(pass: &Pass, policy: &str, response: &mut HttpResponseBuilder) {
    // A pod's name is checked to be fit for a header when it is configured.
    response.insert_header((POD, pass.pod().name()));
    let Some(grant) = pass.grant() else {
        response.insert_header((REASON, format!("no queue; {policy} chose the pod")));
        return;
    };
    response.insert_header((WAIT, format!("{:.3}", grant.waited.as_secs_f64() * 1e3)));
    response.insert_header((COUNTER, grant.counter.as_f64().to_string()));
    if let Some(ahead) = grant.ahead {
        response.insert_header((RANK, ahead));
    }
    response.insert_header((REASON, reason(grant)));
}

fn reason(grant: &Grant) -> String {
    let turn = match grant.ahead {
        Some(0) => "nobody was to go before its user".to_owned(),
        Some(1) => "1 user was to go before its own".to_owned(),
        Some(ahead) => format!("{ahead} users were to go before its own"),
        None => "its user had as much running as one may".to_owned(),
    };
    format!("{}: {turn}; {} chose the pod", grant.discipline, grant.policy)
}
