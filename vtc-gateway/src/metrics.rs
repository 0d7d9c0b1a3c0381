//! What the gateway counts, by which names, and how they are shown.

mod sight;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

pub use self::sight::Sight;

const REQUESTS: &str = "vtc_gateway_requests_total";
const RETRIES: &str = "vtc_gateway_retries_total";
const RETRIES_REFUSED: &str = "vtc_gateway_retries_refused_total";
const BREAKERS: &str = "vtc_gateway_breaker_openings_total";
const CERTIFICATES: &str = "vtc_gateway_certificate_failures_total";
const DISCOVERY: &str = "vtc_gateway_discovery_failures_total";
const RECONNECTS: &str = "vtc_gateway_reconnects_total";
const TOKENS: &str = "vtc_gateway_tokens_total";
const HEAD: &str = "vtc_gateway_time_to_head_seconds";
const QUEUE_WAIT: &str = "vtc_gateway_queue_wait_seconds";
const IDENTITIES: &str = "vtc_gateway_identities_total";
const FORGED: &str = "vtc_gateway_ignored_user_headers_total";
const LIMITED: &str = "vtc_gateway_limited_total";
const RELOADS: &str = "vtc_gateway_config_reloads_total";
const RELOADED: &str = "vtc_gateway_config_last_reload_successful";
const IN_FORCE: &str = "vtc_gateway_config_last_success_timestamp_seconds";
/// Set by the core whenever it publishes the extremes; AIBrix's name.
const BUCKET: &str = "vtc_bucket_size_active";

/// Upper bounds in seconds: from a small prompt on an idle pod to a long one in a queue.
const SECONDS: [f64; 14] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// At ten thousand requests a second that is half a megabyte of times.
const ADD_UP_EVERY: Duration = Duration::from_secs(5);

/// Makes the process's metrics go to Prometheus's text format; the same handle however often it is asked for.
///
/// # Errors
/// Another recorder is installed in this process.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let mut builder = PrometheusBuilder::new();
    for name in [HEAD, QUEUE_WAIT] {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), &SECONDS)?;
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    // A second gateway in the same process may have been faster: then its recorder is the one.
    if HANDLE.set(handle).is_ok() {
        metrics::set_global_recorder(recorder).map_err(|_| BuildError::FailedToSetGlobalRecorder(other()))?;
        describe();
    }
    HANDLE.get().cloned().ok_or(BuildError::FailedToSetGlobalRecorder(other()))
}

/// Adds up what was recorded, again and again; runs until it is dropped. The exporter keeps every recorded time by
/// itself until then, or until somebody fetches the metrics, which may be never.
pub async fn keep_added_up(add_up: impl Fn()) {
    loop {
        tokio::time::sleep(ADD_UP_EVERY).await;
        add_up();
    }
}

fn other() -> metrics::SetRecorderError<metrics_exporter_prometheus::PrometheusRecorder> {
    metrics::SetRecorderError(PrometheusBuilder::new().build_recorder())
}

fn describe() {
    metrics::describe_counter!(
        REQUESTS,
        "Requests that go to pods, by endpoint (/v1/* for those that the gateway does not know) and status of the reply"
    );
    metrics::describe_counter!(
        RETRIES,
        "Requests given to another pod because the first failed before it answered"
    );
    metrics::describe_counter!(
        RETRIES_REFUSED,
        "Requests that were not given to another pod, because of late too many were: they failed"
    );
    metrics::describe_counter!(
        BREAKERS,
        "How often a pod got no more requests because it failed those it got"
    );
    metrics::describe_counter!(
        DISCOVERY,
        "How often a source of pods could not be read, by source: file or dns. What it said before counted"
    );
    metrics::describe_counter!(
        CERTIFICATES,
        "How often the certificate for clients was to be read again and was broken, so that the old one stays in force"
    );
    metrics::describe_counter!(
        RECONNECTS,
        "Requests sent once more to the same pod, because it had closed the connection that they were to use again"
    );
    metrics::describe_counter!(TOKENS, "Tokens that pods reported in usage, by direction");
    metrics::describe_histogram!(
        HEAD,
        "Seconds from a request's body to the first of its pod's reply, the wait for its turn included"
    );
    metrics::describe_histogram!(
        QUEUE_WAIT,
        "Seconds that requests waited for their turn, also those that waited in vain, by pool"
    );
    metrics::describe_counter!(
        IDENTITIES,
        "Requests by how it is known who asks: key, header, address or anonymous; refused, if by a wrong key or none"
    );
    metrics::describe_counter!(
        FORGED,
        "Requests whose header named a user but came from where that is not trusted, so that it was ignored"
    );
    metrics::describe_counter!(
        LIMITED,
        "Requests refused because their account had as much as it may, by limit: requests, tokens or in_flight"
    );
    metrics::describe_counter!(
        RELOADS,
        "How often the configuration was read again, by outcome: applied, or failed, after which the one before is in force"
    );
    metrics::describe_gauge!(
        RELOADED,
        "Whether the configuration as it was last read is in force: 1; 0 if it was refused"
    );
    metrics::describe_gauge!(
        IN_FORCE,
        "When the configuration in force came into force, in seconds since 1970"
    );
    metrics::describe_gauge!(BUCKET, "The adaptive bucket in force: tokens per step of a user's position");
}

