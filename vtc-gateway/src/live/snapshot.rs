//! What is seen at one moment: plain data.

use std::sync::Arc;

use serde::Serialize;

/// Everything, at one moment. Rates are those since the snapshot before.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// When, in milliseconds since 1970.
    pub time: u64,
    /// When the gateway started, the same way: another number is another run, whose counters begin anew.
    pub started: u64,
    /// All together.
    pub totals: Totals,
    /// Those with the most service of late, the most first.
    pub users: Vec<User>,
    /// All others together.
    pub others: Others,
    /// The pods, by name.
    pub pods: Vec<Pod>,
    /// The queue of each model; none without a queue.
    pub queues: Vec<Queue>,
    /// What does not work about finding pods, in words.
    pub troubles: Vec<String>,
}

/// All together.
#[derive(Clone, Debug, Serialize)]
pub struct Totals {
    /// Users with tokens in the window.
    pub users: usize,
    /// The window, in seconds.
    pub window: f64,
    /// The least and the most weighted tokens in the window that a user has.
    pub min_tokens: f64,
    /// See there.
    pub max_tokens: f64,
    /// What a token that is read weighs, and one that is written.
    pub weights: [f64; 2],
    /// Weighted tokens per second.
    pub service: f64,
    /// Tokens read per second.
    pub input: f64,
    /// Tokens written per second.
    pub output: f64,
    /// Requests that wait or run.
    pub in_flight: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Requests that ended per second.
    pub ended: f64,
    /// Of these, refused.
    pub refused: f64,
    /// Median and 99th percentile of the times to first tokens, in seconds: the last 1,024 that are not older than a minute.
    pub first_token: Option<[f32; 2]>,
    /// Jain's index of the users with something in flight: of their tokens in the window divided by their weights.
    pub jain: f64,
}

/// One user.
#[derive(Clone, Debug, Serialize)]
pub struct User {
    /// Its account.
    pub user: Arc<str>,
    /// Its share, where others have 1.
    pub weight: f64,
    /// Weighted tokens in the window, as `/v1/vtc/users` shows them.
    pub tokens: f64,
    /// The largest of its virtual counters in the queues, if it is in one and among the first thousand there.
    pub counter: Option<f64>,
    /// Requests that wait.
    pub waiting: usize,
    /// Requests that run.
    pub running: usize,
    /// Weighted tokens per second.
    pub service: f64,
    /// Tokens read per second.
    pub input: f64,
    /// Tokens written per second.
    pub output: f64,
    /// As in [`Totals::first_token`], of its last 64.
    pub first_token: Option<[f32; 2]>,
}

/// Users that are not shown by name.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Others {
    /// How many are known, whether they want something or not.
    pub users: usize,
    /// Their weighted tokens per second.
    pub service: f64,
    /// Their requests that wait or run.
    pub in_flight: usize,
}

/// One pod.
#[derive(Clone, Debug, Serialize)]
pub struct Pod {
    /// Its name.
    pub pod: String,
    /// `ready`, `draining`, `away`, or `failing` while its breaker is not closed.
    pub health: &'static str,
    /// Requests in flight.
    pub running: u64,
    /// The most that it takes, if that is known.
    pub max_running: Option<usize>,
    /// Tokens that these hold, with a queue.
    pub tokens: Option<u64>,
    /// The most that it takes, if that is known.
    pub max_tokens: Option<u64>,
    /// The share of its capacity that it is given.
    pub share: f64,
    /// Requests that wait inside it, if it says so.
    pub reported_waiting: Option<u64>,
    /// The part of its cache that is in use, if it says so.
    pub kv_usage: Option<f64>,
    /// Weighted tokens per second.
    pub service: f64,
    /// Who gets them, the most first, at most eight.
    pub users: Vec<Part>,
}

/// What one user gets of one pod.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// Its account.
    pub user: Arc<str>,
    /// Weighted tokens per second.
    pub service: f64,
}

/// The queue of one model.
#[derive(Clone, Debug, Serialize)]
pub struct Queue {
    /// The model, or `*`.
    pub pool: Arc<str>,
    /// Its discipline.
    pub discipline: &'static str,
    /// Requests that wait.
    pub waiting: usize,
    /// Requests that run.
    pub running: usize,
    /// Users with something that waits or runs.
    pub users: usize,
    /// Dispatches per second of late, while somebody waited.
    pub drain_rate: f64,
    /// Among the users who wait: the largest virtual counter less the least.
    pub gap: f64,
    /// What the gap is at most: see [`bound`]. Null where there is no bound, or where it is not known.
    pub bound: Option<f64>,
    /// Jain's index among the users who wait.
    pub jain: f64,
    /// Median and 99th percentile of the waits of requests that went, in seconds.
    pub wait: Option<[f32; 2]>,
}

/// What the counters of those who wait differ by at most under that discipline, in weighted tokens: U divided by the least
/// weight, or twice that, where U is what one user can be charged before it is chosen again. `capacity`: the tokens that all
/// pods hold together. With dearer input than output it is a little more than U. See
/// [`vtc_core::queue`] on what the bound holds for; a user that has as much running as it may is passed over, and is not
/// held to it.
#[must_use]
pub fn bound(discipline: &str, weights: [f64; 2], capacity: u64, least_weight: f64) -> Option<f64> {
    let times = match discipline {
        "vtc-fair" | "vtc-max-fair" => 1.0,
        "vtc-pred" => 2.0,
        _ => return None,
    };
    let [input, output] = weights;
    // What is read is at most what the pods hold, so this is U or more.
    Some(times * input.max(output) * capacity as f64 / least_weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_discipline() {
        assert_eq!(bound("vtc-fair", [1.0, 2.0], 1000, 1.0), Some(2000.0));
        assert_eq!(bound("vtc-fair", [1.0, 2.0], 1000, 0.5), Some(4000.0));
        assert_eq!(bound("vtc-pred", [1.0, 2.0], 1000, 1.0), Some(4000.0));
        assert_eq!(bound("fcfs", [1.0, 2.0], 1000, 1.0), None);
    }
}
