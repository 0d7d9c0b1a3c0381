//! Which pictures there are of runs.

use super::plot::{Axis, Kind, Level, Plot, Series};
use super::scale::number;
use vtc_sim::measure::{ClientSummary, RunSummary, Times};

/// A picture and what is said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The name of its file, without the ending.
    pub name: String,
    /// What it shows, in a sentence or two.
    pub caption: String,
    /// The picture.
    pub plot: Plot,
}

/// So many clients have a line of their own: those with the most service.
const CLIENTS: usize = 7;
/// So many points make a line.
const POINTS: usize = 400;

/// A client with fewer requests shows chance.
const QUIET_REQUESTS: u64 = 50;

/// So many times the least is far.
const FAR: f64 = 15.0;

const SERVICE: &str = "Service (1,000 weighted tokens)";
const FIRST_TOKEN: &str = "Time to first token (s, log scale)";

/// All pictures of these runs: those that compare them, then those of each.
pub fn of(title: &str, runs: &[(String, &RunSummary)]) -> Vec<Picture> {
    let mut pictures = Vec::new();
    if runs.len() > 1 {
        pictures.push(trade_off(title, runs));
    }
    pictures.push(gap(title, runs));
    if runs.len() > 1 {
        pictures.push(first_tokens(title, runs));
        pictures.extend(quiet_first_tokens(title, runs));
    }
    for (number, (name, run)) in runs.iter().enumerate() {
        let stem = format!("{}-{}", number + 1, slug(name));
        let title = format!("{title}, {name}");
        pictures.push(service(&stem, &title, run));
        pictures.push(clients_first_tokens(&stem, &title, run));
    }
    pictures
}

fn trade_off(title: &str, runs: &[(String, &RunSummary)]) -> Picture {
    let point =
        |(name, run): &(String, &RunSummary)| Series::new(name.clone(), [(run.avg_diff, run.tokens_per_s)]);
    Picture {
        name: "throughput-and-fairness".to_owned(),
        caption: "Throughput against fairness: further left is fairer, higher up is more served.".to_owned(),
        plot: Plot {
            title: format!("{title}: throughput and fairness"),
            x: axis("Avg Diff (weighted tokens/s; less is fairer)", runs.iter().map(|(_, run)| run.avg_diff)),
            y: Axis::linear("Throughput (tokens/s)"),
            kind: Kind::Marks,
            series: runs.iter().map(point).collect(),
            levels: Vec::new(),
        },
    }
}

fn gap(title: &str, runs: &[(String, &RunSummary)]) -> Picture {
    let line = |(name, run): &(String, &RunSummary)| {
        let mut largest: f64 = 0.0;
        let points = run.gap.curve.iter().map(|(at, gap)| {
            largest = largest.max(gap / 1000.0);
            (*at, largest)
        });
        Series::new(name.clone(), thinned(points.collect()))
    };
    let mut levels: Vec<Level> = Vec::new();
    for bound in runs.iter().filter_map(|(_, run)| run.gap.bound) {
        if levels.iter().all(|level| level.at != bound / 1000.0) {
            levels.push(Level { label: format!("2U = {}", number(bound)), at: bound / 1000.0 });
        }
    }
    let to = runs.iter().map(|(_, run)| run.setting.duration).fold(0.0, f64::max);
    Picture {
        name: "accumulated-gap".to_owned(),
        caption: "The most less the least service of any client since the warm-up, each divided by its client's weight: the \
                  largest until then. \
                  2U is what two clients who always wait differ by at most under VTC; where a client wants less than its \
                  share the gap grows by what the others want."
            .to_owned(),
        plot: Plot {
            title: format!("{title}: accumulated gap, the largest so far"),
            x: Axis::linear("Time (s)").up_to(to),
            y: axis("Gap (1,000 weighted tokens)", runs.iter().map(|(_, run)| run.gap.max / 1000.0)),
            kind: Kind::Lines,
            series: runs.iter().map(line).collect(),
            levels,
        },
    }
}

