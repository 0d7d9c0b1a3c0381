//! What is seen, on a terminal that is a grid of characters.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

use super::frame::Requests;
use super::model::{Input, Link, Mode, Model, Next};
use super::view;

fn user(name: &str, service: f64, waiting: u64) -> Value {
    json!({
        "user": name, "weight": 1.0, "tokens": 10.0 * service, "counter": 5.0, "waiting": waiting, "running": 2,
        "service": service, "input": 0.0, "output": 0.0, "first_token": [0.25, 9.0],
    })
}

fn told(users: &[Value]) -> Value {
    json!({
        "time": 3_723_000, "started": 0,
        "totals": {
            "users": 3, "service": 1234.0, "in_flight": 50, "waiting": 12, "ended": 3.5, "refused": 0.0,
            "first_token": [0.5, 8.25], "jain": 0.93,
        },
        "users": users,
        "others": { "users": 7, "service": 12.0, "tokens": 1.0, "in_flight": 3 },
        "pods": [
            { "pod": "pod-0", "health": "ready", "running": 9, "max_running": 12, "service": 700.0 },
            { "pod": "pod-1", "health": "away", "running": 0, "max_running": null, "tokens": 50, "max_tokens": 100, "service": 0.0 },
        ],
        "queues": [{
            "pool": "m", "discipline": "vtc-fair", "waiting": 12, "running": 4, "users": 3, "drain_rate": 2.0,
            "gap": 1500.0, "bound": 20_000.0, "jain": 0.9, "wait": [0.1, 7.0],
        }],
        "troubles": [],
    })
}

fn frame(value: Value) -> Input {
    Input::Frame(Box::new(serde_json::from_value(value).unwrap()))
}

fn watching() -> Model {
    let mut model = Model::new("http://gateway:8080");
    model.on(frame(told(&[user("whale", 900.0, 12), user("alice", 100.0, 0), user("bob", 300.0, 1)])));
    let Requests { requests } = serde_json::from_value(json!({ "requests": [
        { "time": "2026-01-01T12:34:56.789Z", "account": "alice", "ending": "settled", "reason": "pod-0 by least-request", "first_token_ms": 120.0, "duration_ms": 2500.0 },
        { "time": "2026-01-01T12:34:55.789Z", "account": "bob", "ending": "refused", "reason": "the queue is full", "duration_ms": 1.0 },
    ] })).unwrap();
    model.on(Input::Requests(requests));
    model
}

/// The lines of a screen of that size.
fn seen(model: &Model, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, model)).unwrap();
    let buffer = terminal.backend().buffer();
    buffer
        .content
        .chunks(usize::from(width).max(1))
        .map(|line| line.iter().map(|cell| cell.symbol()).collect())
        .collect()
}

fn press(model: &mut Model, keys: &str) -> Next {
    let mut next = Next::Go;
    for key in keys.chars() {
        let code = if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) };
        next = model.on(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
    next
}

#[track_caller]
fn line<'a>(lines: &'a [String], part: &str) -> &'a str {
    lines.iter().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part:?} is not in {lines:#?}"))
}

