//! Laws of the policies, on plain numbers.

use proptest::prelude::*;

use super::*;
use crate::clock::Tick;

fn view<'a>(pods: &'a dyn Loads, user_tokens: Option<f64>, bucket: f64, seed: u64) -> View<'a> {
    let extremes = Extremes { min: bucket, max: bucket, users: 1, bucket, as_of: Tick::ZERO };
    View { pods, user_tokens, extremes, noise: Noise::seeded(seed) }
}

#[test]
fn every_policy_answers_to_its_name_and_to_no_pods_with_none() {
    let policies = Policies::new(&ScoringConfig::default());
    for name in NAMES {
        let policy = policies.get(name).unwrap();
        assert_eq!(policy.name(), name);
        assert_eq!(policy.choose(&view(&Vec::new(), Some(1.0), 1.0, 0)), None);
        assert_eq!(policy.choose(&view(&[7.0], Some(1.0), 1.0, 0)), Some(0));
    }
    let error = policies.get("fastest").unwrap_err();
    assert!(error.to_string().contains("vtc-basic, random"), "{error}");
}

#[test]
fn round_robin_takes_turns() {
    let policy = RoundRobin::default();
    let pods = [0.0; 3];
    let chosen: Vec<_> = (0..6).map(|seed| policy.choose(&view(&pods, None, 1.0, seed)).unwrap()).collect();
    assert_eq!(chosen, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn random_reaches_every_pod_evenly() {
    let mut chosen = [0; 4];
    (0..4_000).for_each(|seed| {
        chosen[Random.choose(&view(&[9.0, 0.0, 5.0, f64::NAN], None, 1.0, seed)).unwrap()] += 1
    });
    assert!(chosen.iter().all(|n| (880..1_120).contains(n)), "{chosen:?}");
}

#[test]
fn least_request_spreads_over_equals() {
    let mut chosen = [0; 3];
    (0..3_000)
        .for_each(|seed| chosen[LeastRequest.choose(&view(&[1.0, 2.0, 1.0], None, 1.0, seed)).unwrap()] += 1);
    assert_eq!(chosen[1], 0);
    assert!((1_350..1_650).contains(&chosen[0]), "{chosen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn vtc_basic_chooses_what_a_full_scan_chooses(
        pods in prop::collection::vec(prop_oneof![8 => 0.0..150.0, 1 => Just(f64::NAN), 1 => Just(-3.0)], 1..200),
        tokens in 0.0..3e5f64, bucket in prop_oneof![9 => 1.0..1e4, 1 => Just(0.0)], seed: u64,
        fairness_weight in prop_oneof![1.0..2.0, 0.0..0.1, Just(0.0)], utilization_weight in 0.0..20.0,
    ) {
        let policy = VtcBasic::new(ScoringConfig { fairness_weight, utilization_weight, max_pod_load: 100.0 });
        let view = view(&pods, Some(tokens), bucket, seed);
        let scores = policy.score_all(&view);
        let least = scores.iter().copied().fold(f64::INFINITY, f64::min);
        let first_least = scores.iter().position(|score| *score == least);
        prop_assert_eq!(policy.choose(&view), first_least);
    }

    #[test]
    fn least_request_is_never_beaten(pods in prop::collection::vec(0.0..5.0f64, 1..50), seed: u64) {
        let pods: Vec<_> = pods.into_iter().map(f64::floor).collect();
        let chosen = LeastRequest.choose(&view(&pods, None, 1.0, seed)).unwrap();
        prop_assert!(pods.iter().all(|load| pods[chosen] <= *load));
    }

    #[test]
    fn power_of_two_avoids_the_one_busiest_pod(pods in 2..20usize, busy: usize, seed: u64) {
        let mut loads = vec![0.0; pods];
        loads[busy % pods] = 1.0;
        prop_assert_ne!(PowerOfTwo.choose(&view(&loads, None, 1.0, seed)).unwrap(), busy % pods);
    }
}