fn first_tokens(title: &str, runs: &[(String, &RunSummary)]) -> Picture {
    let line =
        |(name, run): &(String, &RunSummary)| Series::new(name.clone(), distribution(&run.first_token));
    Picture {
        name: "first-token".to_owned(),
        caption: "Which part of all served requests had their first token within a time.".to_owned(),
        plot: cumulative(format!("{title}: time to first token"), runs.iter().map(line).collect()),
    }
}

/// Of the client that got least in the first run: it has most to lose by the others.
fn quiet_first_tokens(title: &str, runs: &[(String, &RunSummary)]) -> Option<Picture> {
    let enough = |client: &&ClientSummary| client.served >= QUIET_REQUESTS;
    let service = |client: &ClientSummary| client.service / client.weight;
    let clients = runs.first()?.1.clients.iter().filter(enough);
    let quiet = clients.min_by(|a, b| service(a).total_cmp(&service(b)))?;
    let of = |run: &RunSummary| run.client(&quiet.client).map(|client| distribution(&client.first_token));
    let line = |(name, run): &(String, &RunSummary)| Some(Series::new(name.clone(), of(run)?));
    let who = client_name(quiet);
    Some(Picture {
        name: "first-token-of-the-quietest".to_owned(),
        caption: format!(
            "Which part of the served requests of {who}, which asked for least, had their first token within a time."
        ),
        plot: cumulative(
            format!("{title}: time to first token of {who}"),
            runs.iter().filter_map(line).collect(),
        ),
    })
}

/// With even steps, or by factors if the values are so far apart that even steps would show the least of them as nothing.
/// Then there is a little room at either end.
fn axis(label: &str, values: impl Iterator<Item = f64>) -> Axis {
    let none = (f64::INFINITY, 0.0);
    let (least, most) = values
        .filter(|value| *value > 0.0)
        .fold(none, |(least, most): (f64, f64), value| (least.min(value), most.max(value)));
    if most > FAR * least {
        Axis { from: Some(least / 2.0), to: Some(most * 2.0), ..Axis::log(format!("{label}, log scale")) }
    } else {
        Axis::linear(label)
    }
}

fn service(stem: &str, title: &str, run: &RunSummary) -> Picture {
    let clients = run.busiest();
    let (own, rest) = clients.split_at(clients.len().min(CLIENTS));
    let thousands = |points: Vec<(f64, f64)>| points.into_iter().map(|(at, of)| (at, of / 1000.0));
    let line = |client: &&ClientSummary| {
        Series::new(client_name(client), thousands(thinned(run.curve(client).collect())))
    };
    let mut series: Vec<_> = own.iter().map(line).collect();
    if !rest.is_empty() {
        let mut sum: Vec<_> = run.curve(rest[0]).map(|(at, _)| (at, 0.0)).collect();
        for client in rest {
            sum.iter_mut().zip(&client.curve).for_each(|(point, service)| point.1 += service);
        }
        series.push(Series::new(format!("{} others together", rest.len()), thousands(thinned(sum))));
    }
    Picture {
        name: format!("{stem}-service"),
        caption: format!(
            "{title}: what each client was served, input and output weighted, since the beginning."
        ),
        plot: Plot {
            title: format!("{title}: service of each client"),
            x: Axis::linear("Time (s)").up_to(run.setting.duration),
            y: Axis::linear(SERVICE),
            kind: Kind::Lines,
            series,
            levels: Vec::new(),
        },
    }
}

fn clients_first_tokens(stem: &str, title: &str, run: &RunSummary) -> Picture {
    let clients = run.busiest();
    let line = |client: &&ClientSummary| Series::new(client_name(client), distribution(&client.first_token));
    Picture {
        name: format!("{stem}-first-token"),
        caption: format!(
            "{title}: which part of a client's served requests had their first token within a time; the clients with \
             the most service."
        ),
        plot: cumulative(
            format!("{title}: time to first token"),
            clients.iter().take(CLIENTS).map(line).collect(),
        ),
    }
}

