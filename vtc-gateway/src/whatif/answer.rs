//! What comes out: plain data, and the same in sentences.

mod words;

use serde::Serialize;
use vtc_sim::measure::{ClientSummary, RunSummary, Times};

use super::change::Change;
use super::fit::Fit;
use super::history::History;
use super::rules::Rules;

/// What a change would do, as `GET /v1/vtc/whatif` tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The model whose requests were replayed, or `*`.
    pub pool: String,
    /// How long was looked at, in seconds.
    pub span: f64,
    /// How much before that was replayed to fill the pods, in seconds.
    pub warm_up: f64,
    /// Whether the record does not reach back as far as was asked.
    pub is_cut: bool,
    /// Requests of that time to other models, which are not replayed.
    pub of_other_pools: usize,
    /// Requests whose clients left before their turn, or that no pod could answer; not replayed either.
    pub lost: usize,
    /// What is different, as a condition.
    pub change: String,
    /// What the pods were taken for.
    pub model: Model,
    /// How near the replay comes to what was.
    pub agreement: Agreement,
    /// All users together.
    pub all: [Figures; 3],
    /// Those with the most requests, the most first, and those whose weight is to change.
    pub users: Vec<UserAnswer>,
    /// How many users more there are.
    pub more_users: usize,
    /// All that for reading.
    pub words: Vec<String>,
}

/// What the pods were taken for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Model {
    /// How many there are, and how many there would be.
    pub pods: [usize; 2],
    /// How long a step takes, in milliseconds.
    pub step_ms: f64,
    /// What each request adds to it.
    pub per_request_ms: f64,
    /// What each prompt token adds that is read in it.
    pub per_prompt_token_ms: f64,
    /// What passes on a pod before a first token, besides steps.
    pub entry_ms: f64,
    /// From how many times of requests that is reckoned.
    pub times: usize,
    /// By how much half of these are off at most, as a part of each.
    pub error: f64,
}

/// How near the unchanged replay comes to what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// By what part a user's median time to the first token is apart, or its 99th percentile if it has a hundred requests and
    /// that is further apart; on average over the users that have at least 5, each as often as it has asked, or else of all
    /// together. 0.1 says that they differ by a tenth of the smaller. `None`: there are none to compare.
    pub off: Option<f64>,
    /// Whether what the replay says of the change can be taken for more than a direction.
    pub is_close: bool,
}

/// What came of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Requests that came.
    pub requests: u64,
    /// Those that were turned away.
    pub refused: u64,
    /// Median and 99th percentile of the times from arrival to first token, in seconds, the wait in the queue among them. The
    /// first token of an answer that comes whole is its end.
    pub first_token: Option<[f64; 2]>,
    /// The same to the end of the answer.
    pub latency: Option<[f64; 2]>,
    /// Weighted tokens per second, up to the end of the window.
    pub service: f64,
    /// The largest distance between what two users had been served, in weighted tokens divided by their weights; of all users
    /// together only.
    pub gap: Option<f64>,
    /// Jain's index of what users were served divided by their weights; of all users together only.
    pub jain: Option<f64>,
}

/// One user.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UserAnswer {
    /// Its account.
    pub user: String,
    /// Its weight, and what it would be.
    pub weights: [f64; 2],
    /// What was measured, what the replay makes of it, what it would be.
    pub figures: [Figures; 3],
}

/// So many users are shown.
const SHOWN: usize = 20;
/// Apart by more than this part, the replay gives a direction at most.
const CLOSE: f64 = 0.5;
/// Times shorter than this, in seconds, are taken for it when they are compared: they are all the same to whoever waits.
const SHORT: f64 = 0.02;
/// Of fewer requests a user's times say little of how near the replay is.
const ENOUGH: u64 = 5;
/// Of fewer requests the 99th percentile is the slowest.
const HUNDRED: u64 = 100;

// === impl Answer ===