/// What every request counts is looked up once.
struct Everyday {
    answered: RefCell<HashMap<(&'static str, u16), Counter>>,
    identified: RefCell<HashMap<&'static str, Counter>>,
    input: Counter,
    output: Counter,
    head: Histogram,
}

thread_local! {
    static EVERYDAY: Everyday = Everyday {
        answered: RefCell::default(),
        identified: RefCell::default(),
        input: metrics::counter!(TOKENS, "direction" => "input"),
        output: metrics::counter!(TOKENS, "direction" => "output"),
        head: metrics::histogram!(HEAD),
    };
}

/// A request was answered.
pub fn request(endpoint: &'static str, status: u16) {
    let find = || metrics::counter!(REQUESTS, "endpoint" => endpoint, "status" => status.to_string());
    EVERYDAY.with(|it| it.answered.borrow_mut().entry((endpoint, status)).or_insert_with(find).increment(1));
}

/// It is known who asks, or that nobody may.
pub fn identity(source: &'static str) {
    let find = || metrics::counter!(IDENTITIES, "source" => source);
    EVERYDAY.with(|it| it.identified.borrow_mut().entry(source).or_insert_with(find).increment(1));
}

/// A header named a user who it may not name.
pub fn forged() {
    metrics::counter!(FORGED).increment(1);
}

/// An account had as much as it may.
pub fn limited(limit: &'static str) {
    metrics::counter!(LIMITED, "limit" => limit).increment(1);
}

/// A request goes to another pod.
pub fn retry() {
    metrics::counter!(RETRIES).increment(1);
}

/// A request does not go to another pod: there is no room for it in the budget.
pub fn retry_refused() {
    metrics::counter!(RETRIES_REFUSED).increment(1);
}

/// A pod's breaker has opened.
pub fn breaker_opened() {
    metrics::counter!(BREAKERS).increment(1);
}

/// A source of pods could not be read.
pub fn discovery_failed(source: &'static str) {
    metrics::counter!(DISCOVERY, "source" => source).increment(1);
}

/// A new certificate for clients is broken.
pub fn certificate_failed() {
    metrics::counter!(CERTIFICATES).increment(1);
}

/// A request goes to the same pod again, on a fresh connection.
pub fn reconnect() {
    metrics::counter!(RECONNECTS).increment(1);
}

/// A pod reported usage.
pub fn tokens(input: u64, output: u64) {
    EVERYDAY.with(|it| {
        it.input.increment(input);
        it.output.increment(output);
    });
}

/// A pod's reply has begun, or come whole.
pub fn time_to_head(after: Duration) {
    EVERYDAY.with(|it| it.head.record(after));
}

/// A request has waited for its turn.
pub fn queue_wait(pool: &Arc<str>, wait: Duration) {
    metrics::histogram!(QUEUE_WAIT, "pool" => Arc::clone(pool)).record(wait);
}

/// The configuration was read again: whether it is in force.
pub fn reloaded(is_in_force: bool) {
    let outcome = if is_in_force { "applied" } else { "failed" };
    metrics::counter!(RELOADS, "outcome" => outcome).increment(1);
    metrics::gauge!(RELOADED).set(f64::from(u8::from(is_in_force)));
}

/// The configuration in force came into force at that time, in seconds since 1970.
pub fn in_force_since(seconds: f64) {
    metrics::gauge!(IN_FORCE).set(seconds);
    metrics::gauge!(RELOADED).set(1.0);
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_recorded_is_added_up_without_anybody_fetching_it() {
        let times = Cell::new(0);
        let some_time = ADD_UP_EVERY * 10 + ADD_UP_EVERY / 2;
        let kept = tokio::time::timeout(some_time, keep_added_up(|| times.set(times.get() + 1)));
        assert!(kept.await.is_err(), "it goes on for ever");
        assert_eq!(times.get(), 10);
    }
}
