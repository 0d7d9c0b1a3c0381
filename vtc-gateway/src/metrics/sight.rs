//! What is not counted as it happens, but looked at when somebody asks.

use metrics::{counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::PrometheusBuilder;
use vtc_actor::dispatcher::{DispatcherSnapshot, PodStanding, PoolSnapshot};

use crate::fleet::{BreakerState, Fleet};

/// Everything that is looked at. Each time is a page of its own: a pool, a pod or a user that is gone leaves nothing behind.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The pods.
    pub fleet: &'a Fleet,
    /// The users with the most tokens in the window, and those tokens.
    pub top_users: &'a [(String, f64)],
    /// The tokens of all users.
    pub all_tokens: f64,
    /// The queue, if there is one.
    pub queue: Option<&'a DispatcherSnapshot>,
}

/// What stands for all users that are not shown by name; nothing else does.
const OTHER: &str = "other";

const POD_IN_FLIGHT: &str = "vtc_gateway_pod_in_flight";
const POD_READY: &str = "vtc_gateway_pod_ready";
const POD_DRAINING: &str = "vtc_gateway_pod_draining";
const POD_BREAKER: &str = "vtc_gateway_pod_breaker_open";
const REPORTED_RUNNING: &str = "vtc_gateway_pod_reported_running";
const REPORTED_WAITING: &str = "vtc_gateway_pod_reported_waiting";
const REPORTED_KV: &str = "vtc_gateway_pod_reported_kv_usage";
const POD_RUNNING: &str = "vtc_gateway_pod_running";
const POD_TOKENS: &str = "vtc_gateway_pod_tokens";
const USER_TOKENS: &str = "vtc_gateway_user_tokens";
const WAITING: &str = "vtc_gateway_queue_waiting";
const BYTES: &str = "vtc_gateway_queue_bytes";
const RUNNING: &str = "vtc_gateway_queue_running";
const USERS: &str = "vtc_gateway_queue_users";
const DRAIN: &str = "vtc_gateway_queue_drain_rate";
const GAP: &str = "vtc_gateway_queue_gap";
const JAIN: &str = "vtc_gateway_queue_jain_index";
const REQUESTS: &str = "vtc_gateway_queue_requests_total";
const ENDED: &str = "vtc_gateway_queue_ended_total";

// === impl Sight ===

impl Sight<'_> {
    /// It in Prometheus's text format.
    #[must_use]
    pub fn render(&self) -> String {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            describe();
            self.record();
        });
        recorder.handle().render()
    }

    fn record(&self) {
        for backend in self.fleet.backends() {
            let labels = [("pod", backend.pod().name().to_owned())];
            gauge!(POD_IN_FLIGHT, &labels).set(backend.pod().in_flight() as f64);
            gauge!(POD_READY, &labels).set(flag(backend.ready));
            gauge!(POD_DRAINING, &labels).set(flag(backend.draining));
            gauge!(POD_BREAKER, &labels).set(match backend.breaker {
                BreakerState::Closed => 0.0,
                BreakerState::HalfOpen => 0.5,
                BreakerState::Open => 1.0,
            });
            let Some(load) = backend.vitals.load() else { continue };
            load.running.into_iter().for_each(|count| gauge!(REPORTED_RUNNING, &labels).set(count as f64));
            load.waiting.into_iter().for_each(|count| gauge!(REPORTED_WAITING, &labels).set(count as f64));
            load.kv_usage.into_iter().for_each(|usage| gauge!(REPORTED_KV, &labels).set(usage));
        }
        let mut others = self.all_tokens;
        for (user, tokens) in self.top_users.iter().filter(|(user, _)| user != OTHER) {
            gauge!(USER_TOKENS, "user" => user.clone()).set(*tokens);
            others -= tokens;
        }
        // The two were looked at one after the other.
        gauge!(USER_TOKENS, "user" => OTHER).set(others.max(0.0));
        let Some(queue) = self.queue else { return };
        queue.pools.iter().for_each(record_pool);
        queue.pods.iter().for_each(record_pod);
    }
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

