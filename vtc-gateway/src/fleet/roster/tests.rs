//! What the roster makes of what happens, in scripted time.

use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::dialect::Dialect;

fn at(seconds: u64) -> Tick {
    Tick::after_origin(Duration::from_secs(seconds))
}

fn pods(list: &[(&str, &str)]) -> BTreeMap<String, (PodSetting, Source)> {
    let pod = |(name, url): &(&str, &str)| ((*name).to_owned(), (PodSetting::new(*name, *url), Source::File));
    list.iter().map(pod).collect()
}

/// A roster of these pods that has begun, with none of them asked.
fn roster(list: &[(&str, &str)]) -> Roster {
    let setting = HealthSetting { slow_start: Duration::from_secs(10), ..HealthSetting::default() };
    let mut roster = Roster::new(setting, CoarseClock::new(), unbounded_channel().0);
    assert!(roster.follow(pods(list)));
    roster
}

fn report(model: &str) -> Report {
    Report { models: Some(vec![json!({ "id": model })]), dialect: Dialect::Vllm }
}

/// Asked at that time, it answers.
fn answers(roster: &mut Roster, seconds: u64, name: &str) -> bool {
    let url = roster.ask(name).unwrap().url;
    roster.checked(at(seconds), name, &url, Ok(report("m")))
}

/// Asked at that time, it does not.
fn misses(roster: &mut Roster, seconds: u64, name: &str) -> bool {
    let url = roster.ask(name).unwrap().url;
    roster.checked(at(seconds), name, &url, Err("no".to_owned()))
}

fn ready(roster: &mut Roster, seconds: u64) -> Vec<String> {
    let fleet = roster.fleet(at(seconds));
    let ready = fleet.backends().iter().filter(|backend| backend.ready);
    ready.map(|backend| backend.pod().name().to_owned()).collect()
}

fn share(roster: &mut Roster, seconds: u64, name: &str) -> f64 {
    let fleet = roster.fleet(at(seconds));
    fleet.backend(&Pod::new(name)).unwrap().share(at(seconds))
}

#[test]
fn nobody_is_asked_twice_at_a_time() {
    let mut roster = roster(&[("a", "x"), ("b", "y")]);
    let first = roster.ask("a").unwrap();
    assert_eq!(first, Question { pod: "a".into(), url: "x".into(), authorization: None, scrape: false });
    assert_eq!(roster.ask("a"), None);
    let all = roster.ask_all(at(0));
    assert_eq!(all, [Question { pod: "b".into(), url: "y".into(), authorization: None, scrape: true }]);
    assert!(roster.is_asking());
    roster.checked(at(0), "a", "x", Ok(report("m")));
    roster.checked(at(0), "b", "y", Err("no".to_owned()));
    assert!(!roster.is_asking());
    assert_eq!(ready(&mut roster, 0), ["a"]);
}

#[test]
fn one_missed_check_takes_no_pod_off_but_two_do() {
    let mut roster = roster(&[("a", "x")]);
    assert!(answers(&mut roster, 0, "a"));
    assert!(!misses(&mut roster, 1, "a"));
    assert!(!answers(&mut roster, 2, "a"));
    assert!(!misses(&mut roster, 3, "a"));
    assert_eq!(ready(&mut roster, 3), ["a"]);
    assert!(misses(&mut roster, 4, "a"));
    assert!(ready(&mut roster, 4).is_empty());
    assert!(answers(&mut roster, 5, "a"));
    assert!(
        !roster.failed(at(5), "a", false) && !ready(&mut roster, 5).is_empty(),
        "it broke off, but is there"
    );
    assert!(roster.failed(at(5), "a", true) && ready(&mut roster, 5).is_empty(), "nobody is there");
}

#[test]
fn a_pod_that_failed_is_news_when_it_answers_again() {
    let mut roster = roster(&[("a", "x")]);
    answers(&mut roster, 0, "a");
    assert!(!answers(&mut roster, 1, "a"));
    assert!(!roster.failed(at(1), "a", false), "it stays under suspicion");
    assert!(answers(&mut roster, 2, "a"), "the queue has to be told that it is trusted");
}

