//! The laws of limits, by a clock that stands still unless it is told.

use proptest::prelude::*;
use vtc_core::ManualClock;

use super::*;
use crate::tenant::Terms;

struct House {
    clock: Arc<ManualClock>,
    quotas: Arc<Quotas>,
}

fn house(limits: TenantLimits, sub_user_max_in_flight: Option<usize>) -> House {
    let clock = Arc::new(ManualClock::new());
    let own = TenantLimits { max_in_flight: Some(1), ..TenantLimits::default() };
    let tenants = Tenants {
        named: HashMap::from([("own".to_owned(), Terms { limits: own, ..Terms::default() })]),
        others: Terms { limits, ..Terms::default() },
    };
    let dynamic: Arc<dyn Clock> = clock.clone();
    House { quotas: Arc::new(Quotas::new(&tenants, sub_user_max_in_flight, &dynamic)), clock }
}

fn requests(per_minute: u32) -> TenantLimits {
    TenantLimits { requests_per_minute: Some(per_minute), ..TenantLimits::default() }
}

fn tokens(per_minute: u32) -> TenantLimits {
    TenantLimits { tokens_per_minute: Some(per_minute), ..TenantLimits::default() }
}

// === impl House ===

impl House {
    /// How long to wait, or the stay.
    fn enter(&self, account: &str, estimate: u64) -> Result<Stay, Duration> {
        match self.quotas.enter(account, None, estimate) {
            Ok(stay) => Ok(stay.expect("something limits it")),
            Err(GatewayError::RateLimited { retry_after, .. }) => Err(retry_after),
            Err(other) => panic!("{other}"),
        }
    }

    /// A request that is served, and costs so much.
    fn serve(&self, account: &str, estimate: u64, cost: u64) -> Result<(), Duration> {
        let stay = self.enter(account, estimate)?;
        stay.begin();
        stay.cost(cost);
        Ok(())
    }
}

#[test]
fn nothing_is_counted_where_there_is_no_limit() {
    let house = house(TenantLimits::default(), None);
    assert!(house.quotas.enter("bob", Some("joe"), 1_000_000).unwrap().is_none());
    assert_eq!(house.quotas.standing("bob"), Standing::default());
}

#[test]
fn a_minutes_requests_may_come_at_once_and_then_one_by_one() {
    let house = house(requests(6), None);
    for _ in 0..6 {
        drop(house.enter("bob", 0).unwrap());
    }
    let ten = Duration::from_secs(10);
    assert_eq!(house.enter("bob", 0).unwrap_err(), ten);
    assert!(house.enter("carol", 0).is_ok(), "each has its own");
    house.clock.advance(ten - Duration::from_nanos(1));
    assert_eq!(house.enter("bob", 0).unwrap_err(), Duration::from_nanos(1));
    house.clock.advance(Duration::from_nanos(1));
    assert!(house.enter("bob", 0).is_ok());
    let left = house.quotas.standing("bob").requests.unwrap();
    assert_eq!(left, Left { limit: 6, remaining: 0, reset: Duration::from_secs(60) });
}

#[test]
fn tokens_are_put_right_when_a_request_ends() {
    let house = house(tokens(600), None);
    let left = || house.quotas.standing("bob").tokens.unwrap().remaining;
    assert_eq!(left(), 600);
    let stay = house.enter("bob", 100).unwrap();
    assert_eq!(left(), 500, "the estimate is taken at once");
    stay.begin();
    stay.cost(30);
    drop(stay);
    assert_eq!(left(), 570, "what it took less is given back");
    house.serve("bob", 70, 1070).unwrap();
    assert_eq!(left(), 0);
    // It owes 500, at 10 a second: and 100 more are wanted.
    assert_eq!(house.enter("bob", 100).unwrap_err(), Duration::from_secs(60));
    house.clock.advance(Duration::from_secs(60));
    assert!(house.enter("bob", 100).is_ok());
}

#[test]
fn what_a_long_request_took_more_is_owed_from_its_end() {
    let house = house(tokens(60), None);
    let stay = house.enter("bob", 10).unwrap();
    stay.begin();
    house.clock.advance(Duration::from_secs(600));
    stay.cost(40);
    drop(stay);
    assert_eq!(
        house.quotas.standing("bob").tokens.unwrap().remaining,
        30,
        "what time brought beyond a minute's is gone"
    );
}

