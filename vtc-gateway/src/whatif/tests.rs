//! Replays of what a simulator made: there it is known what a change would have done.

use std::time::Duration;

use vtc_core::VtcConfig;
use vtc_core::queue::{QueueLimits, Weight};
use vtc_sim::request::{Outcome, Request};
use vtc_sim::simulator::{Capacity, PagedProfile, Profile, Setup, simulate};
use vtc_sim::workload::Client;

use super::history::Past;
use super::{Change, History, Rules, WhatIfError, answer};

const SPAN: f64 = 240.0;
/// What the pod runs at a time.
const SLOTS: usize = 8;

/// The pod that there really is.
fn truth() -> Profile {
    Profile::Paged(PagedProfile {
        step_ms: 25.0,
        prefill_per_token_ms: 0.1,
        decode_per_request_ms: 1.0,
        decode_per_context_token_us: 0.0,
        pool_tokens: 1_000_000,
        max_running: SLOTS,
        prefix_tokens: 0,
        ..PagedProfile::default()
    })
}

/// A whale that asks for more than there is, but in the first minute, and a light user.
fn requests() -> Vec<Request> {
    let request = |client, arrival: f64, number: u64| {
        let (input, output) = (100 + number * 37 % 300, 40 + number * 53 % 120);
        Request { arrival, client, input, output, guess: None, blocks: None }
    };
    let whale = (0..60).map(|n| request(0, n as f64 + 0.01, n));
    let whale = whale.chain((0..720).map(|n| request(0, 60.0 + n as f64 / 4.0 + 0.02, n)));
    let light = (0..120).map(|n| request(1, 2.0 * n as f64 + 0.6, n));
    let mut all: Vec<_> = whale.chain(light).collect();
    all.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
    all
}

/// What becomes of them in truth, in the order in which they come.
fn world(policy: &str, weights: [f64; 2]) -> Vec<Outcome> {
    let client = |name: &str, weight| Client { name: name.into(), weight: Weight::new(weight).unwrap() };
    let clients = [client("whale", weights[0]), client("light", weights[1])];
    let capacity = Capacity { running: SLOTS, tokens: u64::MAX };
    let setup = Setup { capacity, ..Setup::new(policy.parse().unwrap()).on(1, truth()) };
    let mut outcomes = Vec::new();
    simulate(&setup, &clients, requests(), |outcome| outcomes.push(*outcome)).unwrap();
    outcomes.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
    outcomes
}

/// What a gateway without a queue has recorded of that world.
fn history() -> History {
    let past = |outcome: Outcome| {
        let served = outcome.served.unwrap();
        Past {
            at: outcome.arrival,
            user: outcome.client,
            input: outcome.input,
            output: outcome.output,
            guess: 150,
            pod: 1,
            waited: 0.0,
            first_token: Some(served.first_token - outcome.arrival),
            duration: served.end - outcome.arrival,
            is_served: true,
        }
    };
    History {
        pool: "m".into(),
        users: ["whale", "light"].map(|name| (name.into(), Weight::ONE)).into(),
        requests: world("none,least-request", [1.0; 2]).into_iter().map(past).collect(),
        warm_up: 0.0,
        span: SPAN,
        is_cut: false,
        left_out: [0, 0],
    }
}

fn rules() -> Rules {
    Rules {
        queue: None,
        policy: "least-request".to_owned(),
        vtc: VtcConfig::default(),
        limits: QueueLimits::NONE,
        longest_wait: Some(Duration::from_secs(3600)),
        cached_input: 1.0,
        quantum: 500.0,
        capacities: vec![[None; 2]],
    }
}

fn change(parts: &[(&str, &str)]) -> Change {
    Change::parse(parts.iter().copied()).unwrap()
}

/// The 99th percentile of the light user's first tokens.
fn light_p99(outcomes: &[Outcome]) -> f64 {
    let own = outcomes.iter().filter(|it| it.client == 1);
    let mut times: Vec<_> = own.map(|it| it.served.unwrap().first_token - it.arrival).collect();
    times.sort_by(f64::total_cmp);
    times[(times.len() * 99).div_ceil(100) - 1]
}

