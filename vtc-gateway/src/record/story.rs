//! A decision told: in words, and with its numbers.

mod words;

use serde::Serialize;
use vtc_core::Usage;

use super::{Decision, Ending, Look, Record};

/// One request, as `GET /v1/vtc/explain/{request-id}` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Story<'a> {
    /// Its name.
    pub id: &'a str,
    /// When it came, as RFC 3339 writes it.
    pub time: String,
    /// The path of its endpoint.
    pub endpoint: &'a str,
    /// Who is charged.
    pub account: Option<&'a str>,
    /// How that was known.
    pub source: Option<&'a str>,
    /// The account's share, where others have 1.
    pub weight: f64,
    /// The model that it asked for.
    pub model: Option<&'a str>,
    /// What was to choose its pod.
    pub policy: &'a str,
    /// Why it went when it did, and where, in a sentence.
    pub reason: String,
    /// `settled`, `closed`, `voided`, `left` or `refused`.
    pub ending: &'static str,
    /// The code of the refusal.
    pub code: Option<&'a str>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What it would probably cost.
    pub estimate: Option<EstimateStory>,
    /// How it came out of the queue.
    pub queue: Option<QueueStory<'a>>,
    /// What its first pod was chosen from.
    pub choice: Option<ChoiceStory<'a>>,
    /// The weighted tokens charged in advance.
    pub reserved: f64,
    /// The pod that it went to last.
    pub pod: Option<&'a str>,
    /// How often it went to another pod.
    pub retries: usize,
    /// The pods that failed it, and how.
    pub failures: Vec<FailureStory<'a>>,
    /// The tokens that its pod says it took.
    pub usage: Option<UsageStory>,
    /// The tokens that had flowed when it ended.
    pub delivered: Option<UsageStory>,
    /// From its coming to its first token, in milliseconds.
    pub first_token_ms: Option<f64>,
    /// From its coming to its end, in milliseconds.
    pub duration_ms: f64,
    /// All that, step by step.
    pub words: Vec<String>,
}

/// Tokens before anybody has counted them.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EstimateStory {
    /// To read.
    pub input: f64,
    /// To write.
    pub output: f64,
    /// To write at most.
    pub most_output: Option<f64>,
}

/// Tokens.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct UsageStory {
    /// Read.
    pub input: u64,
    /// Of these, found in the pod's cache.
    pub cached: u64,
    /// Written.
    pub output: u64,
}

/// How a request came out of the queue.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QueueStory<'a> {
    /// The discipline.
    pub discipline: &'a str,
    /// How long it waited, in milliseconds.
    pub waited_ms: f64,
    /// How many users were to go before its own when it came; null if that was not counted.
    pub ahead: Option<usize>,
    /// Its user's virtual counter when its turn came.
    pub counter: f64,
    /// The output that was charged to the counter in advance.
    pub prepaid: u64,
}

/// What its first pod was chosen from.
#[derive(Clone, Debug, Serialize)]
pub struct ChoiceStory<'a> {
    /// The user's weighted tokens in the window.
    pub tokens: f64,
    /// Tokens per step of position.
    pub bucket: f64,
    /// The user's position among the pods.
    pub position: f64,
    /// How many pods there were.
    pub of: usize,
    /// Those around the position.
    pub pods: Vec<PodStory<'a>>,
}

/// A pod that could have been chosen.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PodStory<'a> {
    /// Its name.
    pub pod: &'a str,
    /// Whether it was.
    pub chosen: bool,
    /// Its requests in flight.
    pub running: u64,
    /// `vtc-basic`'s term for the distance from the user's position; null for other policies.
    pub fairness: Option<f64>,
    /// Its term for the pod's load.
    pub utilisation: Option<f64>,
    /// Both; the least wins, but for a noise below 0.1 that separates equals.
    pub score: Option<f64>,
}

/// A pod that failed it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FailureStory<'a> {
    /// Its name.
    pub pod: &'a str,
    /// How.
    pub failure: &'a str,
}

/// The policy that scores by what users were served.
const SCORING: &str = vtc_core::policy::VtcBasic::NAME;

// === impl Story ===

impl<'a> Story<'a> {
    /// The story of that decision. `words`: whether it is told step by step, too.
    #[must_use]
    pub fn of(decision: &'a Decision, record: &Record, words: bool) -> Self {
        let d = decision;
        let failures = d
            .tries
            .iter()
            .filter_map(|it| Some(FailureStory { pod: &it.pod, failure: it.failure.as_deref()? }));
        let millis = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        let choice = d.look.as_ref().map(|look| choice(look, d));
        let mut story = Self {
            id: &d.id,
            time: humantime::format_rfc3339_millis(record.time_of_day(d.at)).to_string(),
            endpoint: d.endpoint,
            account: d.account.as_deref(),
            source: d.source,
            weight: d.weight,
            model: d.model.as_deref(),
            policy: d.policy,
            reason: words::reason(d, choice.as_ref()),
            ending: ending(d),
            code: d.refused.as_ref().map(|refused| refused.code),
            status: d.status,
            estimate: d.estimate.map(|it| EstimateStory {
                input: it.input_tokens,
                output: it.output_tokens,
                most_output: it.most_output,
            }),
            queue: d.turn.map(|turn| QueueStory {
                discipline: turn.discipline,
                waited_ms: millis(turn.waited),
                ahead: turn.ahead,
                counter: turn.counter,
                prepaid: turn.prepaid,
            }),
            choice,
            reserved: d.reserved,
            pod: d.tries.last().map(|it| &*it.pod),
            retries: d.tries.len().saturating_sub(1),
            failures: failures.collect(),
            usage: match d.ending {
                Ending::Settled(Usage { input, cached, output }) => {
                    Some(UsageStory { input, cached, output })
                }
                _ => None,
            },
            delivered: d.delivered.map(|(input, output)| UsageStory { input, cached: 0, output }),
            first_token_ms: d.first_token.map(millis),
            duration_ms: millis(d.duration),
            words: Vec::new(),
        };
        if words {
            story.words = words::steps(&story, d);
        }
        story
    }
}

fn choice<'a>(look: &'a Look, d: &Decision) -> ChoiceStory<'a> {
    let chosen = d.tries.first().map(|it| &*it.pod);
    let scores = d.policy == SCORING;
    let pods = look.pods.iter().enumerate().map(|(index, pod)| {
        let (fairness, utilisation) = look.terms(index, pod.running);
        PodStory {
            pod: &pod.name,
            chosen: chosen == Some(&*pod.name),
            running: pod.running,
            fairness: scores.then_some(fairness),
            utilisation: scores.then_some(utilisation),
            score: scores.then_some(fairness + utilisation),
        }
    });
    ChoiceStory {
        tokens: look.tokens,
        bucket: look.bucket,
        position: look.position(),
        of: look.of,
        pods: pods.collect(),
    }
}

fn ending(d: &Decision) -> &'static str {
    match (&d.refused, d.ending) {
        (Some(_), _) => "refused",
        (None, Ending::Settled(_)) => "settled",
        (None, Ending::Closed) => "closed",
        (None, Ending::Voided) => "voided",
        (None, Ending::Left) => "left",
    }
}
