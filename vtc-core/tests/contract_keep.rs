//! What must behave as in AIBrix's `vtc` package: each test names the row of the contract that it holds.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use vtc_core::policy::{Loads, NAMES, Polarity, VtcBasic};
use vtc_core::{
    Clock, Extremes, ManualClock, Noise, Policy, RouteError, RouteRequest, Router, ScoringConfig,
    SimpleTokenEstimator, SlidingWindowTracker, Tick, TimeUnit, TokenEstimator, TokenTracker, TokenWeights,
    UpdateError, VtcConfig, policy,
};

fn tracker(clock: &ManualClock) -> SlidingWindowTracker<ManualClock> {
    SlidingWindowTracker::builder().clock(clock.clone()).staleness(Duration::ZERO).build().unwrap()
}

fn router(pods: &[&str]) -> Router<ManualClock> {
    let mut config = VtcConfig::default();
    config.tracker.staleness = Duration::ZERO;
    let router = Router::with_clock(config, ManualClock::new()).unwrap();
    router.pods().set(pods.iter().copied());
    router
}

fn request(user: Option<&str>) -> RouteRequest<'_> {
    RouteRequest { user, input_tokens: 10.0, output_tokens: 15.0 }
}

fn view<'a>(pods: &'a dyn Loads, user_tokens: Option<f64>, extremes: Extremes) -> policy::View<'a> {
    policy::View { pods, user_tokens, extremes, noise: Noise::seeded(1) }
}

fn extremes(min: f64, max: f64, bucket: f64) -> Extremes {
    Extremes { min, max, users: 2, bucket, as_of: Tick::ZERO }
}

// --- the surface ---

#[test]
fn surface_router_vtc_basic_is_the_algorithms_name() {
    assert_eq!(VtcBasic::NAME, "vtc-basic");
    assert_eq!(router(&["a"]).default_policy().name(), "vtc-basic");
    assert_eq!(NAMES, ["vtc-basic", "random", "round-robin", "least-request", "power-of-two"]);
}

#[test]
fn surface_vtc_config_has_the_ten_variables_and_their_defaults() {
    let config = VtcConfig::default();
    assert_eq!((config.tracker.window_size, config.tracker.time_unit), (5, TimeUnit::Minutes));
    assert_eq!((config.tracker.min_tokens, config.tracker.max_tokens), (1000.0, 8000.0));
    assert_eq!(config.tracker.weights, TokenWeights { input: 1.0, output: 2.0 });
    let scoring = ScoringConfig { max_pod_load: 100.0, fairness_weight: 1.0, utilization_weight: 1.0 };
    assert_eq!(config.scoring, scoring);
    let prefix = "AIBRIX_ROUTER_VTC_";
    let mut names = VtcConfig::VARIABLES.map(|name| name.strip_prefix(prefix).unwrap_or(name));
    names.sort_unstable();
    let expected = [
        "BASIC_FAIRNESS_WEIGHT",
        "BASIC_INPUT_TOKEN_WEIGHT",
        "BASIC_MAX_POD_LOAD",
        "BASIC_OUTPUT_TOKEN_WEIGHT",
        "BASIC_UTILIZATION_WEIGHT",
        "ROUTING_ALGORITHM",
        "TOKEN_TRACKER_MAX_TOKENS",
        "TOKEN_TRACKER_MIN_TOKENS",
        "TOKEN_TRACKER_TIME_UNIT",
        "TOKEN_TRACKER_WINDOW_SIZE",
    ];
    assert_eq!(names, expected);
}

#[test]
fn surface_token_tracker_is_a_trait_with_the_same_four() {
    let tracker: Box<dyn TokenTracker> = Box::new(tracker(&ManualClock::new()));
    tracker.update_token_count("alice", 1.0, 2.0).unwrap();
    assert_eq!(tracker.token_count("alice"), 5.0);
    assert_eq!((tracker.min_token_count(), tracker.max_token_count()), (5.0, 5.0));
}

#[test]
fn surface_tracker_options_window_size_and_time_unit() {
    let clock = ManualClock::new();
    for (unit, span) in [
        (TimeUnit::Milliseconds, Duration::from_millis(10)),
        (TimeUnit::Seconds, Duration::from_secs(10)),
        (TimeUnit::Minutes, Duration::from_secs(600)),
        (TimeUnit::Hours, Duration::from_secs(36_000)),
    ] {
        let tracker = SlidingWindowTracker::builder()
            .window_size(10)
            .time_unit(unit)
            .clock(clock.clone())
            .build()
            .unwrap();
        assert_eq!(tracker.config().span(), span);
        tracker.update_token_count("alice", 7.0, 0.0).unwrap();
        clock.advance(span);
        assert_eq!(tracker.token_count("alice"), 7.0, "{unit:?}");
        clock.advance(tracker.config().width());
        assert_eq!(tracker.token_count("alice"), 0.0, "{unit:?}");
    }
}