#[test]
fn a_pod_that_comes_back_under_its_name_is_the_same_pod_if_it_still_runs_something() {
    let mut roster = roster(&[("a", "x"), ("b", "y")]);
    answers(&mut roster, 0, "a");
    let before =
        roster.fleet(at(0)).backend(&Pod::new("a")).map(|backend| Arc::clone(backend.pod())).unwrap();
    assert!(roster.follow(pods(&[("b", "y")])));
    assert!(!roster.follow(pods(&[("b", "y")])));
    assert!(roster.follow(pods(&[("a", "z"), ("b", "y")])));
    let fleet = roster.fleet(at(1));
    let after = fleet.backend(&Pod::new("a")).unwrap();
    assert!(Arc::ptr_eq(&before, after.pod()));
    assert!(!after.ready, "that it was ready elsewhere says nothing");
    let stale = roster.checked(at(1), "a", "x", Ok(report("m")));
    assert!(!stale && ready(&mut roster, 1).is_empty(), "an answer from where it was");
}

#[test]
fn the_pods_of_the_start_have_their_share_at_once_and_those_that_come_later_slowly() {
    let mut roster = roster(&[("a", "x"), ("b", "y")]);
    answers(&mut roster, 0, "a");
    answers(&mut roster, 0, "b");
    roster.begin();
    assert_eq!((share(&mut roster, 0, "a"), share(&mut roster, 0, "b")), (1.0, 1.0));
    roster.follow(pods(&[("a", "x"), ("b", "y"), ("c", "z")]));
    answers(&mut roster, 100, "c");
    assert_eq!([100, 102, 105, 110].map(|now| share(&mut roster, now, "c")), [0.1, 0.2, 0.5, 1.0]);
    // Back after it was away.
    roster.failed(at(199), "a", true);
    answers(&mut roster, 200, "a");
    assert_eq!(share(&mut roster, 205, "a"), 0.5);
    assert_eq!(roster.next_change(at(205)), Some(at(206)));
    assert_eq!(share(&mut roster, 210, "a"), 1.0);
    assert_eq!(roster.next_change(at(210)), None);
}

#[test]
fn with_nobody_else_there_a_pod_has_its_share_at_once() {
    let mut roster = roster(&[("a", "x"), ("b", "y")]);
    roster.begin();
    answers(&mut roster, 0, "a");
    assert_eq!(share(&mut roster, 0, "a"), 1.0);
    // One that serves something else is no help.
    let url = roster.ask("b").unwrap().url;
    roster.checked(at(1), "b", &url, Ok(report("other")));
    assert_eq!(share(&mut roster, 1, "b"), 1.0);
    // Nor is one that drains.
    roster.drain(at(2), "a", true);
    roster.follow(pods(&[("a", "x"), ("b", "y"), ("c", "z")]));
    answers(&mut roster, 2, "c");
    assert_eq!(share(&mut roster, 2, "c"), 1.0);
    roster.drain(at(3), "a", false);
    assert_eq!(share(&mut roster, 3, "a"), 0.1);
}

#[test]
fn a_breaker_that_becomes_half_open_is_a_change() {
    let mut roster = roster(&[("a", "x")]);
    answers(&mut roster, 0, "a");
    let state = |roster: &mut Roster, seconds| roster.fleet(at(seconds)).backends()[0].breaker;
    let vitals = Arc::clone(&roster.fleet(at(0)).backends()[0].vitals);
    vitals.breaker(|breaker| (0..5).for_each(|_| breaker.failed(at(10), 1.0)));
    assert!(roster.failed(at(10), "a", false), "it has opened");
    assert_eq!(state(&mut roster, 10), BreakerState::Open);
    assert!(!roster.failed(at(10), "a", false), "it was open");
    assert_eq!(roster.next_change(at(10)), Some(at(11)));
    assert_eq!(state(&mut roster, 11), BreakerState::HalfOpen);
    assert_eq!(roster.next_change(at(11)), None);
}

#[test]
fn a_pod_that_offers_no_metrics_is_left_alone_for_a_while() {
    let mut roster = roster(&[("a", "x")]);
    let mut scrapes = |seconds, load| {
        let question = roster.ask_all(at(seconds)).remove(0);
        roster.checked(at(seconds), "a", "x", Ok(report("m")));
        question.scrape && roster.scraped(at(seconds), "a", "x", load)
    };
    let load = PodLoad { running: Some(1), ..PodLoad::default() };
    assert!(scrapes(0, Some(load)));
    assert!(!scrapes(2, Some(load)), "nothing new");
    assert!(scrapes(4, None), "what it said does not hold any more");
    assert!(!scrapes(303, Some(load)), "not asked");
    assert!(scrapes(304, Some(load)));
}
