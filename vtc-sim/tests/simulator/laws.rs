//! What holds of every run.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use vtc_core::TokenWeights;
use vtc_core::queue::{QueueLimits, Weight, discipline};
use vtc_sim::measure::{Recorder, Setting};
use vtc_sim::request::{Outcome, Request};
use vtc_sim::simulator::{Capacity, Profile, Setup, Summary, simulate};
use vtc_sim::workload::{self, Client, Workload};

fn run(setup: &Setup, workload: &Workload, seed: u64) -> (Vec<Outcome>, Summary) {
    let mut outcomes = Vec::new();
    let arrivals = workload.arrivals(seed);
    let summary = simulate(setup, &workload.clients, arrivals, |outcome| outcomes.push(*outcome)).unwrap();
    (outcomes, summary)
}

/// Every order and every pod policy, each at least once.
fn policies() -> Vec<String> {
    let orders =
        ["none", "rpm:5", "vtc-pred:median", "vtc-pred:p90", "vtc-oracle", "vtc-pred-50", "vtc-fair@2"];
    let orders = orders.into_iter().chain(discipline::NAMES);
    let mut policies: Vec<_> = orders.clone().map(str::to_owned).collect();
    let pods = vtc_core::policy::NAMES.into_iter().chain(["vtc-basic-shuffled"]).cycle();
    policies.extend(orders.clone().skip(1).map(|order| format!("{order},pooled")));
    policies.extend(orders.zip(pods).map(|(order, pod)| format!("{order},{pod}")));
    policies
}

fn profiles() -> [Profile; 3] {
    // Little memory and small steps: what is put off comes back, what is read comes in pieces.
    let narrow = "kind = 'paged'\npool_tokens = 4096\nmax_step_tokens = 256\nprefix_tokens = 64";
    [Profile::default(), Profile::load("vllm").unwrap(), Profile::from_toml(narrow).unwrap()]
}

fn clients(count: u32) -> Vec<Client> {
    let client = |number| Client { name: format!("client-{number}").into(), weight: Weight::ONE };
    (0..count).map(client).collect()
}

/// Requests with prefixes that some of them share.
fn requests() -> impl Strategy<Value = Vec<Request>> {
    let one = (0..30_000_u32, 0..5_u32, 1..1200_u64, 0..700_u64, 0..4_u64, 0..20_u64);
    proptest::collection::vec(one, 1..80).prop_map(|mut drawn| {
        drawn.sort_unstable();
        let request =
            |(number, (at, client, input, output, topic, same)): (u64, (u32, u32, u64, u64, u64, u64))| {
                let blocks = input.div_ceil(64);
                let block =
                    |block: u64| if block < same { topic * 1000 + block } else { number * 1_000_000 + block };
                let blocks = Some((0..blocks).map(block).collect());
                Request { arrival: f64::from(at) / 1000.0, client, input, output, guess: None, blocks }
            };
        (0..).zip(drawn).map(request).collect()
    })
}

/// What was asked, however often.
fn tally(asked: impl Iterator<Item = (f64, u32, u64, u64)>) -> HashMap<(u64, u32, u64, u64), usize> {
    let mut tally = HashMap::new();
    asked.for_each(|(at, client, input, output)| {
        *tally.entry((at.to_bits(), client, input, output)).or_default() += 1
    });
    tally
}

/// What one pod does, an engine of one pod does; and an engine of several has their throughput, nearly.
#[test]
fn an_engine_of_all_pods_is_what_they_are_together() {
    let workload = workload::by_name("overload-multi").unwrap().lasting(60.0);
    for profile in profiles() {
        let outcomes = |policy: &str, pods, load| {
            let workload = workload.clone().at_load(load).unwrap();
            run(&Setup::new(policy.parse().unwrap()).on(pods, profile.clone()), &workload, 1)
        };
        assert_eq!(outcomes("vtc-fair", 1, 1.0), outcomes("vtc-fair,pooled", 1, 1.0));
        let (one, several) = (outcomes("fcfs", 1, 1.0).1.end, outcomes("fcfs,pooled", 8, 8.0).1.end);
        assert!((several / one - 1.0).abs() < 0.15, "{one} {several}");
    }
}

