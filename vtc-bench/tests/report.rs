//! The pictures and the page: what is in them, that it is text, and that it is the same each time.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use vtc_bench::report::{Axis, Kind, Level, Plot, Report, Series};
use vtc_core::queue::Weight;
use vtc_sim::measure::{Recorder, RunSummary, Setting};
use vtc_sim::request::{Outcome, Served};

/// Clients that ask once every ten seconds each; the one of number 0 gets `share` times as much as the others.
fn run(clients: u32, share: u64) -> RunSummary {
    let setting = Setting { batch_tokens: Some(10_000), ..Setting::new(600.0).unwrap() };
    let names = (0..clients).map(|client| (Arc::from(format!("tenant-{client}")), Weight::ONE));
    let mut recorder = Recorder::new(setting).with_clients(names);
    for second in (0..600).step_by(10).map(f64::from) {
        for client in 0..clients {
            let arrival = second + f64::from(client) / f64::from(clients);
            let served = Some(Served { first_token: arrival + 0.5, end: arrival + 5.0 });
            let output = if client == 0 { 100 * share } else { 100 };
            recorder.add(&Outcome { arrival, client, input: 100, output, served });
        }
    }
    recorder.finish()
}

fn plot() -> Plot {
    Plot {
        title: "Title & more".to_owned(),
        x: Axis::linear("Time (s)").up_to(600.0),
        y: Axis::log("Tokens (weighted)"),
        kind: Kind::Lines,
        series: vec![
            Series::new("<first>", [(0.0, 1.0), (300.0, 100.0), (600.0, 1000.0)]),
            Series::new("second", [(0.0, 0.0), (f64::NAN, 7.0), (600.0, 50.0)]),
        ],
        levels: vec![Level { label: "2U = 40,000".to_owned(), at: 40_000.0 }],
    }
}

/// What stands between the tags of text elements.
fn texts(svg: &str) -> Vec<&str> {
    let after_tags = svg.split("<text ").skip(1).map(|rest| rest.split_once('>').unwrap().1);
    after_tags.map(|rest| rest.split_once("</text>").unwrap().0.trim()).collect()
}

/// The names of the tags that are open at the end.
fn unclosed(markup: &str) -> Vec<&str> {
    let mut open = Vec::new();
    for tag in markup.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') && !tag.starts_with('!') && !tag.starts_with("meta") {
            open.push(tag.split_whitespace().next().unwrap());
        }
    }
    open
}

#[test]
fn a_picture_has_its_title_its_units_its_ticks_and_its_legend_as_text() {
    let svg = plot().svg();
    let texts = texts(&svg);
    for text in [
        "Title &amp; more",
        "Time (s)",
        "Tokens (weighted)",
        "&lt;first&gt;",
        "second",
        "2U = 40,000",
        "600",
        "1,000",
    ] {
        assert!(texts.contains(&text), "no {text:?} among {texts:?}");
    }
    assert_eq!(unclosed(&svg), [""; 0]);
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn the_same_data_are_the_same_bytes() {
    assert_eq!(plot().svg(), plot().svg());
    let (one, other) = (run(9, 5), run(9, 5));
    let html = |run| Report::new("t").with_run("fcfs", run).with_run("vtc", run).html();
    assert_eq!(html(&one), html(&other));
}

#[test]
fn nothing_to_see_is_drawn_too() {
    let empty = Plot { series: Vec::new(), levels: Vec::new(), ..plot() };
    assert!(empty.svg().contains("Time (s)"));
    let nobody = Recorder::new(Setting::new(60.0).unwrap()).finish();
    assert!(Report::new("nothing").with_run("fcfs", &nobody).html().contains("fcfs"));
    assert!(Report::new("nothing").html().contains("<h1>nothing</h1>"));
}

#[test]
fn points_beyond_the_axes_stay_within_the_picture() {
    let far = Series::new("far", [(0.0, -1e300), (1e6, 1e300)]);
    let mut plot = Plot { series: vec![far], ..plot() };
    plot.y = Axis::linear("y");
    let svg = plot.svg();
    let lines = svg.split("points=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0);
    let numbers = lines.flat_map(|points| points.split([' ', ','])).filter(|part| !part.is_empty());
    assert!(numbers.map(|number| number.parse::<i32>().unwrap()).all(|pixel| (-20..2000).contains(&pixel)));
}

#[test]
fn a_long_legend_makes_the_picture_higher_and_long_names_are_cut() {
    let series = (0..60).map(|number| Series::new(format!("{number}-{}", "x".repeat(99)), [(1.0, 1.0)]));
    let plot = Plot { kind: Kind::Marks, series: series.collect(), ..plot() };
    let svg = plot.svg();
    let height: i32 = svg.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    let last = svg.rfind("<text x=").unwrap();
    let y: i32 = svg[last..].split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    assert!(y < height, "{y} of {height}");
    assert!(svg.contains('…') && !svg.contains(&"x".repeat(40)));
}

#[test]
fn a_report_of_two_runs_compares_them_and_shows_each() {
    let (unfair, fair) = (run(30, 50), run(30, 1));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("made/anew");
    let report = Report::new("two <runs>").with_note("simulate --seed 1 & more");
    let page = report.with_run("fcfs", &unfair).with_run("VTC, fair", &fair).write(&target).unwrap();
    assert_eq!(page, target.join("report.html"));

    let names: BTreeSet<_> = fs::read_dir(&target)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = [
        "1-fcfs-first-token.svg",
        "1-fcfs-service.svg",
        "2-vtc--fair-first-token.svg",
        "2-vtc--fair-service.svg",
        "accumulated-gap.svg",
        "first-token-of-the-quietest.svg",
        "first-token.svg",
        "report.html",
        "throughput-and-fairness.svg",
    ];
    assert!(names.iter().eq(expected.iter()), "{names:?}");

    let read = |name: &str| fs::read_to_string(target.join(name)).unwrap();
    for (name, labels) in [
        (
            "1-fcfs-service.svg",
            &["Service (1,000 weighted tokens)", "Time (s)", "tenant-0", "23 others together"][..],
        ),
        ("1-fcfs-first-token.svg", &["Time to first token (s, log scale)", "Part of the requests"]),
        ("accumulated-gap.svg", &["2U = 40,000", "VTC, fair", "Gap (1,000 weighted tokens), log scale"]),
        ("first-token.svg", &["two &lt;runs&gt;: time to first token"]),
        (
            "first-token-of-the-quietest.svg",
            &["two &lt;runs&gt;: time to first token of tenant-1", "VTC, fair"],
        ),
        ("throughput-and-fairness.svg", &["Throughput (tokens/s)", "fcfs"]),
    ] {
        let svg = read(name);
        for label in labels {
            assert!(texts(&svg).contains(label), "{name}: no {label:?} among {:?}", texts(&svg));
        }
    }

    let html = read("report.html");
    assert_eq!(unclosed(&html), [""; 0]);
    for name in expected.iter().filter(|name| name.ends_with(".svg")) {
        assert!(html.contains(&read(name)), "{name} is in the page");
    }
    for text in ["two &lt;runs&gt;", "simulate --seed 1 &amp; more", "Max Diff", "40,000", "0 of 1800"] {
        assert!(html.contains(text), "{text}");
    }
    for outside in ["http://", "https://", "<script", "<link", "url("] {
        let without_namespace = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!without_namespace.contains(outside), "{outside}: the page loads nothing");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(Report::new("t").write(folder.path().join("file/below")).is_err());
}
