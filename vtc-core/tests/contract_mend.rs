//! The twelve defects of AIBrix's `vtc` package that did not come along: each test fails on the code there.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::cell::Cell;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use vtc_core::{
    Clock, ManualClock, RouteRequest, Router, SlidingWindowTracker, Tick, TimeUnit, TokenTracker,
    TrackerConfig, UpdateError, VtcConfig,
};

fn tracker(clock: &ManualClock, window_ms: u64) -> SlidingWindowTracker<ManualClock> {
    SlidingWindowTracker::builder()
        .window_size(window_ms)
        .time_unit(TimeUnit::Milliseconds)
        .bucket_width(Duration::from_millis(1))
        .staleness(Duration::ZERO)
        .clock(clock.clone())
        .build()
        .unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn router(pods: &[&str]) -> Router<ManualClock> {
    let mut config = VtcConfig::default();
    config.tracker.staleness = Duration::ZERO;
    let router = Router::with_clock(config, ManualClock::new()).unwrap();
    router.pods().set(pods.iter().copied());
    router
}

fn request(user: &str, input_tokens: f64) -> RouteRequest<'_> {
    RouteRequest { user: Some(user), input_tokens, output_tokens: 0.0 }
}

#[test]
fn mend_01_a_charge_that_expires_an_equal_one_is_not_lost() {
    let clock = ManualClock::new();
    let tracker = tracker(&clock, 100);
    tracker.update_token_count("alice", 100.0, 0.0).unwrap();
    clock.advance(ms(120));
    tracker.update_token_count("alice", 100.0, 0.0).unwrap();
    assert_eq!(tracker.token_count("alice"), 100.0);
}

#[test]
fn mend_02_no_intermediate_total_stays_behind_as_the_minimum() {
    let clock = ManualClock::new();
    let tracker = tracker(&clock, 100);
    for charge in [100.0, 50.0, 10.0] {
        tracker.update_token_count("alice", charge, 0.0).unwrap();
        clock.advance(ms(60));
    }
    clock.set(Tick::after_origin(ms(120)));
    assert_eq!(tracker.token_count("alice"), 60.0);
    assert_eq!((tracker.min_token_count(), tracker.max_token_count()), (60.0, 60.0));
}

#[test]
fn mend_03_the_maximum_forgets_an_idle_whale_when_its_tokens_expire() {
    let clock = ManualClock::new();
    let tracker = tracker(&clock, 100);
    tracker.update_token_count("whale", 1e6, 0.0).unwrap();
    clock.advance(ms(90));
    tracker.update_token_count("minnow", 10.0, 0.0).unwrap();
    assert_eq!(tracker.max_token_count(), 1e6);
    clock.advance(ms(20));
    assert_eq!(tracker.max_token_count(), 10.0);
}

#[test]
fn mend_04_what_is_no_number_is_refused_and_changes_nothing() {
    let tracker = tracker(&ManualClock::new(), 100);
    tracker.update_token_count("alice", 5.0, 0.0).unwrap();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(tracker.update_token_count("alice", bad, 1.0), Err(UpdateError::Tokens(_))));
        assert!(matches!(tracker.update_token_count("newcomer", 1.0, bad), Err(UpdateError::Tokens(_))));
        assert!(tracker.user("alice").unwrap().charge(bad, 0.0).is_err());
    }
    assert_eq!(tracker.token_count("alice"), 5.0);
    assert_eq!(tracker.account_count(), 1, "the newcomer was not taken in");

    let router = router(&["a"]);
    assert!(router.route(&request("alice", f64::NAN)).is_err());
    assert_eq!(router.tracker().account_count(), 0);
    assert_eq!(router.pods().table().pods()[0].in_flight(), 0);
}