/// A prompt token from a cache costs what it is told to: with nothing else different, another order.
#[test]
fn what_comes_from_a_cache_may_cost_less() {
    let blocks: std::sync::Arc<[u64]> = (0..16).collect();
    let request = |number: u32| {
        // One client's prompts are the same, the other's are not.
        let same = number.is_multiple_of(2);
        let own: std::sync::Arc<[u64]> =
            (0..16).map(|block| u64::from(number) * 1000 + 100 + block).collect();
        let blocks = Some(if same { blocks.clone() } else { own });
        Request { arrival: 0.0, client: number % 2, input: 1024, output: 64, guess: None, blocks }
    };
    let half_time = |cached_cost| {
        let profile = Profile::from_toml("kind = 'paged'\npool_tokens = 4096\nprefix_tokens = 64").unwrap();
        let setup = Setup { cached_cost, ..Setup::new("vtc-fair".parse().unwrap()).on(1, profile) };
        let mut ends = Vec::new();
        simulate(&setup, &clients(2), (0..80).map(request), |of| ends.push(of.client)).unwrap();
        ends[..40].iter().filter(|client| **client == 0).count()
    };
    let (whole, discounted) = (half_time(1.0), half_time(0.0));
    assert!(discounted > whole + 5, "{whole} {discounted}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn every_request_has_one_fate_in_the_right_order_and_no_pod_holds_more_than_it_can(
        requests in requests(),
        pods in 1..4_usize,
    ) {
        for profile in profiles() {
            for policy in policies() {
                let setup = Setup::new(policy.parse().unwrap()).on(pods, profile.clone());
                let mut outcomes = Vec::new();
                let arrivals = requests.iter().cloned();
                let summary = simulate(&setup, &clients(5), arrivals, |outcome| outcomes.push(*outcome)).unwrap();
                let asked = tally(requests.iter().map(|of| (of.arrival, of.client, of.input, of.output)));
                let answered = tally(outcomes.iter().map(|of| (of.arrival, of.client, of.input, of.output)));
                prop_assert_eq!(asked, answered, "{}", &policy);
                for outcome in &outcomes {
                    if let Some(served) = outcome.served {
                        prop_assert!(outcome.arrival < served.first_token && served.first_token <= served.end);
                    }
                }
                let refused = outcomes.iter().filter(|of| of.served.is_none()).count();
                prop_assert_eq!((summary.requests, summary.refused), (requests.len() as u64, refused as u64));
                let pools = if policy.ends_with(",pooled") { pods as u64 } else { 1 };
                prop_assert!(summary.pods.most_held <= pools * profile.pool_tokens(), "{}: {:?}", &policy, summary);
                let paged = matches!(profile, Profile::Paged(_));
                prop_assert!(paged || summary.pods.preemptions == 0);
            }
        }
    }

    #[test]
    fn whoever_has_the_same_seed_has_the_same_run(requests in requests(), seed: u64) {
        for profile in profiles() {
            for policy in policies() {
                let setup = Setup { seed, ..Setup::new(policy.parse().unwrap()).on(3, profile.clone()) };
                let run = || {
                    let mut outcomes = Vec::new();
                    let arrivals = requests.iter().cloned();
                    let summary = simulate(&setup, &clients(5), arrivals, |outcome| outcomes.push(*outcome)).unwrap();
                    (outcomes, summary)
                };
                prop_assert_eq!(run(), run(), "{}", policy);
            }
        }
    }
}

#[test]
fn another_seed_is_another_run_where_chance_decides() {
    let workload = workload::by_name("overload").unwrap().lasting(60.0);
    for policy in
        ["vtc-pred-50", "none,random", "fcfs,power-of-two", "vtc-fair,vtc-basic-shuffled", "none,vtc-basic"]
    {
        let with = |seed| {
            let setup = Setup { seed, ..Setup::new(policy.parse().unwrap()).on(2, Profile::default()) };
            run(&setup, &workload, 1).0
        };
        assert_ne!(with(1), with(2), "{policy}");
    }
}

#[test]
fn a_pod_never_stands_idle_while_a_request_waits() {
    // More work than the pods can do from the first second to the last arrival: they work all the time, however the order.
    let workload = workload::by_name("overload").unwrap().lasting(120.0);
    for profile in [Profile::default(), Profile::load("vllm").unwrap()] {
        for policy in ["fcfs", "vtc-fair", "vtc-pred", "drr", "lcf", "vtc-max-fair", "none,round-robin"] {
            let setup = Setup::new(policy.parse().unwrap()).on(1, profile.clone());
            let (outcomes, summary) = run(&setup, &workload, 1);
            let first = outcomes.iter().map(|of| of.arrival).fold(f64::MAX, f64::min);
            let idle = summary.end - summary.pods.busy as f64 / 1e9;
            // Between the first two requests there may be nothing to do.
            assert!(
                idle >= first - 1e-9 && idle < first + 0.7,
                "{policy}: idle for {idle} s, first at {first} s"
            );
        }
    }
}

/// On one pod it makes no difference to the first come where they wait: in the queue, or in the pod's own line.
#[test]
fn first_come_first_served_is_the_same_in_the_pods_own_line() {
    for name in ["overload", "short-long-2", "burst"] {
        let workload = workload::by_name(name).unwrap().lasting(120.0);
        for profile in profiles() {
            let with = |policy: &str| {
                run(&Setup::new(policy.parse().unwrap()).on(1, profile.clone()), &workload, 1).0
            };
            assert_eq!(with("fcfs"), with("none,vtc-basic"), "{name}");
        }
    }
}

