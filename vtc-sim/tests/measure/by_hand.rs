//! A run of two clients whose figures are worked out here, with `T` = 230 s, so that ticks are 10 s apart.
//!
//! Client 0 is served 1 weighted token per second from 0 to 300 s, for a request that came at 0, before every window.
//! Client 1 is served 3 per second from 100 to 160 s, for one of 180 in all that came at 100; another was refused.
//!
//! | windows from | y_0 | y_1 | r_1 | m | diff |
//! | --- | --- | --- | --- | --- | --- |
//! | 10 ... 40 | 1 | 0 | 0 | 1 | 0 |
//! | 50, 60 | 1 | 0.5, 1 | 3 | 1 | min(m - y_1, r_1 - y_1) = 0.5, 0 |
//! | 70 | 1 | 1.5 | 3 | 1.5 | min(m - y_0, y_0 - 0) = 0.5 |
//! | 80, 90, 100 | 1 | 2, 2.5, 3 | 3 | y_1 | 1, 1, 1 |
//! | 110, 120 | 1 | 2.5, 2 | 0 | y_1 | 1, 1 |
//! | 130, 140 | 1 | 1.5, 1 | 0 | y_1 | 0.5, 0 |
//! | 150 | 1 | 0.5 | 0 | 1 | min(m - y_1, y_1 - 0) = 0.5 |
//! | 160 ... 190 | 1 | 0 | 0 | 1 | 0 |
//!
//! Their sum is 7, the sum of their squares 6.

use std::sync::Arc;

use vtc_core::TokenWeights;
use vtc_core::queue::Weight;
use vtc_sim::measure::{Isolation, Recorder, RunSummary, Setting};
use vtc_sim::request::{Outcome, Served};

use crate::recorded;

fn outcomes() -> Vec<Outcome> {
    let served = |from: f64, to: f64| Some(Served { first_token: from, end: to });
    vec![
        Outcome { arrival: 0.0, client: 0, input: 100, output: 100, served: served(0.0, 300.0) },
        Outcome { arrival: 100.0, client: 1, input: 60, output: 60, served: served(100.0, 160.0) },
        Outcome { arrival: 120.0, client: 1, input: 10, output: 10, served: None },
    ]
}

fn run() -> RunSummary {
    recorded(&Setting::new(230.0).unwrap(), &outcomes())
}

