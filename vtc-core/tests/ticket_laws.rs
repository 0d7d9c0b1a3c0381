//! Laws of a ticket: what it took comes back exactly once, and what is charged in the end is what was used.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::Duration;

use proptest::prelude::*;
use vtc_core::{ManualClock, RouteRequest, Router, Ticket, TokenTracker, VtcConfig};

const WINDOW: Duration = Duration::from_secs(305);

fn router(clock: &ManualClock) -> Router<ManualClock> {
    let router = Router::with_clock(VtcConfig::default(), clock.clone()).unwrap();
    router.pods().set(["a", "b"]);
    router
}

/// Reserves 10 * 1 + 20 * 2 = 50.
fn route(router: &Router<ManualClock>) -> Ticket<ManualClock> {
    router.route(&RouteRequest { user: Some("alice"), input_tokens: 10.0, output_tokens: 20.0 }).unwrap()
}

fn in_flight(router: &Router<ManualClock>) -> u64 {
    router.pods().table().pods().iter().map(|pod| pod.in_flight()).sum()
}

#[test]
fn the_first_ending_wins_and_the_others_do_nothing() {
    let router = router(&ManualClock::new());
    let ticket = route(&router);
    assert_eq!(in_flight(&router), 1);
    assert!(ticket.settle(1.0, 2.0).unwrap());
    assert!(!ticket.settle(100.0, 100.0).unwrap());
    assert!(!ticket.close());
    ticket.progress(1e6, 1e6).unwrap();
    assert!(ticket.has_ended());
    assert_eq!(in_flight(&router), 0);
    drop(ticket);
    assert_eq!(router.tracker().token_count("alice"), 5.0);
    assert_eq!(in_flight(&router), 0);
}

#[test]
fn without_usage_what_was_delivered_is_charged_and_the_estimate_if_nothing_is_known() {
    let endings: [fn(Ticket<ManualClock>); 2] = [|ticket| assert!(ticket.close()), drop];
    for end in endings {
        let router = router(&ManualClock::new());
        end(route(&router));
        assert_eq!(router.tracker().token_count("alice"), 50.0, "nothing is known: the estimate stays");
        assert_eq!(in_flight(&router), 0);

        let ticket = route(&router);
        ticket.progress(10.0, 3.0).unwrap();
        end(ticket);
        assert_eq!(router.tracker().token_count("alice"), 50.0 + 16.0, "3 tokens were delivered");
    }
}

#[test]
fn a_panic_abandons_the_ticket() {
    let router = router(&ManualClock::new());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ticket = route(&router);
        std::panic::resume_unwind(Box::new("the handler broke"));
    }));
    assert!(panicked.is_err());
    assert_eq!((router.tracker().token_count("alice"), in_flight(&router)), (50.0, 0));
}

#[test]
fn a_stream_that_passes_its_reservation_is_charged_as_it_goes() {
    let router = router(&ManualClock::new());
    let ticket = route(&router);
    for (output, expected) in [(1.0, 50.0), (20.0, 50.0), (21.0, 52.0), (500.0, 1010.0), (400.0, 1010.0)] {
        ticket.progress(10.0, output).unwrap();
        assert_eq!(router.tracker().token_count("alice"), expected, "after {output}");
    }
    ticket.settle(10.0, 501.0).unwrap();
    assert_eq!(router.tracker().token_count("alice"), 1012.0);
}

#[test]
fn a_stream_that_reported_more_than_it_took_is_charged_what_it_took() {
    let clock = ManualClock::new();
    let router = router(&clock);
    let ticket = route(&router);
    clock.advance(Duration::from_secs(100));
    ticket.progress(10.0, 100.0).unwrap();
    assert_eq!(router.tracker().token_count("alice"), 210.0);
    ticket.settle(10.0, 30.0).unwrap();
    assert_eq!(
        router.tracker().token_count("alice"),
        70.0,
        "50 came back from the reservation, 90 from the excess"
    );
}

#[test]
fn a_stream_that_takes_its_report_back_later_gets_it_back() {
    let clock = ManualClock::new();
    let router = router(&clock);
    let ticket = route(&router);
    clock.advance(Duration::from_secs(50));
    ticket.progress(10.0, 200.0).unwrap();
    clock.advance(Duration::from_secs(100));
    assert_eq!(router.tracker().token_count("alice"), 410.0);
    assert!(ticket.settle(0.0, 0.0).unwrap());
    assert_eq!(router.tracker().token_count("alice"), 0.0);
}

/// More than a bucket holds is not charged, so it does not come back either: others' charges stay.
#[test]
fn a_charge_beyond_all_bounds_takes_nothing_with_it() {
    let huge = |router: &Router<ManualClock>| {
        let request = RouteRequest { user: Some("alice"), input_tokens: 0.0, output_tokens: 1e18 };
        router.route(&request).unwrap().settle(0.0, 0.0).unwrap();
    };
    let streamed = |router: &Router<ManualClock>| {
        let ticket = route(router);
        ticket.progress(1.0, 1e18).unwrap();
        ticket.progress(1.0, 2e18).unwrap();
        ticket.settle(0.0, 0.0).unwrap();
    };
    for go_beyond in [huge as fn(&Router<ManualClock>), streamed] {
        let router = router(&ManualClock::new());
        router.tracker().update_token_count("alice", 100.0, 0.0).unwrap();
        go_beyond(&router);
        assert_eq!(router.tracker().token_count("alice"), 100.0);
    }
}