#[test]
fn mend_05_idle_users_leave_and_invented_names_are_bounded() {
    let clock = ManualClock::new();
    let config = TrackerConfig { max_users: 1_000, staleness: Duration::ZERO, ..TrackerConfig::default() };
    let tracker = SlidingWindowTracker::new(config, clock.clone()).unwrap();
    tracker.update_token_count("honest", 7.0, 0.0).unwrap();
    for name in 0..100_000 {
        tracker.update_token_count(&format!("invented-{name}"), 1.0, 0.0).unwrap();
    }
    assert_eq!(tracker.account_count(), 1_000);
    assert_eq!(tracker.token_count("honest"), 7.0);
    // Those beyond the cap share one account: to invent another name is to be charged for all of them.
    assert_eq!(tracker.token_count("invented-99999"), 99_001.0);
    assert_eq!(tracker.token_count("never seen before"), 99_001.0);
    // Nor is it a way out to be called as the shared account is.
    tracker.update_token_count("(overflow)", 1.0, 0.0).unwrap();
    assert_eq!(SlidingWindowTracker::builder().build().unwrap().token_count("(overflow)"), 0.0);
    assert_eq!((tracker.token_count("(overflow)"), tracker.users().len()), (99_002.0, 1_001));
    assert_eq!(tracker.max_token_count(), 99_002.0, "the shared account is a user like any other");

    let session = tracker.user("honest").unwrap();
    // Nobody asks for anything but charges: still the idle ones go.
    for _ in 0..3 {
        clock.advance(Duration::from_secs(305));
        tracker.update_token_count("still here", 1.0, 0.0).unwrap();
    }
    assert_eq!(tracker.account_count(), 2, "the one who is active and the one to whom there is a handle");
    assert_eq!(session.token_count(), 0.0);
    assert_eq!(tracker.token_count("never seen before"), 0.0);
}

/// A clock at which a thread stops when it has said so: there it stands in the middle of an operation, as if the
/// system had suspended it.
#[derive(Clone)]
struct Gate(Arc<Barrier>);

thread_local! {
    static STOPS_NEXT: Cell<bool> = const { Cell::new(false) };
}

impl Clock for Gate {
    fn now(&self) -> Tick {
        if STOPS_NEXT.take() {
            // The thread is here; and may go on.
            self.0.wait();
            self.0.wait();
        }
        Tick::ZERO
    }
}

#[test]
fn mend_06_nobody_waits_for_a_thread_that_is_suspended_in_the_middle_of_an_operation() {
    // There, one lock guards everything, and the time is read while it is held: the others would never get on.
    let operations: [fn(&Router<Gate>); 6] = [
        |router| router.tracker().update_token_count("alice", 1.0, 0.0).unwrap(),
        |router| router.tracker().user("alice").unwrap().charge(1.0, 0.0).unwrap(),
        |router| assert!(router.tracker().token_count("alice") >= 1.0),
        |router| assert!(!router.tracker().users().is_empty()),
        |router| assert!(router.route(&request("alice", 1.0)).unwrap().close()),
        |router| assert!(router.score_all(&router.pods().table(), Some("alice")).len() == 2),
    ];
    // For that waits only who wants to do it, too.
    let upkeep: fn(&Router<Gate>) = |router| assert!(router.tracker().upkeep().users >= 1);
    for suspended in operations.into_iter().chain([upkeep]) {
        let gate = Gate(Arc::new(Barrier::new(2)));
        let router = Arc::new(Router::with_clock(VtcConfig::default(), gate.clone()).unwrap());
        router.pods().set(["a", "b"]);
        router.tracker().update_token_count("alice", 1.0, 0.0).unwrap();
        let thread = {
            let router = Arc::clone(&router);
            thread::spawn(move || {
                STOPS_NEXT.set(true);
                suspended(&router);
            })
        };
        gate.0.wait();
        let (done, all_done) = channel();
        thread::spawn(move || {
            operations.iter().for_each(|other| other(&router));
            router.tracker().update_token_count("newcomer", 1.0, 0.0).unwrap();
            done.send(()).unwrap();
        });
        // The limit only turns a hang into a failure.
        all_done.recv_timeout(Duration::from_secs(30)).expect("the others wait");
        gate.0.wait();
        thread.join().unwrap();
    }
}

#[test]
fn mend_07_the_true_usage_replaces_the_estimate() {
    let router = router(&["a"]);
    let ticket = router.route(&request("alice", 100.0)).unwrap();
    assert_eq!(router.tracker().token_count("alice"), 100.0);
    assert!(ticket.settle(7.0, 3.0).unwrap());
    assert_eq!(router.tracker().token_count("alice"), 13.0);
    let ticket = router.route(&request("alice", 1.0)).unwrap();
    assert!(ticket.settle(50.0, 50.0).unwrap());
    assert_eq!(router.tracker().token_count("alice"), 163.0);
}