#[test]
fn surface_router_has_score_all_polarity_and_subscribed_metrics() {
    assert_eq!(VtcBasic::POLARITY, Polarity::Least);
    assert_eq!(VtcBasic::SUBSCRIBED_METRICS, ["num_requests_running"]);
    let router = router(&["a", "b", "c"]);
    let scores = router.score_all(&router.pods().table(), Some("alice"));
    assert_eq!(scores.len(), 3);
    assert!(scores[0] < scores[1] && scores[1] < scores[2], "a user without tokens starts left: {scores:?}");
}

// --- the tracker ---

#[test]
fn tracker_a_charge_is_weighted_and_negative_tokens_count_as_zero() {
    let tracker = tracker(&ManualClock::new());
    tracker.update_token_count("alice", 10.0, 20.0).unwrap();
    assert_eq!(tracker.token_count("alice"), 50.0);
    tracker.update_token_count("alice", -10.0, 1.0).unwrap();
    assert_eq!(tracker.token_count("alice"), 52.0);
    tracker.update_token_count("alice", -1.0, -1.0).unwrap();
    assert_eq!(tracker.token_count("alice"), 52.0);
    assert_eq!(tracker.token_count("nobody"), 0.0);
}

#[test]
fn tracker_at_aibrix_width_a_bucket_expires_once_its_start_is_before_now_minus_window() {
    let clock = ManualClock::new();
    let tracker = SlidingWindowTracker::builder()
        .window_size(5)
        .time_unit(TimeUnit::Seconds)
        .bucket_width(Duration::from_secs(1))
        .clock(clock.clone())
        .build()
        .unwrap();
    clock.advance(Duration::from_millis(1_900));
    tracker.update_token_count("alice", 1.0, 0.0).unwrap();
    // Charged in the bucket of second 1: at second 6 that is not before 6 - 5, at second 7 it is before 7 - 5.
    clock.set(Tick::from_nanos(6_999_000_000));
    assert_eq!(tracker.token_count("alice"), 1.0);
    clock.set(Tick::from_nanos(7_000_000_000));
    assert_eq!(tracker.token_count("alice"), 0.0);
}

#[test]
fn tracker_an_empty_user_reads_zero_and_updating_it_is_an_error() {
    let tracker = tracker(&ManualClock::new());
    assert_eq!(tracker.token_count(""), 0.0);
    assert!(matches!(tracker.update_token_count("", 1.0, 1.0), Err(UpdateError::EmptyUser(_))));
    assert!(tracker.user("").is_err());
    assert_eq!(tracker.account_count(), 0);
}

#[test]
fn tracker_extremes_range_over_users_with_tokens_else_the_configured_ones() {
    let tracker = tracker(&ManualClock::new());
    tracker.update_token_count("zero", 0.0, 0.0).unwrap();
    assert_eq!((tracker.min_token_count(), tracker.max_token_count()), (1000.0, 8000.0));
    tracker.update_token_count("alice", 10.0, 0.0).unwrap();
    tracker.update_token_count("bob", 30.0, 0.0).unwrap();
    assert_eq!((tracker.min_token_count(), tracker.max_token_count()), (10.0, 30.0));
    assert_eq!(tracker.extremes().users, 2);
}

// --- the estimator ---

#[test]
fn estimator_input_is_a_quarter_of_the_bytes_and_output_half_as_much_again_rounded_up() {
    let estimator = SimpleTokenEstimator::default();
    for (text, input, output) in
        [("", 0.0, 0.0), ("a", 1.0, 2.0), ("abcd", 1.0, 2.0), ("abcde", 2.0, 3.0), ("日本", 2.0, 3.0)]
    {
        assert_eq!(estimator.estimate_input_tokens(text), input, "{text:?}");
        assert_eq!(estimator.estimate_output_tokens(text), output, "{text:?}");
    }
}

// --- the router ---

#[test]
fn router_scores_are_fairness_and_load_and_noise_below_a_tenth() {
    let policy =
        VtcBasic::new(ScoringConfig { max_pod_load: 100.0, fairness_weight: 3.0, utilization_weight: 5.0 });
    // u / bucket = 1.5; the loads give 0, 0.5, and 1 at most.
    let scores = policy.score_all(&view(&[0.0, 50.0, 250.0], Some(1500.0), extremes(500.0, 1500.0, 1000.0)));
    for (score, expected) in scores.iter().zip([3.0 * 1.5, 3.0 * 0.5 + 5.0 * 0.5, 3.0 * 0.5 + 5.0]) {
        assert!((expected..expected + 0.1).contains(score), "{score} is not {expected} and some noise");
    }
}