#[test]
fn a_refund_goes_to_the_bucket_of_the_charge_and_is_moot_after_the_window() {
    let clock = ManualClock::new();
    let router = router(&clock);
    let (early, late) = (route(&router), route(&router));
    clock.advance(Duration::from_secs(100));
    early.settle(0.0, 0.0).unwrap();
    assert_eq!(router.tracker().token_count("alice"), 50.0);
    clock.advance(WINDOW - Duration::from_secs(100));
    assert_eq!(router.tracker().token_count("alice"), 0.0, "nothing was put into a later bucket");
    router.tracker().update_token_count("alice", 7.0, 0.0).unwrap();
    late.settle(0.0, 0.0).unwrap();
    assert_eq!(router.tracker().token_count("alice"), 7.0, "the charge has left: nothing to refund");
}

#[test]
fn an_excess_goes_to_the_bucket_of_now() {
    let clock = ManualClock::new();
    let router = router(&clock);
    let ticket = route(&router);
    clock.advance(Duration::from_secs(100));
    ticket.settle(100.0, 0.0).unwrap();
    clock.advance(WINDOW - Duration::from_secs(100));
    assert_eq!(router.tracker().token_count("alice"), 50.0, "the reservation has left, the excess has not");
}

#[test]
fn a_charge_in_flight_outlives_the_closing_of_idle_accounts() {
    let clock = ManualClock::new();
    let router = router(&clock);
    let ticket = route(&router);
    for _ in 0..3 {
        clock.advance(WINDOW);
        router.tracker().upkeep();
    }
    assert_eq!(router.tracker().account_count(), 1);
    ticket.settle(30.0, 0.0).unwrap();
    assert_eq!(router.tracker().token_count("alice"), 0.0, "30 of 50: a refund of a charge that has left");
    drop(ticket);
    clock.advance(WINDOW);
    router.tracker().upkeep();
    assert_eq!(router.tracker().account_count(), 0);
}

#[test]
fn numbers_that_are_none_leave_the_ticket_open() {
    let router = router(&ManualClock::new());
    let ticket = route(&router);
    assert!(ticket.settle(f64::NAN, 0.0).is_err());
    assert!(ticket.progress(0.0, f64::INFINITY).is_err());
    assert!(!ticket.has_ended());
    assert_eq!((router.tracker().token_count("alice"), in_flight(&router)), (50.0, 1));
}

#[test]
fn a_second_try_moves_the_place_and_charges_once() {
    let router = router(&ManualClock::new());
    let mut ticket = route(&router);
    let table = router.pods().table();
    let first = table.get(ticket.pod().name()).unwrap();
    let rest = table.without(first);
    ticket.move_to(&rest.pods()[0]);
    assert_eq!((first.in_flight(), rest.pods()[0].in_flight()), (0, 1));
    assert_eq!(router.tracker().token_count("alice"), 50.0);
    ticket.close();
    ticket.move_to(first);
    assert_eq!(in_flight(&router), 0, "an ended ticket takes no place");
}

#[derive(Clone, Debug)]
enum Ending {
    Settle(u32, u32),
    Close,
    Abandon,
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        3 => (0..500u32, 0..500u32).prop_map(|(input, output)| Ending::Settle(input, output)),
        1 => Just(Ending::Close),
        1 => Just(Ending::Abandon),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Within one window, whatever was estimated and however the stream went: the count is the sum over all
    /// tickets of what was used, or delivered, or estimated, in this order of knowledge. A stream reports no
    /// output that its usage does not have, but may have over-estimated its input.
    #[test]
    fn in_the_end_the_count_is_what_was_used(
        tickets in prop::collection::vec(
            ((0..200u32, 0..200u32), prop::collection::vec(0..100u32, 0..5), ending(), 0..4u64), 1..20),
    ) {
        let clock = ManualClock::new();
        let router = router(&clock);
        let mut expected = 0.0;
        for ((input, output), deliveries, ending, pause) in tickets {
            let (input, output) = (f64::from(input), f64::from(output));
            let ticket = router.route(&RouteRequest { user: Some("alice"), input_tokens: input, output_tokens: output }).unwrap();
            let mut delivered = 0;
            for part in &deliveries {
                delivered += part;
                ticket.progress(input, f64::from(delivered)).unwrap();
                clock.advance(Duration::from_secs(pause));
            }
            let known = if deliveries.is_empty() { output } else { f64::from(delivered) };
            match ending {
                Ending::Settle(input, extra) => {
                    let output = f64::from(delivered + extra);
                    ticket.settle(f64::from(input), output).unwrap();
                    expected += f64::from(input) + 2.0 * output;
                }
                Ending::Close => {
                    ticket.close();
                    expected += input + 2.0 * known;
                }
                Ending::Abandon => {
                    drop(ticket);
                    expected += input + 2.0 * known;
                }
            }
        }
        prop_assert_eq!(router.tracker().token_count("alice"), expected);
        prop_assert_eq!(in_flight(&router), 0);
    }
}