#[track_caller]
fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn the_diffs() {
    let run = run();
    let expected =
        [0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(run.ticks.len(), expected.len());
    for (k, (tick, expected)) in run.ticks.iter().zip(expected).enumerate() {
        near(tick.x_s, 10.0 * (k + 1) as f64);
        near(tick.diff, expected);
    }
    near(run.max_diff, 1.0);
    near(run.avg_diff, 7.0 / 19.0);
    near(run.diff_var, 6.0 / 19.0 - (7.0 / 19.0) * (7.0 / 19.0));
    // The last request, though refused, came at 120: twelve windows began by then.
    near(run.avg_diff_while_arriving, 6.0 / 12.0);
}

/// At 100 s client 0 is 70 ahead; at 160 it is 50 behind, at 230 it is 20 ahead.
#[test]
fn the_gap_and_the_index() {
    let run = run();
    near(run.gap.max, 70.0);
    near(run.gap.at, 100.0);
    assert_eq!(run.gap.bound, None);
    assert_eq!(run.gap.curve.len(), 200);
    for (at, gap) in [(31.0, 1.0), (100.0, 70.0), (135.0, 0.0), (160.0, 50.0), (230.0, 20.0)] {
        near(run.gap.curve.iter().find(|point| point.0 == at).unwrap().1, gap);
    }
    // 200 and 180 since the warm-up.
    near(run.jain, 380.0 * 380.0 / (2.0 * (200.0 * 200.0 + 180.0 * 180.0)));
    let curve: Vec<_> = run.curve(&run.clients[1]).collect();
    assert_eq!((curve.len(), curve[0]), (231, (0.0, 0.0)));
    near(curve[130].1, 90.0);
    near(curve[230].1, 180.0);
}

#[test]
fn what_was_served_and_what_was_refused() {
    let run = run();
    near(run.length_s, 300.0);
    near(run.tokens_per_s, 320.0 / 300.0);
    assert_eq!((run.requests, run.served, run.refused), (3, 2, 1));
    let [zero, one] = &run.clients[..] else { panic!("two clients") };
    assert_eq!((zero.requests, zero.refused, one.requests, one.refused), (1, 0, 2, 1));
    assert_eq!((zero.service, one.service), (300.0, 180.0));
    assert_eq!((one.latency.quantile(0.5), one.first_token.quantile(0.99)), (Some(60.0), Some(0.0)));
    assert_eq!(run.latency.sorted(), [60.0, 300.0]);
}

/// With 3 times the weight, client 1 has 60 per weight in the end, and the gap is 140 then.
#[test]
fn names_weights_and_the_bound() {
    let setting = Setting { batch_tokens: Some(1000), ..Setting::new(230.0).unwrap() };
    let weight = |weight| Weight::new(weight).unwrap();
    let clients = [(Arc::from("alice"), weight(0.5)), (Arc::from("bob"), weight(3.0))];
    let mut recorder = Recorder::new(setting).with_clients(clients);
    outcomes().iter().for_each(|outcome| recorder.add(outcome));
    let run = recorder.finish();
    near(run.gap.max, 200.0 / 0.5 - 180.0 / 3.0);
    near(run.gap.at, 230.0);
    near(run.gap.bound.unwrap(), 2.0 * 2.0 * 1000.0 / 0.5);
    near(run.jain, 460.0 * 460.0 / (2.0 * (400.0 * 400.0 + 60.0 * 60.0)));
    assert_eq!(run.client("bob").unwrap().weight, 3.0);
    near(run.avg_diff, 7.0 / 19.0);
}

#[test]
fn other_weights_of_tokens_make_other_service() {
    let weights = TokenWeights { input: 3.0, output: 0.0 };
    let setting = Setting { weights, ..Setting::new(230.0).unwrap() };
    let run = recorded(&setting, &outcomes());
    // 300 and 180 as before.
    near(run.avg_diff, 7.0 / 19.0);
    near(run.tokens_per_s, 320.0 / 300.0);
    let setting = Setting { weights: TokenWeights { input: 6.0, ..weights }, ..setting };
    near(recorded(&setting, &outcomes()).avg_diff, 14.0 / 19.0);
}

#[test]
fn a_client_that_never_asked_is_nobody() {
    let mut outcomes = outcomes();
    outcomes.iter_mut().for_each(|outcome| outcome.client *= 5);
    let run = recorded(&Setting::new(230.0).unwrap(), &outcomes);
    assert_eq!(run.clients.len(), 2);
    near(run.gap.max, 70.0);
    near(run.jain, self::run().jain);
}

#[test]
fn isolation_is_a_wait_beside_the_same_wait_alone() {
    let together = run();
    let alone: Vec<_> = outcomes().into_iter().filter(|outcome| outcome.client == 1).collect();
    let mut alone = alone;
    alone[0].served = alone[0].served.map(|served| Served { end: 120.0, ..served });
    let alone = recorded(&Setting::new(230.0).unwrap(), &alone);
    let isolation = Isolation::of("1", &together, &alone).unwrap();
    assert_eq!((isolation.latency_p99_s, isolation.latency_p99_alone_s), (60.0, 20.0));
    assert_eq!(Isolation::of("0", &together, &alone), None);
}

#[test]
fn the_json_has_the_keys_that_others_look_for() {
    let json = serde_json::to_value(run()).unwrap();
    for (key, expected) in [
        ("max_diff", 1.0),
        ("avg_diff", 7.0 / 19.0),
        ("tokens_per_s", 320.0 / 300.0),
        ("accumulated_gap", 70.0),
        ("duration_s", 230.0),
    ] {
        near(json[key].as_f64().unwrap(), expected);
    }
    assert!(json["diff_var"].is_f64() && json["gap_bound"].is_null());
    assert_eq!(json["clients"][1]["refused"], 1);
    assert_eq!(json["clients"][1]["latency_s"]["p99"], 60.0);
    assert_eq!(json["ticks"][18]["x_s"], 190.0);
}

#[test]
fn of_nothing_there_is_nothing() {
    let run = recorded(&Setting::new(60.0).unwrap(), &[]);
    assert_eq!((run.max_diff, run.avg_diff, run.diff_var, run.tokens_per_s), (0.0, 0.0, 0.0, 0.0));
    assert_eq!((run.gap.max, run.jain, run.clients.len()), (0.0, 1.0, 0));
    assert!(run.to_string().contains("Avg Diff"));
}