impl Answer {
    /// From the runs: what was measured, the replay, the replay with the change.
    pub(super) fn of(
        history: &History,
        change: &Change,
        rules: [&Rules; 2],
        fit: &Fit,
        runs: [&RunSummary; 3],
    ) -> Self {
        let all = runs.map(Figures::of_all);
        let mut users = users(change, runs);
        let more_users = users.len();
        let is_named = |user: &UserAnswer| change.weights.contains_key(&user.user);
        let mut at = 0;
        users.retain(|user| {
            at += 1;
            at <= SHOWN || is_named(user)
        });
        let agreement = Agreement::of(&all, &users);
        let mut answer = Self {
            pool: history.pool.to_string(),
            span: history.span,
            warm_up: history.warm_up,
            is_cut: history.is_cut,
            of_other_pools: history.left_out[0],
            lost: history.left_out[1],
            change: change.to_string(),
            model: Model {
                pods: rules.map(Rules::pods),
                step_ms: fit.profile.step_ms,
                per_request_ms: fit.profile.decode_per_request_ms,
                per_prompt_token_ms: fit.profile.prefill_per_token_ms,
                entry_ms: fit.entry * 1e3,
                times: fit.times,
                error: fit.error,
            },
            agreement,
            all,
            more_users: more_users - users.len(),
            users,
            words: Vec::new(),
        };
        answer.words = words::of(&answer, change, rules[0]);
        answer
    }
}

// === impl Agreement ===

impl Agreement {
    fn of(all: &[Figures; 3], users: &[UserAnswer]) -> Self {
        let of = |[measured, replayed, _]: &[Figures; 3]| {
            let (m, r) = measured.first_token.zip(replayed.first_token)?;
            let tail = if measured.requests < HUNDRED { 0.0 } else { apart(m[1], r[1]) };
            Some((apart(m[0], r[0]).max(tail), measured.requests as f64))
        };
        let enough = users.iter().filter(|user| user.figures[0].requests >= ENOUGH);
        let (sum, weight) = enough
            .filter_map(|user| of(&user.figures))
            .fold((0.0, 0.0), |(sum, weight), (off, requests)| (sum + off * requests, weight + requests));
        let off = if weight > 0.0 { Some(sum / weight) } else { of(all).map(|(off, _)| off) };
        Self { off, is_close: off.is_some_and(|off| off <= CLOSE) }
    }
}

/// By what part of the smaller two times differ.
fn apart(a: f64, b: f64) -> f64 {
    let (a, b) = (a.max(SHORT), b.max(SHORT));
    a.max(b) / a.min(b) - 1.0
}

// === impl Figures ===

impl Figures {
    fn of_all(run: &RunSummary) -> Self {
        Self {
            requests: run.requests,
            refused: run.refused,
            first_token: times(&run.first_token),
            latency: times(&run.latency),
            service: run.clients.iter().map(|client| pace(run, client)).sum(),
            gap: Some(run.gap.max),
            jain: Some(run.jain),
        }
    }

    fn of_client(run: &RunSummary, client: &ClientSummary) -> Self {
        Self {
            requests: client.requests,
            refused: client.refused,
            first_token: times(&client.first_token),
            latency: times(&client.latency),
            service: pace(run, client),
            gap: None,
            jain: None,
        }
    }
}

fn times(of: &Times) -> Option<[f64; 2]> {
    Some([of.quantile(0.5)?, of.quantile(0.99)?])
}

/// Weighted tokens per second until requests came no more.
fn pace(run: &RunSummary, client: &ClientSummary) -> f64 {
    run.curve(client)
        .last()
        .map_or(0.0, |(seconds, service)| if seconds > 0.0 { service / seconds } else { 0.0 })
}

/// Every user, those with the most requests first.
fn users(change: &Change, runs: [&RunSummary; 3]) -> Vec<UserAnswer> {
    let mut users: Vec<_> = runs[0]
        .clients
        .iter()
        .enumerate()
        .map(|(at, client)| {
            // The same requests of the same users: in each run they stand at the same place.
            let figures = runs
                .map(|run| run.clients.get(at).map_or(Figures::default(), |it| Figures::of_client(run, it)));
            let then = change.weights.get(&client.client).map_or(client.weight, |weight| weight.as_f64());
            UserAnswer { user: client.client.clone(), weights: [client.weight, then], figures }
        })
        .collect();
    users.sort_by(|a, b| b.figures[0].requests.cmp(&a.figures[0].requests).then_with(|| a.user.cmp(&b.user)));
    users
}