#[test]
fn mend_08_pods_are_ordered_by_name_however_they_are_listed() {
    for order in [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]] {
        let router = router(&order);
        let fresh = router.route(&request("alice", 1e6)).unwrap();
        assert_eq!(fresh.pod().name(), "a");
        let heavy = router.route(&request("alice", 1.0)).unwrap();
        assert_eq!(heavy.pod().name(), "b");
    }
}

#[test]
fn mend_09_the_charge_does_not_depend_on_how_the_pod_was_chosen() {
    let charge_of = |choose: fn(&Router<ManualClock>) -> vtc_core::Ticket<ManualClock>, pods: &[&str]| {
        let router = router(pods);
        choose(&router).close();
        router.tracker().token_count("alice")
    };
    let by_route = |router: &Router<ManualClock>| router.route(&request("alice", 9.0)).unwrap();
    let by_scores = |router: &Router<ManualClock>| {
        let table = router.pods().table();
        let scores = router.score_all(&table, Some("alice"));
        let best = (0..scores.len()).min_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        router.assign(&table.pods()[best], &request("alice", 9.0)).unwrap()
    };
    let by_another_policy = |router: &Router<ManualClock>| {
        let policy = router.policy("random").unwrap();
        router.route_among(&router.pods().table(), policy, &request("alice", 9.0)).unwrap()
    };
    assert_eq!(charge_of(by_route, &["a", "b", "c"]), 9.0);
    assert_eq!(charge_of(by_route, &["the only one"]), 9.0);
    assert_eq!(charge_of(by_scores, &["a", "b", "c"]), 9.0);
    assert_eq!(charge_of(by_another_policy, &["a", "b", "c"]), 9.0);
}

#[test]
fn mend_10_an_option_of_one_tracker_leaves_the_others_alone() {
    let clock = ManualClock::new();
    let (short, long) = (tracker(&clock, 100), tracker(&clock, 1_000));
    let _another = tracker(&clock, 5);
    short.update_token_count("alice", 1.0, 0.0).unwrap();
    long.update_token_count("alice", 1.0, 0.0).unwrap();
    clock.advance(ms(500));
    assert_eq!((short.token_count("alice"), long.token_count("alice")), (0.0, 1.0));
}

#[test]
fn mend_11_a_variable_that_cannot_be_read_is_an_error_that_says_what_is_allowed() {
    let with = |name: &'static str, value: &'static str| {
        VtcConfig::default().overridden_by(|asked| (asked == name).then(|| value.to_owned()))
    };
    let hours = with("AIBRIX_ROUTER_VTC_TOKEN_TRACKER_TIME_UNIT", "hours").unwrap();
    assert_eq!(hours.tracker.span(), Duration::from_secs(5 * 3600));
    let error = with("AIBRIX_ROUTER_VTC_TOKEN_TRACKER_TIME_UNIT", "fortnights").unwrap_err();
    assert_eq!(
        error.to_string(),
        "AIBRIX_ROUTER_VTC_TOKEN_TRACKER_TIME_UNIT: \"fortnights\" is not allowed; \
         give milliseconds, seconds, minutes or hours"
    );
    let error = with("AIBRIX_ROUTER_VTC_BASIC_MAX_POD_LOAD", "1oo").unwrap_err();
    assert_eq!(error.field, "AIBRIX_ROUTER_VTC_BASIC_MAX_POD_LOAD");
}

/// There, three log lines per pod and request tell the user's name. Here the core has no logger at all, and its
/// own descriptions of tickets leave the user out.
#[test]
fn mend_12_nothing_tells_the_users_name_on_the_way_of_a_request() {
    let router = router(&["a"]);
    let ticket = router.route(&request("alice", 1.0)).unwrap();
    assert!(!format!("{ticket:?}{router:?}").contains("alice"));
    let manifest = include_str!("../Cargo.toml");
    assert!(!manifest.contains("\nlog") && !manifest.contains("\ntracing"));
}