#[test]
fn whoever_is_not_served_pays_nothing() {
    let house = house(tokens(600), None);
    drop(house.enter("bob", 600).unwrap());
    assert_eq!(house.quotas.standing("bob").tokens.unwrap().remaining, 600, "it did not get to a pod");
    let stay = house.enter("bob", 600).unwrap();
    stay.begin();
    drop(stay);
    assert_eq!(house.quotas.standing("bob").tokens.unwrap().remaining, 0, "nobody knows what it took");
}

#[test]
fn a_request_of_more_than_a_minutes_tokens_needs_all_of_them_and_owes_the_rest() {
    let house = house(tokens(60), None);
    house.serve("bob", 180, 180).unwrap();
    assert_eq!(house.enter("bob", 1).unwrap_err(), Duration::from_secs(121));
    house.clock.advance(Duration::from_secs(121));
    assert!(house.enter("bob", 1).is_ok());
    assert_eq!(house.enter("bob", 180).unwrap_err(), Duration::from_secs(59), "one was given back");
}

#[test]
fn so_many_requests_are_in_flight_and_no_more() {
    let house = house(TenantLimits { max_in_flight: Some(2), ..TenantLimits::default() }, None);
    let first = house.enter("bob", 1).unwrap();
    let _second = house.enter("bob", 1).unwrap();
    assert_eq!(house.enter("bob", 1).unwrap_err(), SOON);
    assert!(house.enter("carol", 1).is_ok());
    let _own = house.enter("own", 1).unwrap();
    assert!(house.enter("own", 1).is_err(), "by terms of its own");
    drop(first);
    assert!(house.enter("bob", 1).is_ok());
    assert_eq!(house.quotas.in_flight.len(), 2, "who has none is forgotten");
}

#[test]
fn a_sub_user_has_a_limit_within_its_tenants() {
    let house = house(TenantLimits { max_in_flight: Some(3), ..TenantLimits::default() }, Some(2));
    let enter = |sub_user| house.quotas.enter("bob", Some(sub_user), 1).map(Option::unwrap);
    let _two = [enter("joe").unwrap(), enter("joe").unwrap()];
    let GatewayError::RateLimited { reason, .. } = enter("joe").unwrap_err() else { panic!() };
    assert!(reason.starts_with("this user of yours has 2 requests"), "{reason}");
    let third = enter("ann").unwrap();
    let GatewayError::RateLimited { reason, .. } = enter("new").unwrap_err() else { panic!() };
    assert!(reason.starts_with("you have 3 requests"), "{reason}");
    drop(third);
    assert!(enter("new").is_ok(), "a refused one leaves nothing behind");
}

#[test]
fn accounts_that_are_idle_are_forgotten() {
    let limits = TenantLimits { requests_per_minute: Some(60), ..tokens(600) };
    let house = house(limits, None);
    for account in 0..1000 {
        house.serve(&account.to_string(), 1, 1).unwrap();
    }
    house.serve("owes", 1, 1800).unwrap();
    let remembered = |house: &House| {
        house.quotas.shrink();
        [&house.quotas.requests, &house.quotas.tokens].map(Arrivals::len)
    };
    assert_eq!(remembered(&house), [1001, 1001]);
    house.clock.advance(Duration::from_secs(61));
    assert_eq!(remembered(&house), [0, 1]);
    assert!(house.enter("owes", 100).is_err());
    house.clock.advance(Duration::from_secs(120));
    assert_eq!(remembered(&house), [0, 0]);
}

/// Everybody has these limits, and `named` those.
fn tenants(limits: TenantLimits, named: Option<(&str, TenantLimits)>) -> Tenants {
    let terms = |limits| Terms { limits, ..Terms::default() };
    let named = named.into_iter().map(|(name, limits)| (name.to_owned(), terms(limits))).collect();
    Tenants { named, others: terms(limits) }
}

#[test]
fn new_limits_leave_what_was_taken_taken() {
    let house = house(tokens(600), None);
    house.serve("bob", 450, 450).unwrap();
    let left = |house: &House, account: &str| {
        let left = house.quotas.standing(account).tokens.unwrap();
        (left.limit, left.remaining)
    };
    for (limit, remaining) in [(600, 150), (1200, 750), (600, 150), (900, 450)] {
        house.quotas.set(&tenants(tokens(limit), None), None);
        assert_eq!(left(&house, "bob"), (limit, remaining));
        assert_eq!(left(&house, "carol"), (limit, limit));
    }
    // Terms of its own are still for the same account.
    house.quotas.set(&tenants(tokens(1), Some(("bob", tokens(600)))), None);
    assert_eq!(left(&house, "bob"), (600, 150));
    house.quotas.set(&tenants(tokens(600), None), None);
    assert_eq!(left(&house, "bob"), (600, 150));
    // Less than was taken: nothing is left, but it is not a year's debt.
    house.quotas.set(&tenants(tokens(6), None), None);
    assert_eq!(left(&house, "bob"), (6, 0));
    assert_eq!(house.enter("bob", 1).unwrap_err(), Duration::from_secs(10));
}