#[track_caller]
fn near(found: f64, expected: f64, within: f64) {
    assert!((found / expected - 1.0).abs() <= within, "{found} is not within {within} of {expected}");
}

#[test]
fn the_replay_of_what_was_is_what_was() {
    let answer = answer(&history(), &rules(), &Change::default()).unwrap();
    assert!(answer.agreement.is_close && answer.agreement.off.unwrap() < 0.1, "{:?}", answer.agreement);
    let [measured, replayed, changed] = &answer.all;
    assert_eq!(replayed, changed, "nothing is changed");
    assert_eq!((measured.requests, measured.refused, replayed.requests), (900, 0, 900));
    near(replayed.service, measured.service, 0.05);
    let light = answer.users.iter().find(|user| user.user == "light").unwrap();
    near(light.figures[0].first_token.unwrap()[1], light_p99(&world("none,least-request", [1.0; 2])), 1e-9);
    assert!(answer.words.iter().any(|word| word.contains("Replayed as it was")), "{:?}", answer.words);
}

/// What the record never saw, a fair queue, and what that would have done in truth.
#[test]
fn what_a_change_would_do_is_what_it_does() {
    let answer = answer(&history(), &rules(), &change(&[("queue", "vtc-fair")])).unwrap();
    let light = answer.users.iter().find(|user| user.user == "light").unwrap();
    let [_, replayed, changed] = light.figures.map(|of| of.first_token.unwrap()[1]);
    let expected = light_p99(&world("vtc-fair,least-request", [1.0; 2]));
    near(changed, expected, 0.2);
    assert!(10.0 * changed < replayed, "{changed} instead of {replayed}");
    let sentence = answer.words.iter().find(|word| word.starts_with("light's p99 first token would be"));
    assert!(sentence.is_some(), "{:?}", answer.words);
}

#[test]
fn weights_and_pods_count() {
    let fair =
        Rules { queue: Some("vtc-fair".to_owned()), capacities: vec![[Some(SLOTS as u64), None]], ..rules() };
    let p99 = |parts: &[(&str, &str)]| {
        let answer = answer(&history(), &fair, &change(parts)).unwrap();
        let of = |name: &str| {
            let user = answer.users.iter().find(|user| user.user == name).unwrap();
            (user.figures[2].first_token.unwrap()[1], user.weights[1])
        };
        (of("whale"), of("light"), answer.model.pods)
    };
    let (whale, light, pods) = p99(&[]);
    assert_eq!((whale.1, light.1, pods), (1.0, 1.0, [1, 1]));
    let (_, lighter, _) = p99(&[("weight", "light=0.05")]);
    assert!(lighter.1 == 0.05 && lighter.0 > 2.0 * light.0, "{lighter:?} after {light:?}");
    let (relieved, _, pods) = p99(&[("pods", "+1")]);
    assert!(pods == [1, 2] && relieved.0 < whale.0 / 2.0, "{relieved:?} after {whale:?}");
}

#[test]
fn limits_of_the_queue_turn_away() {
    let limits = QueueLimits { per_user: 5, ..QueueLimits::NONE };
    let answer = answer(&history(), &Rules { limits, ..rules() }, &change(&[("queue", "fcfs")])).unwrap();
    assert_eq!(answer.all[1].refused, 0, "there is no queue in force");
    assert!(answer.all[2].refused > 100, "{:?}", answer.all[2]);
    assert!(
        answer.words.iter().any(|word| word.contains("would be turned away instead of 0")),
        "{:?}",
        answer.words
    );
}

#[test]
fn who_has_not_asked_has_no_weight_to_change() {
    let error = answer(&history(), &rules(), &change(&[("weight", "nobody=2")])).unwrap_err();
    assert!(matches!(error, WhatIfError::Wrong { param: "weight", .. }));
    assert!(error.to_string().contains("whale"), "{error}");
}
