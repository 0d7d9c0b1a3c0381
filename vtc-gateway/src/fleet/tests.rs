use std::time::Duration;

use serde_json::json;

use super::*;
use crate::settings::BreakerSetting;

fn backend(name: &str, ready: bool, models: Option<&[&str]>) -> Backend {
    let models = models.map(|ids| ids.iter().map(|id| json!({"id": id, "of": name})).collect());
    let (news, _) = unbounded_channel();
    let breaker = BreakerSetting::default();
    Backend {
        url: format!("http://{name}"),
        authorization: None,
        capacity: Capacity::default(),
        source: Source::Settings,
        ready,
        draining: false,
        breaker: BreakerState::Closed,
        ramp: None,
        report: Report { models, dialect: Dialect::Vllm },
        vitals: Arc::new(Vitals::new(Pod::new(name), breaker, CoarseClock::new(), news)),
    }
}

fn names<'a>(service: &Service<'a>) -> Vec<&'a str> {
    service.pods().pods().iter().map(|pod| pod.name()).collect()
}

#[test]
fn a_model_is_served_by_the_ready_pods_that_list_it() {
    let fleet = Fleet::new(vec![
        backend("a", true, Some(&["x", "y"])),
        backend("b", false, Some(&["x", "z"])),
        backend("c", true, Some(&["x"])),
    ]);
    assert_eq!(names(&fleet.serving("x").unwrap()), ["a", "c"]);
    assert_eq!(names(&fleet.serving("y").unwrap()), ["a"]);
    assert_eq!(fleet.serving("z").unwrap_err(), GatewayError::NoPods, "known, and its pod is away");
    let known = vec!["x".into(), "y".into(), "z".into()];
    assert_eq!(fleet.serving("q").unwrap_err(), GatewayError::UnknownModel { model: "q".into(), known });
    assert_eq!(fleet.models(), [&json!({"id": "x", "of": "a"}), &json!({"id": "y", "of": "a"})]);
    assert_eq!(fleet.backend(&Pod::new("b")).unwrap().url, "http://b");
}

#[test]
fn a_pod_that_lists_no_models_may_serve_every_one() {
    let fleet = Fleet::new(vec![backend("a", true, Some(&["x"])), backend("b", true, None)]);
    assert_eq!(names(&fleet.serving("x").unwrap()), ["a", "b"]);
    assert_eq!(names(&fleet.serving("q").unwrap()), ["b"]);
    let pools: Vec<_> = fleet.pools().map(|service| (&**service.name(), names(&service))).collect();
    assert_eq!(pools, [("x", vec!["a", "b"]), ("*", vec!["b"])], "a made-up model makes no pool");
}

#[test]
fn a_request_for_any_pod_waits_where_most_of_them_are() {
    let fleet = Fleet::new(vec![
        backend("a", true, Some(&["x", "y"])),
        backend("b", true, Some(&["y"])),
        backend("c", true, Some(&["z"])),
        backend("d", false, Some(&["z"])),
        backend("e", false, Some(&["z"])),
    ]);
    let service = fleet.serving_any().unwrap();
    assert_eq!((&**service.name(), names(&service)), ("y", vec!["a", "b", "c"]));
    let silent = Fleet::new(vec![backend("a", true, None)]);
    assert_eq!(&**silent.serving_any().unwrap().name(), "*");
    let away = Fleet::new(vec![backend("a", false, Some(&["x"]))]);
    assert_eq!(away.serving_any().unwrap_err(), GatewayError::NoPods);
}

#[test]
fn while_nobody_is_ready_no_model_is_unknown() {
    assert_eq!(Fleet::default().serving("x").unwrap_err(), GatewayError::NoPods);
    let away = Fleet::new(vec![backend("a", false, Some(&["x"]))]);
    assert_eq!(away.serving("q").unwrap_err(), GatewayError::NoPods);
}

fn with_breaker(name: &str, breaker: BreakerState) -> Backend {
    Backend { breaker, ..backend(name, true, Some(&["x"])) }
}

#[test]
fn a_pod_that_drains_or_whose_breaker_is_open_gets_nothing() {
    let draining = Backend { draining: true, ..backend("a", true, Some(&["x"])) };
    let fleet = Fleet::new(vec![
        draining,
        with_breaker("b", BreakerState::Open),
        with_breaker("c", BreakerState::Closed),
        with_breaker("d", BreakerState::HalfOpen),
    ]);
    let service = fleet.serving("x").unwrap();
    assert_eq!(names(&service), ["c"]);
    let in_queue: Vec<_> = service.queue_pods(&fleet, Tick::ZERO).collect();
    let in_queue: Vec<_> = in_queue.iter().map(|it| (it.pod.name(), it.capacity.max_running)).collect();
    assert_eq!(in_queue, [("c", None), ("d", Some(1))], "half open it gets one at a time");
}

#[test]
fn a_decision_sees_a_pod_with_the_probability_of_its_share() {
    let ramp = Some(Ramp::new(Tick::ZERO, Duration::from_secs(10)));
    let capacity = Capacity { max_tokens: Some(1000), ..Capacity::of_requests(8) };
    let of = |name, ramp| Backend { ramp, capacity, ..with_breaker(name, BreakerState::Closed) };
    let fleet = Fleet::new(vec![of("a", None), of("b", ramp)]);
    let service = fleet.serving("x").unwrap();
    let seen = |seconds, dice| {
        let pods = service.seen(Tick::after_origin(Duration::from_secs(seconds)), || dice);
        pods.pods().iter().map(|pod| pod.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!([seen(0, 0.09), seen(0, 0.11)], [vec!["a", "b"], vec!["a"]]);
    assert_eq!([seen(5, 0.49), seen(5, 0.51)], [vec!["a", "b"], vec!["a"]]);
    assert_eq!(seen(10, 0.999), ["a", "b"]);
    // In the queue it is its capacity that grows.
    let given = |seconds| {
        let pods = service.queue_pods(&fleet, Tick::after_origin(Duration::from_secs(seconds)));
        pods.map(|it| (it.capacity.max_running, it.capacity.max_tokens)).last().unwrap()
    };
    assert_eq!([0, 5, 10].map(given), [(Some(1), Some(100)), (Some(4), Some(500)), (Some(8), Some(1000))]);

    let alone = Fleet::new(vec![of("b", ramp)]);
    let pods = alone.serving("x").unwrap().seen(Tick::ZERO, || 0.999);
    assert_eq!(pods.pods().len(), 1, "somebody has to be seen");
}

#[test]
fn when_all_breakers_are_open_none_counts() {
    let open = ["a", "b"].map(|name| with_breaker(name, BreakerState::Open));
    let half_open = with_breaker("c", BreakerState::HalfOpen);
    let away = Backend { ready: false, ..with_breaker("d", BreakerState::Closed) };
    let fleet = Fleet::new([&open[..], &[half_open, away]].concat());
    assert_eq!(names(&fleet.serving("x").unwrap()), ["a", "b", "c"]);
}
