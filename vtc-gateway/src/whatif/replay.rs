//! The replay: the same requests through the simulator, with the rules as they are and with the change.

use vtc_core::TokenWeights;
use vtc_core::queue::Weight;
use vtc_sim::measure::{Recorder, RunSummary, Setting};
use vtc_sim::request::{Outcome, Request, Served};
use vtc_sim::simulator::{Setup, simulate};
use vtc_sim::workload::Client;

use super::WhatIfError;
use super::answer::Answer;
use super::change::Change;
use super::fit::Fit;
use super::history::History;
use super::rules::Rules;

/// What the change would do to these requests. Pure: the same in, the same out; O(tokens written) at most, some seconds for
/// the largest record.
///
/// # Errors
/// A weight is to change of an account that has not asked; a limit of the simulator.
pub fn answer(history: &History, rules: &Rules, change: &Change) -> Result<Answer, WhatIfError> {
    let weights: Vec<_> = history.users.iter().map(|(_, weight)| *weight).collect();
    let other_weights = changed(history, change)?;
    let fit = Fit::of(history, rules.capacity());
    let other_rules = rules.with(change);
    let tokens = rules.vtc.tracker.weights;
    let measured = measure(history, &weights, tokens, history.outcomes())?;
    let replayed = replay(history, &weights, &rules.setup(&fit)?, fit.entry)?;
    let replayed = measure(history, &weights, tokens, replayed)?;
    let changed = replay(history, &other_weights, &other_rules.setup(&fit)?, fit.entry)?;
    let changed = measure(history, &other_weights, tokens, changed)?;
    Ok(Answer::of(history, change, [rules, &other_rules], &fit, [&measured, &replayed, &changed]))
}

/// The weights of the users with the change.
fn changed(history: &History, change: &Change) -> Result<Vec<Weight>, WhatIfError> {
    let asked = |account: &&String| !history.users.iter().any(|(name, _)| **name == ***account);
    if let Some(unknown) = change.weights.keys().find(asked) {
        let known: Vec<_> = history.users.iter().take(10).map(|(name, _)| &**name).collect();
        return Err(WhatIfError::Wrong {
            param: "weight",
            value: unknown.clone(),
            allowed: format!("an account that has asked in that time, as {}", known.join(", ")),
        });
    }
    let other = |(name, weight): &(std::sync::Arc<str>, Weight)| {
        change.weights.get(&**name).copied().unwrap_or(*weight)
    };
    Ok(history.users.iter().map(other).collect())
}

/// What would become of the requests, in the order in which they came. `entry`: what passes before a first token, besides the
/// steps of a pod.
fn replay(
    history: &History,
    weights: &[Weight],
    setup: &Setup,
    entry: f64,
) -> Result<Vec<Outcome>, WhatIfError> {
    let names = history.users.iter().map(|(name, _)| name);
    let clients: Vec<_> =
        names.zip(weights).map(|(name, weight)| Client { name: name.clone(), weight: *weight }).collect();
    let requests = history.requests.iter().map(|it| Request {
        arrival: it.at,
        client: it.user,
        input: it.input,
        output: it.output,
        guess: Some(it.guess),
        blocks: None,
    });
    let mut outcomes = Vec::with_capacity(history.requests.len());
    simulate(setup, &clients, requests, |outcome| outcomes.push(*outcome))
        .map_err(|error| WhatIfError::Failed(error.to_string()))?;
    // No two come at the same moment, and each is told of once.
    outcomes.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
    for (outcome, past) in outcomes.iter_mut().zip(&history.requests) {
        let Some(served) = &mut outcome.served else { continue };
        served.first_token += entry;
        served.end += entry;
        // Whoever got its answer whole would get it whole.
        if past.is_served && past.first_token.is_none() {
            served.first_token = served.end;
        }
    }
    Ok(outcomes)
}

/// The figures of those that are measured.
fn measure(
    history: &History,
    weights: &[Weight],
    tokens: TokenWeights,
    outcomes: impl IntoIterator<Item = Outcome>,
) -> Result<RunSummary, WhatIfError> {
    let failed = |error: vtc_core::ConfigError| WhatIfError::Failed(error.to_string());
    let setting = Setting {
        duration: history.span,
        warm_up: 0.0,
        window: 60.0,
        weights: tokens,
        bin: f64::min(1.0, history.span / 100.0),
        batch_tokens: None,
    };
    let setting = setting.for_clients(history.users.len()).validated().map_err(failed)?;
    let clients = history.users.iter().zip(weights).map(|((name, _), weight)| (name.clone(), *weight));
    let mut recorder = Recorder::new(setting).with_clients(clients);
    for outcome in outcomes.into_iter().filter(|it| it.arrival >= history.warm_up) {
        let since = |at: f64| at - history.warm_up;
        let served = outcome
            .served
            .map(|Served { first_token, end }| Served { first_token: since(first_token), end: since(end) });
        recorder.add(&Outcome { arrival: since(outcome.arrival), served, ..outcome });
    }
    Ok(recorder.finish())
}