#[test]
fn no_client_runs_more_than_its_cap() {
    let workload = workload::by_name("overload").unwrap().lasting(60.0);
    let (outcomes, _) = run(&Setup::new("vtc-fair@3".parse().unwrap()), &workload, 1);
    for client in [0, 1] {
        let own: Vec<_> =
            outcomes.iter().filter(|of| of.client == client).filter_map(|of| of.served).collect();
        let at_once =
            |moment: f64| own.iter().filter(|of| of.first_token <= moment && moment < of.end).count();
        let most = own.iter().map(|of| at_once(of.first_token)).max().unwrap();
        assert_eq!(most, 3, "reached and not passed");
    }
}

#[test]
fn a_gateway_gives_a_pod_as_much_as_it_has_room_for_and_no_more() {
    let workload = workload::by_name("overload").unwrap().lasting(30.0);
    // A request is thought to be of 256 tokens and 384, or of what is predicted: with the truth, of 512.
    for (policy, running, tokens, most) in [
        ("vtc-fair,least-request", 3, 10_000, 3),
        ("vtc-fair,least-request", 1000, 1400, 2),
        ("vtc-oracle,least-request", 1000, 1600, 3),
        ("fcfs,vtc-basic-shuffled", 1000, 10, 1),
    ] {
        let setup = Setup { capacity: Capacity { running, tokens }, ..Setup::new(policy.parse().unwrap()) };
        let (outcomes, summary) = run(&setup, &workload, 1);
        assert_eq!((summary.requests, outcomes.len(), summary.refused), (135, 135, 0), "{policy}");
        let all: Vec<_> = outcomes.iter().filter_map(|of| of.served).collect();
        let at_once =
            |moment: f64| all.iter().filter(|of| of.first_token <= moment && moment < of.end).count();
        let reached = all.iter().map(|of| at_once(of.first_token)).max().unwrap();
        assert_eq!(reached, most, "{policy}");
    }
}

/// Answers that are far longer than was thought: what they held beyond comes back too, or there would be less and less.
#[test]
fn what_an_answer_held_comes_back_whole() {
    let workload = workload::by_name("short-long-2").unwrap().only(|client| client == 1).lasting(300.0);
    let policy = "vtc-fair,least-request".parse().unwrap();
    let setup = Setup { capacity: Capacity { running: 1000, tokens: 2000 }, ..Setup::new(policy) };
    let (outcomes, summary) = run(&setup, &workload, 1);
    assert_eq!(summary.requests, outcomes.len() as u64);
    let all: Vec<_> = outcomes.iter().filter_map(|of| of.served).collect();
    let at_once = |of: f64| all.iter().filter(|other| other.first_token <= of && of < other.end).count();
    let last =
        all.iter().filter(|of| of.first_token > 0.9 * summary.end).map(|of| at_once(of.first_token)).max();
    let all = all.iter().map(|of| at_once(of.first_token)).max();
    assert!(last >= Some(4) && all.is_some_and(|most| most <= 25), "{last:?} of {all:?}");
}

#[test]
fn a_limit_by_the_minute_refuses_what_is_beyond() {
    let workload = workload::by_name("overload").unwrap();
    let (outcomes, summary) = run(&Setup::new("rpm:5".parse().unwrap()), &workload, 1);
    // 6 minutes, 5 of each client in each.
    assert_eq!(summary.requests - summary.refused, 60);
    for client in [0, 1] {
        let accepted: Vec<_> = outcomes
            .iter()
            .filter(|of| of.client == client && of.served.is_some())
            .map(|of| of.arrival)
            .collect();
        let mut accepted = accepted;
        accepted.sort_by(f64::total_cmp);
        assert!(accepted.windows(6).all(|of| of[5] - of[0] >= 60.0 - 1e-9));
    }
}

#[test]
fn policies_rank_by_fairness_under_overload() {
    let workload = workload::by_name("overload").unwrap();
    let diff = |policy: &str| {
        let mut recorder = Recorder::new(Setting::new(workload.duration).unwrap());
        let (outcomes, _) = run(&Setup::new(policy.parse().unwrap()), &workload, 1);
        outcomes.iter().for_each(|outcome| recorder.add(outcome));
        recorder.finish().avg_diff
    };
    let ranked = ["vtc-oracle", "vtc-pred-50", "vtc-fair", "fcfs"].map(diff);
    assert!(ranked.windows(2).all(|pair| 2.0 * pair[0] < pair[1]), "{ranked:?}");
}

