//! What every workload keeps to.

use super::*;
use crate::request::Request;

#[test]
fn arrivals_come_in_order_within_the_duration_and_are_the_same_for_the_same_seed() {
    for name in names().filter(|name| *name != "short-requests") {
        let workload = by_name(name).unwrap();
        let requests: Vec<_> = workload.arrivals(3).collect();
        assert!(requests.windows(2).all(|pair| pair[0].arrival <= pair[1].arrival), "{name}");
        let within = |request: &Request| (0.0..workload.duration).contains(&request.arrival);
        assert!(requests.iter().all(within), "{name}");
        let known = |request: &Request| (request.client as usize) < workload.clients.len();
        assert!(requests.iter().all(known), "{name}");
        assert!(workload.arrivals(3).eq(requests.iter().cloned()), "{name}");
        assert!(!workload.arrivals(4).eq(requests), "{name}: another seed, other moments");
    }
}

#[test]
fn each_client_asks_as_often_as_the_table_says() {
    let counts = |name: &str| {
        let workload = by_name(name).unwrap();
        let mut counts = vec![0.0; workload.clients.len()];
        workload.arrivals(5).for_each(|request| counts[request.client as usize] += 1.0);
        counts
    };
    // Evenly spaced: to the request. On and off, each turn is 30 or 120 of them.
    for (name, expected) in [
        ("overload", vec![540.0_f64, 1080.0]),
        ("overload-multi", vec![144.0, 144.0, 144.0, 216.0, 216.0, 216.0, 216.0, 216.0]),
        ("overload-weighted", vec![144.0, 288.0, 432.0, 576.0]),
        ("proportional", vec![150.0, 300.0, 900.0]),
        ("on-off-less", vec![150.0, 1200.0]),
        ("on-off-overload", vec![600.0, 1800.0]),
        ("increase", vec![300.0, 660.0]),
        ("dist-shift", vec![90.0 + 300.0 + 150.0, 600.0 + 300.0 + 450.0]),
    ] {
        for (count, expected) in counts(name).iter().zip(&expected) {
            assert!((count - expected).abs() <= 1.0, "{name}: {count} and not {expected}");
        }
    }
    // At random: within four standard deviations.
    for name in ["short-long", "short-long-2"] {
        for (count, expected) in counts(name).iter().zip([4800.0, 900.0_f64]) {
            assert!((count - expected).abs() <= 4.0 * expected.sqrt(), "{name}: {count} and not {expected}");
        }
    }
}

#[test]
fn evenly_spaced_requests_keep_their_distance_also_over_a_ramp() {
    let workload = by_name("overload").unwrap();
    let of = |client| workload.arrivals(1).filter(move |request| request.client == client);
    let moments: Vec<_> = of(0).map(|request| request.arrival).collect();
    assert!(moments.windows(2).all(|pair| (pair[1] - pair[0] - 1.0 / 1.5).abs() < 1e-9));
    let ramp = by_name("increase").unwrap();
    let ramp: Vec<_> = ramp.arrivals(1).filter(|request| request.client == 1).collect();
    // Between two requests exactly one was due: the area under the rate from 0.2 to 2 over 600 s.
    let due = |t: f64| 0.2 * t + 0.0015 * t * t;
    assert!(ramp.windows(2).all(|pair| (due(pair[1].arrival) - due(pair[0].arrival) - 1.0).abs() < 1e-9));
}

#[test]
fn a_stream_less_changes_nothing_for_the_others() {
    let all = by_name("noisy-neighbour").unwrap();
    let quiet = all.clone().only(|client| client == 6);
    assert!(all.arrivals(9).filter(|request| request.client == 6).eq(quiet.arrivals(9)));
    let replay = trace().with_tenants(Tenants::Arena, 1).with_jitter(3.0).unwrap();
    let all = Workload::of_trace("trace", replay);
    let quiet = all.clone().only(|client| client == 6);
    assert!(all.arrivals(9).filter(|request| request.client == 6).eq(quiet.arrivals(9)));
}

#[test]
fn bursts_come_together() {
    let workload = by_name("burst").unwrap();
    let moments: Vec<_> = workload.arrivals(2).filter(|of| of.client == 0).map(|of| of.arrival).collect();
    assert!(moments.len().is_multiple_of(60) && moments.len() >= 540);
    assert!(moments.chunks(60).all(|burst| burst.iter().all(|moment| *moment == burst[0])));
}

fn trace() -> Replay {
    let request = |number: u32| Request {
        arrival: f64::from(number),
        client: 0,
        input: 1,
        output: 1,
        guess: None,
        blocks: None,
    };
    let clients = vec![Client { name: "all".into(), weight: Weight::ONE }];
    Replay::new((0..10_000).map(request).collect(), clients).unwrap()
}

#[test]
fn tenants_are_drawn_with_their_shares_by_the_stated_seed() {
    let count = |replay: Replay, tenant: u32| {
        let workload = Workload::of_trace("trace", replay);
        workload.arrivals(0).filter(|request| request.client == tenant).count() as f64
    };
    let arena = || trace().with_tenants(Tenants::Arena, 1);
    assert!((count(arena(), 0) - 10_000.0 * 296.0 / 1500.0).abs() < 4.0 * 40.0);
    assert_eq!(count(arena(), 3), count(arena(), 3));
    assert_eq!(arena().clients().len(), 27);
    let zipf = trace().with_tenants(Tenants::Zipf { tenants: 2, exponent: 1.0 }, 1);
    assert!((count(zipf, 0) - 6667.0).abs() < 4.0 * 48.0);
}

#[test]
fn load_and_jitter_move_arrivals_and_lose_none() {
    let faster = Workload::of_trace("faster", trace().at_load(4.0).unwrap());
    assert_eq!(faster.duration, 2500.0);
    assert_eq!(faster.arrivals(0).count(), 10_000);
    let heavier = by_name("overload").unwrap().at_load(4.0).unwrap();
    assert!((heavier.arrivals(1).count() as f64 - 4.0 * 1620.0).abs() <= 2.0);
    assert!(heavier.at_load(0.0).is_err());
    let jittered = Workload::of_trace("jittered", trace().with_jitter(3.0).unwrap());
    let moments: Vec<_> = jittered.arrivals(1).map(|request| request.arrival).collect();
    assert_eq!(moments.len(), 10_000);
    assert!(moments.is_sorted());
    assert!(!jittered.arrivals(2).map(|request| request.arrival).eq(moments));
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(trace().at_load(bad).is_err(), "{bad}");
    }
    assert!(trace().with_jitter(-1.0).is_err() && trace().with_jitter(f64::NAN).is_err());
}

#[test]
fn a_request_of_nobody_is_no_trace() {
    let request = Request { arrival: 0.0, client: 1, input: 1, output: 1, guess: None, blocks: None };
    let clients = vec![Client { name: "all".into(), weight: Weight::ONE }];
    assert_eq!(
        Replay::new(vec![request], clients).unwrap_err(),
        ReplayError::Client { client: 1, clients: 1 }
    );
}

#[test]
fn a_name_that_is_none_is_answered_with_those_there_are() {
    let error = by_name("underload").unwrap_err();
    assert!(error.to_string().contains("overload-weighted") && error.to_string().contains("zipf"), "{error}");
}
