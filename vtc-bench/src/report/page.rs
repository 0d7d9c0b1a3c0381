//! The page: tables and pictures, with nothing to load.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Report;
use super::pictures::Picture;
use super::scale::number;
use vtc_sim::measure::{RunSummary, Times};

const STYLE: &str = "\
body { font: 15px/1.5 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0 }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
thead th { border-bottom: 2px solid #555; vertical-align: bottom; white-space: normal }
.wide { overflow-x: auto }
figure { margin: 2rem 0 }
figure svg { width: 100%; height: auto }
figcaption, .note { color: #333 }
@media print { figure { break-inside: avoid } }
";

/// So many clients of a run are listed.
const CLIENTS: usize = 30;

pub fn html(report: &Report<'_>, pictures: &[Picture]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (report.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (report.title) }
                @for note in &report.notes { p.note { (note) } }
                (runs(&report.runs))
                @for picture in pictures { (figure(picture)) }
                @for (name, run) in &report.runs { (clients(name, run)) }
            }
        }
    };
    page.into_string()
}

fn figure(picture: &Picture) -> Markup {
    html! {
        figure id=(picture.name) role="img" aria-label=(picture.plot.title) {
            (PreEscaped(picture.plot.svg()))
            figcaption { (picture.caption) }
        }
    }
}

fn runs(runs: &[(String, &RunSummary)]) -> Markup {
    html! {
        div.wide { table {
            thead { tr {
                th { "Policy" }
                th { "Max Diff" } th { "Avg Diff" } th { "Diff Var" } th { "Tokens/s" }
                th { "Gap" } th { "2U" } th { "Jain" }
                th { "First token p50 (s)" } th { "p90" } th { "p99" } th { "Refused" }
            } }
            tbody { @for (name, run) in runs { tr {
                td { (name) }
                td { (decimals(run.max_diff, 2)) } td { (decimals(run.avg_diff, 2)) }
                td { (decimals(run.diff_var, 2)) } td { (decimals(run.tokens_per_s, 1)) }
                td { (decimals(run.gap.max, 0)) } td { (run.gap.bound.map_or("-".to_owned(), number)) }
                td { (decimals(run.jain, 4)) }
                (times(&run.first_token))
                td { (run.refused) " of " (run.requests) }
            } } }
        } }
        p.note {
            "Diffs are in weighted tokens per second, over 19 windows; less is fairer. The gap and its bound 2U are in \
             weighted tokens divided by the client's weight. Throughput counts input and output tokens of what was \
             served, over the whole length of the run."
        }
    }
}

fn clients(name: &str, run: &RunSummary) -> Markup {
    let busiest = run.busiest();
    html! {
        h2 { (name) }
        div.wide { table {
            thead { tr {
                th { "Client" } th { "Weight" } th { "Served" } th { "Refused" } th { "Service (weighted tokens)" }
                th { "First token p50 (s)" } th { "p90" } th { "p99" }
                th { "Latency p50 (s)" } th { "p90" } th { "p99" }
            } }
            tbody { @for client in busiest.iter().take(CLIENTS) { tr {
                td { (client.client) } td { (client.weight) } td { (client.served) } td { (client.refused) }
                td { (decimals(client.service, 0)) }
                (times(&client.first_token))
                (times(&client.latency))
            } } }
        } }
        @if busiest.len() > CLIENTS { p.note { "and " (busiest.len() - CLIENTS) " more with less service" } }
    }
}

fn times(times: &Times) -> Markup {
    html! { @for fraction in [0.5, 0.9, 0.99] {
        td { (times.quantile(fraction).map_or("-".to_owned(), |time| decimals(time, 2))) }
    } }
}

fn decimals(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), number);
    if rest.is_empty() { whole } else { format!("{whole}.{rest}") }
}
