//! The formulas, word by word: for each window and each moment all outcomes are gone through again.

use proptest::prelude::*;
use vtc_core::TokenWeights;
use vtc_sim::measure::Setting;
use vtc_sim::request::{Outcome, Served};

use crate::recorded;

fn service(setting: &Setting, of: &Outcome) -> f64 {
    of.input as f64 * setting.weights.input + of.output as f64 * setting.weights.output
}

/// Client's service in `[from, to)`.
fn got(setting: &Setting, outcomes: &[Outcome], client: u32, from: f64, to: f64) -> f64 {
    let own = outcomes.iter().filter(|of| of.client == client);
    own.filter_map(|of| of.served.map(|served| (of, served)))
        .map(|(of, Served { first_token, end })| {
            let rate = service(setting, of) / (end - first_token);
            match end > first_token {
                true => rate * (end.clamp(from, to) - first_token.clamp(from, to)),
                false if from <= first_token && first_token < to => service(setting, of),
                false => 0.0,
            }
        })
        .sum()
}

/// Service of the client's requests that came in `[from, to)` and were not refused.
fn wanted(setting: &Setting, outcomes: &[Outcome], client: u32, from: f64, to: f64) -> f64 {
    let came = |of: &&Outcome| from <= of.arrival && of.arrival < to;
    let own = outcomes.iter().filter(|of| of.client == client && of.served.is_some());
    own.filter(came).map(|of| service(setting, of)).sum()
}

fn clients(outcomes: &[Outcome]) -> Vec<u32> {
    let mut clients: Vec<_> = outcomes.iter().map(|of| of.client).collect();
    clients.sort_unstable();
    clients.dedup();
    clients
}

fn diff(setting: &Setting, outcomes: &[Outcome], x: f64) -> f64 {
    let to = x + setting.window;
    let rates = clients(outcomes).into_iter().map(|client| {
        let y = got(setting, outcomes, client, x, to) / setting.window;
        (y, wanted(setting, outcomes, client, x, to) / setting.window)
    });
    let rates: Vec<_> = rates.collect();
    let m = rates.iter().map(|(y, _)| *y).fold(0.0, f64::max);
    rates.iter().map(|(y, r)| (m - y).min((r - y).abs())).sum()
}

fn gap(setting: &Setting, outcomes: &[Outcome], at: f64) -> f64 {
    let clients = clients(outcomes);
    let mut services: Vec<_> =
        clients.iter().map(|client| got(setting, outcomes, *client, setting.warm_up, at)).collect();
    services.sort_by(f64::total_cmp);
    services[services.len() - 1] - services[0]
}

fn outcomes() -> impl Strategy<Value = Vec<Outcome>> {
    let one = (0.0..500.0f64, 0..6u32, 0..500u64, 0..500u64, 0.0..80.0f64, 0.0..80.0f64, 0..10u32).prop_map(
        |(arrival, client, input, output, wait, length, kind)| {
            let first_token = arrival + wait;
            // Some are refused, some have but one token.
            let served = match kind {
                0 => None,
                1 => Some(Served { first_token, end: first_token }),
                _ => Some(Served { first_token, end: first_token + length }),
            };
            Outcome { arrival, client, input, output, served }
        },
    );
    proptest::collection::vec(one, 1..60)
}

fn settings() -> impl Strategy<Value = Setting> {
    (100.0..600.0f64, 0.0..60.0f64, 5.0..90.0f64, 0.0..3.0f64, 0.0..3.0f64, 0.3..7.0f64).prop_map(
        |(duration, warm_up, window, input, output, bin)| {
            let weights = TokenWeights { input, output };
            Setting { warm_up, window, weights, bin, ..Setting::new(duration).unwrap() }.validated().unwrap()
        },
    )
}

fn near(found: f64, expected: f64) -> Result<(), TestCaseError> {
    let within = 1e-6 * expected.abs().max(1.0);
    prop_assert!((found - expected).abs() < within, "{} is not {}", found, expected);
    Ok(())
}

proptest! {
    #[test]
    fn the_recorder_says_what_the_formulas_say(setting in settings(), outcomes in outcomes()) {
        let run = recorded(&setting, &outcomes);
        let xs = (1..=19).map(|k| f64::from(k) * (setting.duration - setting.warm_up) / 20.0);
        let diffs: Vec<_> = xs.clone().map(|x| diff(&setting, &outcomes, x)).collect();
        for (tick, expected) in run.ticks.iter().zip(&diffs) {
            near(tick.diff, *expected)?;
        }
        let mean = diffs.iter().sum::<f64>() / 19.0;
        near(run.max_diff, diffs.iter().copied().fold(0.0, f64::max))?;
        near(run.avg_diff, mean)?;
        near(run.diff_var, diffs.iter().map(|diff| (diff - mean) * (diff - mean)).sum::<f64>() / 19.0)?;

        let last = outcomes.iter().map(|of| of.arrival).fold(0.0, f64::max);
        let coming: Vec<_> = xs.zip(&diffs).filter(|(x, _)| *x <= last).map(|(_, diff)| *diff).collect();
        near(run.avg_diff_while_arriving, coming.iter().sum::<f64>() / coming.len().max(1) as f64)?;

        for (at, found) in &run.gap.curve {
            near(*found, gap(&setting, &outcomes, *at))?;
        }
        let moments = (1..).map(|bin| f64::from(bin) * setting.bin);
        let expected = moments.filter(|at| *at > setting.warm_up).take_while(|at| *at <= setting.duration).count();
        prop_assert!(run.gap.curve.len().abs_diff(expected) <= 1);

        let ends = outcomes.iter().map(|of| of.served.map_or(of.arrival, |served| served.end));
        let length = ends.fold(0.0, f64::max);
        let tokens: u64 =
            outcomes.iter().filter(|of| of.served.is_some()).map(|of| of.input + of.output).sum();
        near(run.tokens_per_s, tokens as f64 / length)?;
    }

    #[test]
    fn the_order_in_which_outcomes_come_does_not_matter(
        setting in settings(),
        outcomes in outcomes(),
        by in 1..59usize,
    ) {
        let mut turned = outcomes.clone();
        turned.rotate_left(by % outcomes.len());
        let (run, other) = (recorded(&setting, &outcomes), recorded(&setting, &turned));
        near(run.avg_diff, other.avg_diff)?;
        near(run.gap.max, other.gap.max)?;
        near(run.jain, other.jain)?;
        prop_assert_eq!(run.latency, other.latency);
    }

    /// Two of the same kind at the same time are as fair as can be.
    #[test]
    fn twins_are_treated_alike(setting in settings(), outcomes in outcomes()) {
        let twins = outcomes.into_iter().flat_map(|of| {
            [Outcome { client: 0, ..of }, Outcome { client: 1, ..of }]
        });
        let run = recorded(&setting, &twins.collect::<Vec<_>>());
        near(run.max_diff, 0.0)?;
        near(run.gap.max, 0.0)?;
        near(run.jain, 1.0)?;
    }
}