#[test]
fn router_the_position_is_the_count_over_the_adaptive_bucket_at_most_the_last_pod() {
    let policy = VtcBasic::new(ScoringConfig::default());
    let pods = [0.0; 5];
    let choice = |tokens| policy.choose(&view(&pods, Some(tokens), extremes(500.0, 1500.0, 1000.0))).unwrap();
    assert_eq!(choice(0.0), 0);
    assert_eq!(choice(2_000.0), 2);
    assert_eq!(choice(4_000.0), 4);
    assert_eq!(choice(1e9), 4);
}

#[test]
fn router_the_bucket_is_the_middle_of_the_extremes_but_at_least_min_tokens() {
    let tracker = tracker(&ManualClock::new());
    assert_eq!(tracker.extremes().bucket, 4500.0);
    tracker.update_token_count("alice", 100.0, 0.0).unwrap();
    assert_eq!(tracker.extremes().bucket, 1000.0);
    tracker.update_token_count("bob", 9_900.0, 0.0).unwrap();
    assert_eq!(tracker.extremes().bucket, 5000.0);
}

#[test]
fn router_the_position_uses_the_count_before_this_request() {
    let router = router(&["a", "b", "c"]);
    let huge = RouteRequest { user: Some("alice"), input_tokens: 1e6, output_tokens: 0.0 };
    let first = router.route(&huge).unwrap();
    assert_eq!(first.pod().name(), "a", "nothing used before");
    let second = router.route(&huge).unwrap();
    assert_eq!(second.pod().name(), "b", "1e6 used before, and the only user: one bucket");
}

#[test]
fn router_then_charges_the_user_the_estimate() {
    let router = router(&["a", "b"]);
    let ticket = router.route(&request(Some("alice"))).unwrap();
    assert_eq!(router.tracker().token_count("alice"), 40.0);
    assert_eq!((ticket.user(), ticket.reserved()), (Some("alice"), 40.0));
}

#[test]
fn router_estimates_from_text_when_given_text() {
    let estimated = RouteRequest::from_text(Some("alice"), "twelve bytes", &SimpleTokenEstimator::default());
    assert_eq!((estimated.input_tokens, estimated.output_tokens), (3.0, 5.0));
}

#[test]
fn router_without_a_user_takes_a_random_pod_and_charges_nobody() {
    let router = router(&["a", "b", "c", "d"]);
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..400 {
        let ticket = router.route(&request(None)).unwrap();
        assert_eq!((ticket.user(), ticket.reserved()), (None, 0.0));
        *seen.entry(ticket.pod().name().to_owned()).or_insert(0) += 1;
    }
    // Each pod is expected 100 times, with a standard deviation of 9.
    assert!(seen.len() == 4 && seen.values().all(|n| *n > 40), "{seen:?}");
    assert_eq!(router.tracker().account_count(), 0);
}

#[test]
fn router_an_empty_user_is_scored_with_no_tokens_and_not_charged() {
    let router = router(&["a", "b", "c"]);
    for _ in 0..20 {
        let ticket = router.route(&request(Some(""))).unwrap();
        assert_eq!((ticket.pod().name(), ticket.user()), ("a", None));
    }
    assert_eq!(router.tracker().account_count(), 0);
}

#[test]
fn router_without_a_ready_pod_gives_an_error_and_charges_nobody() {
    let router = router(&[]);
    assert_eq!(router.route(&request(Some("alice"))).unwrap_err(), RouteError::NoPods);
    assert_eq!(router.tracker().token_count("alice"), 0.0);
}

#[test]
fn router_an_unreadable_load_counts_as_zero() {
    let policy = VtcBasic::new(ScoringConfig::default());
    let of = |load| policy.score_all(&view(&[load], Some(0.0), extremes(500.0, 1500.0, 1000.0)))[0];
    for unreadable in [f64::NAN, -1.0] {
        assert_eq!(of(unreadable), of(0.0));
    }
}

#[test]
fn router_chooses_the_least_score() {
    let policy = VtcBasic::new(ScoringConfig::default());
    // Position 0; pod 0 runs at full load (1), pod 1 is empty (distance 1, plus noise): near a tie, and whichever
    // has the smaller score is chosen.
    for seed in 0..200 {
        let pods = [100.0, 0.0, 0.0];
        let view = policy::View {
            pods: &pods,
            user_tokens: Some(0.0),
            extremes: extremes(1.0, 1.0, 1000.0),
            noise: Noise::seeded(seed),
        };
        let scores = policy.score_all(&view);
        assert_eq!(policy.choose(&view), Some(usize::from(scores[1] < scores[0])));
    }
}

#[test]
fn clock_moments_are_given_and_not_taken() {
    let clock = ManualClock::new();
    let tracker = tracker(&clock);
    clock.advance(Duration::from_secs(3));
    assert_eq!(tracker.clock().now(), clock.now());
    assert_eq!(tracker.extremes().as_of, clock.now());
}