fn record_pool(pool: &PoolSnapshot) {
    let name = || ("pool", pool.name.to_string());
    let labels = [name()];
    gauge!(WAITING, &labels).set(pool.waiting as f64);
    gauge!(BYTES, &labels).set(pool.bytes as f64);
    gauge!(RUNNING, &labels).set(pool.running as f64);
    gauge!(USERS, &labels).set(pool.present_users as f64);
    gauge!(DRAIN, &labels).set(pool.drain_rate);
    gauge!(GAP, &labels).set(pool.gap);
    gauge!(JAIN, &labels).set(pool.jain);
    let outcomes = &pool.outcomes;
    let of = |label: &'static str, value: &'static str| [name(), (label, value.to_owned())];
    for (outcome, count) in [
        ("dispatched", outcomes.dispatched),
        ("refused", outcomes.refused),
        ("expired", outcomes.expired),
        ("cancelled", outcomes.cancelled),
    ] {
        counter!(REQUESTS, &of("outcome", outcome)).absolute(count);
    }
    for (ending, count) in [
        ("settled", outcomes.settled),
        ("closed", outcomes.closed),
        ("abandoned", outcomes.abandoned),
        ("voided", outcomes.voided),
    ] {
        counter!(ENDED, &of("ending", ending)).absolute(count);
    }
}

fn record_pod(pod: &PodStanding) {
    let labels = [("pod", pod.name.to_string())];
    gauge!(POD_RUNNING, &labels).set(pod.running as f64);
    gauge!(POD_TOKENS, &labels).set(pod.tokens as f64);
}

fn describe() {
    describe_gauge!(POD_IN_FLIGHT, "Requests in flight to a pod");
    describe_gauge!(POD_READY, "Whether a pod is ready: 1 or 0");
    describe_gauge!(POD_DRAINING, "Whether a pod gets no new requests because an admin said so: 1 or 0");
    describe_gauge!(
        POD_BREAKER,
        "Whether a pod gets no requests because it failed those it got: 1; 0.5 while one shows whether it does again"
    );
    describe_gauge!(REPORTED_RUNNING, "Requests that a pod itself says it works on");
    describe_gauge!(REPORTED_WAITING, "Requests that a pod itself says wait in it");
    describe_gauge!(
        REPORTED_KV,
        "The part of its cache of keys and values that a pod itself says is in use, 0 to 1"
    );
    describe_gauge!(POD_RUNNING, "Requests that the queue has running on a pod");
    describe_gauge!(
        POD_TOKENS,
        "Tokens that the requests which the queue has running on a pod hold, as far as it knows"
    );
    describe_gauge!(
        USER_TOKENS,
        "Weighted tokens of a user in the window: those with the most by name, all others together as `other`"
    );
    describe_gauge!(WAITING, "Requests that wait, by pool: a model, or * for pods that list none");
    describe_gauge!(BYTES, "Bytes of the bodies of the requests that wait");
    describe_gauge!(RUNNING, "Requests that the queue has running");
    describe_gauge!(USERS, "Users with a request that waits or runs");
    describe_gauge!(DRAIN, "Dispatches per second of late, while somebody waited");
    describe_gauge!(
        GAP,
        "Of the users who wait: the largest virtual counter less the least, in weighted tokens"
    );
    describe_gauge!(
        JAIN,
        "Jain's index of the users who wait: tokens in the window divided by weight, 1 is fair"
    );
    describe_counter!(
        REQUESTS,
        "Requests that came to the queue and do not wait any more, by what became of them there: dispatched; refused, \
         because it was full; expired, because they had waited too long; cancelled, because their client left"
    );
    describe_counter!(
        ENDED,
        "Dispatched requests that have ended: settled by usage; closed without; abandoned by their client; voided, \
         because they were not served"
    );
}