fn names(lines: &[String]) -> Vec<String> {
    let begin = lines.iter().position(|line| line.starts_with("user ")).unwrap() + 1;
    let rows = lines[begin..].iter().take_while(|line| !line.contains("Pods") && !line.trim().is_empty());
    rows.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn eighty_by_twenty_four_shows_it_all() {
    let lines = seen(&watching(), 80, 24);
    assert_eq!(lines.len(), 24);
    assert!(line(&lines, "http://gateway:8080").contains("live"));
    assert!(line(&lines, "up").contains("up 1 h 2 min"));
    assert!(line(&lines, "service 1.2k").contains("in flight 50   waiting 12   users 3"));
    assert!(
        line(&lines, "first token 500 ms median")
            .contains("8.2 s p99   ended 3.5/s   refused 0/s   Jain 0.93")
    );
    assert!(line(&lines, "queue vtc-fair of m").contains("gap 1.5k ≤ 20k"));
    assert_eq!(names(&lines), ["whale", "bob", "alice"]);
    let whale: Vec<_> = line(&lines, "whale").split_whitespace().collect();
    assert_eq!(whale, ["whale", "1", "900", "████████", "█", "9.0k", "5", "12", "2", "9.0", "s"]);
    assert!(line(&lines, "Users").contains("7 others: 12/s, 3 in flight"));
    assert!(line(&lines, "pod-0").contains("9/12 run") && line(&lines, "pod-0").contains("700 tok/s"));
    assert!(line(&lines, "pod-1").contains("away") && line(&lines, "pod-1").contains("50/100 tok"));
    assert!(line(&lines, "12:34:56").contains("alice") && line(&lines, "12:34:56").contains("120 ms"));
    assert!(line(&lines, "12:34:55").contains("the queue is full"));
    assert!(lines[23].contains("q quit"));
    assert!(lines.iter().all(|line| line.chars().count() == 80));
}

#[test]
fn keys_sort_search_scroll_hold_and_quit() {
    let mut model = watching();
    assert_eq!(press(&mut model, "7"), Next::Go);
    assert_eq!(names(&seen(&model, 80, 24)), ["alice", "bob", "whale"]);
    press(&mut model, "4");
    assert_eq!(names(&seen(&model, 80, 24)), ["whale", "bob", "alice"], "by those that wait");
    press(&mut model, "ss");
    assert!(line(&seen(&model, 80, 24), "Users").contains("by first token"));
    press(&mut model, "1j");
    assert_eq!(names(&seen(&model, 80, 24)), ["bob", "alice"]);
    press(&mut model, "jjjjjj");
    assert_eq!(names(&seen(&model, 80, 24)), ["alice"], "the last stays in sight");
    press(&mut model, "/AL");
    assert_eq!(model.mode, Mode::Search);
    assert!(line(&seen(&model, 80, 24), "Search").contains("AL"));
    press(&mut model, "\n");
    let lines = seen(&model, 80, 24);
    assert_eq!(names(&lines), ["whale", "alice"]);
    assert!(line(&lines, "Users").contains("with \"AL\": 2 of 3"));
    model.on(Input::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)));
    assert_eq!(names(&seen(&model, 80, 24)).len(), 3);

    press(&mut model, " ");
    model.on(frame(told(&[user("carol", 1.0, 0)])));
    assert!(line(&seen(&model, 80, 24), "gateway:8080").contains("held still"));
    assert_eq!(names(&seen(&model, 80, 24)).len(), 3, "what is held stands still");
    press(&mut model, " ");
    model.on(frame(told(&[user("carol", 1.0, 0)])));
    assert_eq!(names(&seen(&model, 80, 24)), ["carol"]);

    assert_eq!(press(&mut model, "?"), Next::Go);
    assert!(line(&seen(&model, 80, 24), "the fair queue lets go").contains("counter"));
    assert_eq!(press(&mut model, "x"), Next::Go);
    assert_eq!(model.mode, Mode::Normal);
    assert_eq!(press(&mut model, "/q"), Next::Go, "that is a letter");
    press(&mut model, "\n");
    assert_eq!(press(&mut model, "q"), Next::Quit);
    let stop = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(watching().on(Input::Key(stop)), Next::Quit);
}

#[test]
fn a_broken_connection_is_said_and_what_was_told_last_stays() {
    let mut model = watching();
    model.on(Input::Lost("cannot ask: \u{1b}[31mrefused".to_owned()));
    let lines = seen(&model, 120, 24);
    assert!(line(&lines, "gateway:8080").contains("lost: cannot ask: [31mrefused - trying again"));
    assert_eq!(names(&lines).len(), 3);
    model.on(frame(told(&[])));
    assert_eq!(model.link, Link::Live);
    let lines = seen(&Model::new("http://x"), 80, 24);
    assert!(line(&lines, "http://x").contains("connecting"));
}

#[test]
fn a_trend_is_of_the_last_seconds_and_of_one_run() {
    let mut model = Model::new("http://x");
    (1..=20).for_each(|second| {
        model.on(frame(told(&[user("alice", f64::from(second), 0)])));
    });
    assert_eq!(model.trend("alice").collect::<Vec<_>>(), (9..=20).map(f64::from).collect::<Vec<_>>());
    let mut restarted = told(&[user("alice", 3.0, 0)]);
    restarted["started"] = json!(5);
    model.on(frame(restarted));
    assert_eq!(model.trend("alice").collect::<Vec<_>>(), [3.0]);
    model.on(frame(told(&[])));
    assert_eq!(model.trend("alice").count(), 0, "whoever is gone is forgotten");
}

#[test]
fn a_small_terminal_says_what_it_takes_and_a_large_one_shows_more() {
    assert!(seen(&watching(), 40, 24).concat().contains("This takes 50 columns"));
    let mut many = told(&[]);
    many["pods"] = (0..20)
        .map(|n| json!({ "pod": format!("pod-{n:02}"), "health": if n == 19 { "away" } else { "ready" } }))
        .collect();
    let mut model = watching();
    model.on(frame(many));
    let small = seen(&model, 80, 24);
    assert!(line(&small, "Pods").contains("16 more that are not shown"));
    assert!(line(&small, "pod-19").contains("away"), "what does not work is seen first");
    let count = |lines: &[String]| lines.iter().filter(|line| line.contains("pod-")).count();
    assert!(count(&seen(&model, 80, 60)) > count(&small) + 5);
}

proptest! {
    #[test]
    fn it_can_be_drawn_whatever_is_told_on_any_terminal(
        users in proptest::collection::vec(("\\PC{0,12}|[\u{0}-\u{1f}]{0,4}", -1e300..1e300f64, 0..1_000_000u64), 0..40),
        keys in "[a-zA-Z0-9/?]{0,12}", width in 0..200u16, height in 0..80u16,
    ) {
        let users: Vec<_> = users.iter().map(|(name, service, waiting)| user(name, *service, *waiting)).collect();
        let mut model = watching();
        model.on(frame(told(&users)));
        press(&mut model, &keys);
        let lines = seen(&model, width, height);
        prop_assert!(lines.iter().all(|line| !line.chars().any(char::is_control)));
    }
}
