//! What the gateway tells, as far as it is shown: see [`Snapshot`](crate::live::Snapshot) and
//! [`Story`](crate::record::Story).

use serde::Deserialize;

/// Everything, at one moment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Frame {
    /// Milliseconds since 1970.
    pub(super) time: u64,
    /// The same of the gateway's start.
    pub(super) started: u64,
    pub(super) totals: Totals,
    pub(super) users: Vec<User>,
    pub(super) others: Others,
    pub(super) pods: Vec<Pod>,
    pub(super) queues: Vec<Queue>,
    pub(super) troubles: Vec<String>,
}

/// All together.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Totals {
    pub(super) users: usize,
    pub(super) service: f64,
    pub(super) in_flight: usize,
    pub(super) waiting: usize,
    pub(super) ended: f64,
    pub(super) refused: f64,
    pub(super) first_token: Option<[f64; 2]>,
    pub(super) jain: f64,
}

/// One user.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    pub(super) user: String,
    pub(super) weight: f64,
    pub(super) tokens: f64,
    pub(super) counter: Option<f64>,
    pub(super) waiting: usize,
    pub(super) running: usize,
    pub(super) service: f64,
    pub(super) first_token: Option<[f64; 2]>,
}

/// Users that are not shown by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Others {
    pub(super) users: usize,
    pub(super) service: f64,
    pub(super) in_flight: usize,
}

/// One pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
    pub(super) pod: String,
    pub(super) health: String,
    pub(super) running: u64,
    pub(super) max_running: Option<u64>,
    pub(super) tokens: Option<u64>,
    pub(super) max_tokens: Option<u64>,
    pub(super) service: f64,
}

/// One queue.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Queue {
    pub(super) pool: String,
    pub(super) discipline: String,
    pub(super) waiting: usize,
    pub(super) gap: f64,
    pub(super) bound: Option<f64>,
    pub(super) wait: Option<[f64; 2]>,
}

/// The last requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Requests {
    pub(super) requests: Vec<Request>,
}

/// One that has ended.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Request {
    /// As RFC 3339 writes it.
    pub(super) time: String,
    pub(super) account: Option<String>,
    pub(super) ending: String,
    pub(super) reason: String,
    pub(super) first_token_ms: Option<f64>,
    pub(super) duration_ms: f64,
}