#[test]
fn a_limit_that_is_new_has_nothing_taken_and_one_that_is_gone_is_forgotten() {
    let house = house(tokens(600), None);
    house.serve("bob", 600, 600).unwrap();
    house.quotas.set(&tenants(TenantLimits::default(), None), None);
    assert!(house.quotas.enter("bob", None, 1).unwrap().is_none());
    house.quotas.set(&tenants(tokens(600), None), None);
    assert_eq!(house.quotas.standing("bob").tokens.unwrap().remaining, 600);
}

#[test]
fn a_request_under_way_is_put_right_by_the_limits_of_its_end() {
    let house = house(tokens(600), None);
    let stay = house.enter("bob", 300).unwrap();
    stay.begin();
    house.quotas.set(&tenants(tokens(1200), None), None);
    stay.cost(100);
    drop(stay);
    assert_eq!(house.quotas.standing("bob").tokens.unwrap().remaining, 1100);
    // One that came when there was no limit on tokens costs all that it took.
    house.quotas.set(&tenants(requests(10), None), None);
    let stay = house.enter("ann", 300).unwrap();
    stay.begin();
    house.quotas.set(&tenants(tokens(600), None), None);
    stay.cost(100);
    drop(stay);
    assert_eq!(house.quotas.standing("ann").tokens.unwrap().remaining, 500);
}

#[test]
fn a_request_in_flight_gives_back_what_it_took_and_no_more() {
    let in_flight = |most| TenantLimits { max_in_flight: most, ..TenantLimits::default() };
    let house = house(in_flight(Some(2)), None);
    let [one, two] = [house.enter("bob", 1).unwrap(), house.enter("bob", 1).unwrap()];
    house.quotas.set(&tenants(in_flight(Some(1)), None), None);
    drop(one);
    assert!(house.enter("bob", 1).is_err(), "the other still runs");
    house.quotas.set(&tenants(requests(100), None), None);
    let uncounted = house.enter("bob", 1).unwrap();
    house.quotas.set(&tenants(in_flight(Some(1)), None), None);
    drop(uncounted);
    assert!(house.enter("bob", 1).is_err(), "what was not counted does not give back");
    drop(two);
    assert!(house.enter("bob", 1).is_ok());
}

#[test]
fn spans_are_written_as_openai_does_and_rounded_up() {
    for (nanos, text) in [
        (0, "0ms"),
        (1, "1ms"),
        (999_000_001, "1s"),
        (1_000_000_000, "1s"),
        (1_000_000_001, "2s"),
        (59_999_999_999, "1m0s"),
        (90_000_000_000, "1m30s"),
    ] {
        assert_eq!(span(Duration::from_nanos(nanos)), text);
    }
}

proptest! {
    /// Whatever comes, an account is served at most a minute's worth, what the time brings, and what its last request
    /// took beyond its estimate; and whoever waits as long as it is told is served, not a nanosecond earlier.
    #[test]
    fn nobody_gets_more_than_the_limit_and_what_is_told_is_true(
        limit in prop::sample::select(vec![60u32, 600, 6000]),
        steps in prop::collection::vec((0u64..2000, 0u64..2000, 0u64..40), 1..60),
    ) {
        let house = house(tokens(limit), None);
        let (mut served, mut elapsed, mut beyond) = (0u64, Duration::ZERO, 0);
        for (estimate, cost, seconds) in steps {
            let pause = Duration::from_secs(seconds);
            house.clock.advance(pause);
            elapsed += pause;
            if let Err(wait) = house.serve("bob", estimate, cost) {
                prop_assert!(wait > Duration::ZERO);
                house.clock.advance(wait - Duration::from_nanos(1));
                prop_assert_eq!(house.serve("bob", estimate, cost), Err(Duration::from_nanos(1)));
                house.clock.advance(Duration::from_nanos(1));
                elapsed += wait;
                prop_assert_eq!(house.serve("bob", estimate, cost), Ok(()));
            }
            served += cost;
            beyond = beyond.max(cost.saturating_sub(estimate.min(u64::from(limit))));
            let brought = u64::from(limit) * (elapsed.as_nanos() as u64).div_ceil(1_000_000) / 60_000;
            prop_assert!(served <= u64::from(limit) + brought + beyond + 1, "{served} of {limit} in {elapsed:?}");
        }
    }
}
