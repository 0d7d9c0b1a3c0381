//! The hot path allocates nothing for a user who is known.

use std::time::Duration;

use vtc_core::policy::NAMES;
use vtc_core::{RouteRequest, Router, TokenTracker, VtcConfig};

#[test]
fn routing_charging_and_settling_a_known_user_allocates_nothing() {
    for policy in NAMES {
        let mut config = VtcConfig { policy: policy.to_owned(), ..VtcConfig::default() };
        // Publishing the extremes allocates the snapshot; that is once per staleness, not per request.
        config.tracker.staleness = Duration::from_secs(3600);
        let router = Router::new(config).unwrap();
        router.pods().set(["a", "b", "c", "d"]);
        let request = RouteRequest { user: Some("alice"), input_tokens: 10.0, output_tokens: 20.0 };
        let path = || {
            let ticket = router.route(&request).unwrap();
            ticket.progress(10.0, 25.0).unwrap();
            ticket.settle(10.0, 30.0).unwrap();
            router.tracker().update_token_count("alice", 1.0, 1.0).unwrap();
            router.tracker().token_count("alice")
        };
        // The first time opens the account and sets up what the thread keeps (a generator, a debt slot).
        let first = path();
        let mut second = 0.0;
        let counted = allocation_counter::measure(|| second = path());
        assert!(second > first);
        assert_eq!(counted.count_total, 0, "{policy}");
    }
}

#[test]
fn a_handle_charges_without_allocating() {
    let router = Router::new(VtcConfig::default()).unwrap();
    let alice = router.tracker().user("alice").unwrap();
    let counted = allocation_counter::measure(|| alice.charge(1.0, 2.0).unwrap());
    assert_eq!((alice.token_count(), counted.count_total), (5.0, 0));
    // The counter does count: a newcomer costs something.
    let newcomer = allocation_counter::measure(|| drop(router.tracker().user("bob").unwrap()));
    assert!(newcomer.count_total > 0);
}