#[test]
fn a_prefix_that_is_there_is_not_read_again() {
    let request = |number: u32, topic: u64| Request {
        arrival: f64::from(number) * 30.0,
        client: 0,
        input: 2000,
        output: 10,
        guess: None,
        // The last block is not whole.
        blocks: Some((0..4).map(|block| topic * 10 + block).collect()),
    };
    let setup = Setup::new("fcfs".parse().unwrap()).on(1, Profile::load("vllm").unwrap());
    let run = |topics: [u64; 2]| {
        let requests = [request(0, topics[0]), request(1, topics[1])];
        let mut waits = Vec::new();
        let sink = |of: &Outcome| waits.push(of.served.unwrap().first_token - of.arrival);
        let summary = simulate(&setup, &clients(1), requests, sink).unwrap();
        (summary.pods.cached, waits)
    };
    let (cached, waits) = run([1, 2]);
    assert_eq!(cached, 0);
    assert!((waits[0] - waits[1]).abs() < 1e-9);
    let (cached, waits) = run([1, 1]);
    assert_eq!(cached, 3 * 512);
    assert!((waits[0] - waits[1] - 1536.0 * 0.000_209).abs() < 1e-9, "{waits:?}");
}

/// Requests of as many clients, all at the beginning.
fn at_once(count: u32, guess: Option<u64>) -> Vec<Request> {
    let one = |client| Request { arrival: 0.0, client, input: 100, output: 100, guess, blocks: None };
    (0..count).map(one).collect()
}

/// A gateway before one pod, to which it gives one request at a time, and what became of these.
fn one_by_one(setup: Setup, requests: Vec<Request>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let setup = Setup { capacity: Capacity { running: 1, tokens: u64::MAX }, ..setup };
    simulate(&setup, &clients(8), requests, |outcome| outcomes.push(*outcome)).unwrap();
    outcomes
}

#[test]
fn whoever_waits_for_longer_than_it_may_is_refused() {
    let patient = Setup::new("fcfs,least-request".parse().unwrap());
    let ends: Vec<_> = one_by_one(patient.clone(), at_once(5, None));
    let end = |number: usize| ends[number].served.unwrap().end;
    // Before the third would go, and after the second has.
    let wait = Duration::from_secs_f64((end(0) + end(1)) / 2.0);
    let outcomes = one_by_one(Setup { longest_wait: Some(wait), ..patient.clone() }, at_once(5, None));
    let served = |outcomes: &[Outcome]| outcomes.iter().filter(|of| of.served.is_some()).count();
    assert_eq!((outcomes.len(), served(&outcomes)), (5, 2));
    // At that very moment it is too late.
    let to_the_end = Some(Duration::from_secs_f64(end(1)));
    let outcomes = one_by_one(Setup { longest_wait: to_the_end, ..patient }, at_once(5, None));
    assert_eq!(served(&outcomes), 2);
}

#[test]
fn whoever_finds_the_queue_full_is_refused() {
    let limits = QueueLimits { requests: 2, ..QueueLimits::NONE };
    let setup = Setup { limits, ..Setup::new("fcfs,least-request".parse().unwrap()) };
    let outcomes = one_by_one(setup, at_once(5, None));
    let refused: Vec<_> = outcomes.iter().filter(|of| of.served.is_none()).map(|of| of.client).collect();
    // Whoever comes first goes only once all who come with it are there.
    assert_eq!(refused, [2, 3, 4]);
}

#[test]
fn what_an_answer_is_said_to_take_decides_whether_there_is_room() {
    let together = |guess| {
        let capacity = Capacity { running: usize::MAX, tokens: 400 };
        let setup = Setup { capacity, ..Setup::new("fcfs,least-request".parse().unwrap()) };
        let mut first_tokens = Vec::new();
        let sink = |of: &Outcome| first_tokens.push(of.served.unwrap().first_token);
        simulate(&setup, &clients(2), at_once(2, guess), sink).unwrap();
        first_tokens[0] == first_tokens[1]
    };
    assert!(together(Some(100)));
    assert!(!together(Some(101)));
    // 1.5 tokens for each of the prompt.
    assert!(!together(None));
}

#[test]
fn the_queue_counts_by_the_weights_it_is_told() {
    // One client reads much, the other writes much; whoever was charged less goes next.
    let asks =
        |client, input, output| Request { arrival: 0.0, client, input, output, guess: None, blocks: None };
    let requests =
        || [0, 1, 0, 1].map(|client| if client == 0 { asks(0, 300, 10) } else { asks(1, 10, 300) });
    let order = |weights: TokenWeights| {
        let mut setup = Setup::new("vtc-fair,least-request".parse().unwrap());
        setup.vtc.tracker.weights = weights;
        one_by_one(setup, requests().into()).iter().map(|of| of.client).collect::<Vec<_>>()
    };
    assert_eq!(order(TokenWeights { input: 1.0, output: 0.0 }), [0, 1, 1, 0]);
    assert_eq!(order(TokenWeights { input: 0.0, output: 1.0 }), [0, 1, 0, 1]);
}
