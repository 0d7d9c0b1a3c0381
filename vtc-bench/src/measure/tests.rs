//! The numbers of the published runs, and those that can be worked out by hand.

use std::path::Path;

use proptest::prelude::*;
use vtc_core::queue::Weight;

use super::*;
use crate::trace::Trace;
use crate::workload::Client;

fn served(arrival: f64, client: u32, (input, output): (u64, u64), first_token: f64, end: f64) -> Outcome {
    Outcome { arrival, client, input, output, served: Some(Served { first_token, end }) }
}

#[test]
fn the_published_runs_have_the_published_numbers() {
    let Some(folder) = std::env::var_os("VTC_TRACES") else {
        println!("skipped: VTC_TRACES names no folder with the traces");
        return;
    };
    for (file, numbers) in [
        ("vtc_arena_fcfs.csv", ["759.97", "433.53", "32112.00", "776.9"]),
        ("vtc_arena_vtc.csv", ["368.40", "251.66", "6549.16", "778.8"]),
        ("vtc_arena_rpm5.csv", ["143.86", "83.58", "1020.46", "340.4"]),
    ] {
        let trace = Trace::read(&Path::new(&folder).join(file)).unwrap();
        let mut measure = Measure::new(600.0);
        trace.outcomes.iter().for_each(|outcome| measure.add(outcome));
        let Summary { max_diff, avg_diff, diff_var, tokens_per_s, requests, refused, .. } =
            measure.finish(&[]);
        let found = [max_diff, avg_diff, diff_var].map(|it| format!("{it:.2}"));
        assert_eq!([&found[0], &found[1], &found[2], &format!("{tokens_per_s:.1}")], numbers, "{file}");
        assert_eq!((requests, refused), (1500, if file.contains("rpm") { 919 } else { 0 }));
    }
}

#[test]
fn two_clients_by_hand() {
    // T = 630: ticks every 30 s, the k-th from 30 k on.
    let mut measure = Measure::new(630.0);
    // 600 tokens of service from 30 to 90, which is the first window, half of the second and none of the third.
    measure.add(&served(30.0, 0, (200, 200), 30.0, 90.0));
    // 120 that arrive in the first window and are served in the third.
    measure.add(&served(40.0, 1, (20, 50), 120.0, 150.0));
    measure.add(&Outcome { served: None, ..served(50.0, 1, (1, 1), 0.0, 0.0) });
    let summary =
        measure.finish(&[Client::new("a"), Client { weight: Weight::new(2.0).unwrap(), ..Client::new("b") }]);
    // Window 1, [30, 90): a asked 10/s and got 10, b asked 2 and got 0: min(10, 2) = 2.
    // Window 2, [60, 120): a got 5 and asked 0, the most: min(0, 5) = 0; b neither.
    // Window 3, [90, 150): b got 2, a nothing and asked for nothing. Window 4, [120, 180): the same.
    assert_eq!(summary.max_diff, 2.0);
    assert!((summary.avg_diff - 2.0 / 19.0).abs() < 1e-12);
    assert!((summary.diff_var - (4.0 / 19.0 - 4.0 / 361.0)).abs() < 1e-12);
    assert_eq!(summary.tokens_per_s, 470.0 / 150.0);
    // Until the last arrival, at 50 s: a got 20 s of 10/s.
    assert_eq!(summary.gap, 200.0);
    assert_eq!(summary.jain_index, 0.5, "b had nothing by then");
    let b = &summary.clients[1];
    assert_eq!((b.requests, b.refused, b.service), (2, 1, 120.0));
    assert_eq!((b.first_token.p50, b.latency.p99), (80.0, 110.0));
}

#[test]
fn of_nothing_all_is_nothing() {
    let summary = Measure::new(60.0).finish(&[Client::new("a")]);
    assert_eq!((summary.max_diff, summary.tokens_per_s, summary.gap), (0.0, 0.0, 0.0));
    assert_eq!(summary.jain_index, 1.0);
}

/// The differences as they are defined, without anything kept from one request to the next.
fn naive(outcomes: &[Outcome], clients: u32, duration: f64) -> Vec<f64> {
    let of = |outcome: &Outcome| (outcome.input + 2 * outcome.output) as f64;
    (1..20)
        .map(|k| {
            let x = f64::from(k) * (duration - 30.0) / 20.0;
            let rates = (0..clients).map(|client| {
                let own =
                    || outcomes.iter().filter(|outcome| outcome.client == client && outcome.served.is_some());
                let got: f64 = own()
                    .map(|outcome| {
                        let Served { first_token, end } = outcome.served.unwrap();
                        let overlap = (end.min(x + 60.0) - first_token.max(x)).max(0.0);
                        of(outcome) * overlap / (end - first_token)
                    })
                    .sum();
                let asked: f64 =
                    own().filter(|outcome| outcome.arrival >= x && outcome.arrival < x + 60.0).map(of).sum();
                (asked / 60.0, got / 60.0)
            });
            let rates: Vec<_> = rates.collect();
            let most = rates.iter().map(|(_, got)| *got).fold(0.0, f64::max);
            rates.iter().map(|(asked, got)| (most - got).min((asked - got).abs())).sum()
        })
        .collect()
}

proptest! {
    #[test]
    fn the_numbers_are_those_of_the_definition(
        requests in proptest::collection::vec(
            (0.0..400.0f64, 0..5u32, 0..500u64, 1..500u64, 0.0..50.0f64, 0.1..100.0f64, 0..10u8), 0..60),
        duration in 60.0..500.0f64,
    ) {
        let outcomes: Vec<_> = requests
            .into_iter()
            .map(|(arrival, client, input, output, wait, span, fate)| Outcome {
                served: (fate > 0).then_some(Served { first_token: arrival + wait, end: arrival + wait + span }),
                ..served(arrival, client, (input, output), 0.0, 0.0)
            })
            .collect();
        let mut measure = Measure::new(duration);
        outcomes.iter().for_each(|outcome| measure.add(outcome));
        let clients: Vec<_> = (0..5).map(|number: u32| Client::new(number.to_string())).collect();
        let summary = measure.finish(&clients);
        let diffs = naive(&outcomes, 5, duration);
        let mean = diffs.iter().sum::<f64>() / 19.0;
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6 * (1.0 + b.abs());
        prop_assert!(close(summary.avg_diff, mean), "{} {mean}", summary.avg_diff);
        prop_assert!(close(summary.max_diff, diffs.iter().copied().fold(0.0, f64::max)));
        let var = diffs.iter().map(|diff| (diff - mean).powi(2)).sum::<f64>() / 19.0;
        prop_assert!(close(summary.diff_var, var), "{} {var}", summary.diff_var);
    }
}