fn cumulative(title: String, series: Vec<Series>) -> Plot {
    Plot {
        title,
        x: Axis::log(FIRST_TOKEN),
        y: Axis::linear("Part of the requests").up_to(1.0),
        kind: Kind::Steps,
        series,
        levels: Vec::new(),
    }
}

/// Numbers alone say too little in a legend.
fn client_name(client: &ClientSummary) -> String {
    match client.client.parse::<u64>() {
        Ok(number) => format!("client {number}"),
        Err(_) => client.client.clone(),
    }
}

/// `(time, part of the requests within it)`, beginning with none.
fn distribution(times: &Times) -> Vec<(f64, f64)> {
    let Some(first) = times.quantile(0.0) else { return Vec::new() };
    let count = times.sorted().len().min(POINTS);
    let part = |number: usize| number as f64 / count as f64;
    let points = (1..=count).filter_map(|number| Some((times.quantile(part(number))?, part(number))));
    std::iter::once((first, 0.0)).chain(points).collect()
}

/// Fewer points of a line that is smooth: evenly, with the first and the last.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= POINTS {
        return points;
    }
    (0..POINTS).map(|number| points[number * (points.len() - 1) / (POINTS - 1)]).collect()
}

/// Fit for the name of a file.
fn slug(name: &str) -> String {
    let letter =
        |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    name.chars().map(letter).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vtc_sim::measure::{Recorder, Setting};
    use vtc_sim::request::{Outcome, Served};

    #[test]
    fn fewer_points_keep_the_ends() {
        let thin = thinned((0..10_001).map(|n| (f64::from(n), 2.0 * f64::from(n))).collect());
        assert_eq!((thin.len(), thin[0], thin[POINTS - 1]), (POINTS, (0.0, 0.0), (10_000.0, 20_000.0)));
        assert!(thin.is_sorted_by(|a, b| a.0 < b.0));
    }

    /// 10 ahead, then 5 behind, then level again: the line stays at the most.
    #[test]
    fn the_line_of_the_gap_never_falls() {
        let mut recorder = Recorder::new(Setting { batch_tokens: Some(2), ..Setting::new(100.0).unwrap() });
        for (client, from, input) in [(0, 40.0, 10), (1, 50.0, 15), (0, 60.0, 5)] {
            let served = Some(Served { first_token: from, end: from + 5.0 });
            recorder.add(&Outcome { arrival: from, client, input, output: 0, served });
        }
        let run = recorder.finish();
        let picture = gap("t", &[("fcfs".to_owned(), &run), ("vtc".to_owned(), &run)]);
        let line = &picture.plot.series[0].points;
        assert_eq!((line[0], line[line.len() - 1]), ((31.0, 0.0), (100.0, 0.010)));
        assert!(line.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
        assert_eq!(picture.plot.levels, [Level { label: "2U = 8".to_owned(), at: 0.008 }], "once");
        assert!(!picture.plot.y.is_log, "both are the same");
    }

    #[test]
    fn what_is_far_apart_is_on_a_log_scale() {
        assert!(axis("x", [1.0, 100.0].into_iter()).is_log);
        assert!(!axis("x", [50.0, 100.0].into_iter()).is_log);
        assert!(!axis("x", [0.0, 100.0].into_iter()).is_log, "nothing is not little");
        assert!(!axis("x", std::iter::empty()).is_log);
    }

    #[test]
    fn a_distribution_goes_from_none_to_all() {
        let of = distribution(&Times::new(vec![4.0, 1.0, 2.0, 2.0]));
        assert_eq!(of, [(1.0, 0.0), (1.0, 0.25), (2.0, 0.5), (2.0, 0.75), (4.0, 1.0)]);
        let many = distribution(&Times::new((0..100_000).map(f64::from).collect()));
        assert_eq!((many.len(), many[POINTS]), (POINTS + 1, (99_999.0, 1.0)));
        assert!(distribution(&Times::default()).is_empty());
    }
}
