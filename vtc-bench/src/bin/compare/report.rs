//! The cells as tables.

use std::fmt::Write as _;

use serde::Serialize;

use crate::matrix::{Cell, Figures, Matrix};
use crate::spread::{Difference, Spread};

/// One policy on one workload and number of pods.
#[derive(Debug, Serialize)]
pub struct Comparison {
    workload: String,
    pods: usize,
    policy: String,
    figures: Vec<Figure>,
}

/// One figure of it.
#[derive(Debug, Serialize)]
struct Figure {
    name: &'static str,
    #[serde(flatten)]
    spread: Spread,
    /// From the first policy; the first has none.
    from_first: Option<Difference>,
}

/// A figure's name, its head in a table, what it says, and which it is.
type Column = (&'static str, &'static str, &'static str, fn(&Figures) -> f64);

const COLUMNS: [Column; 11] = [
    ("tokens_per_s", "tokens/s", "input and output tokens served per second of the run", |of| {
        of.tokens_per_s
    }),
    (
        "avg_diff",
        "Avg Diff",
        "the mean difference of service (input + 2 output) among clients at 19 moments, per second",
        |of| of.avg_diff,
    ),
    (
        "gap",
        "gap",
        "the largest between the clients' service per weight, from 30 s to the end of arrivals: of clients who\n\
         always want more, it is to be small; of others, it is what they asked for",
        |of| of.gap,
    ),
    ("first_token_s", "1st token", "mean seconds from arrival to first token", |of| of.first_token_s),
    ("best_client_s", "best", "the same of the client that has it best", |of| of.best_client_s),
    ("worst_client_s", "worst", "the same of the client that has it worst", |of| of.worst_client_s),
    ("first_token_p99_s", "1st token p99", "seconds within which 99 of 100 requests have it", |of| {
        of.first_token_p99_s
    }),
    ("jain_index", "Jain", "Jain's index over the clients' service per weight; 1 is even", |of| of.jain),
    ("refused", "refused", "the part of the requests that was refused", |of| of.refused),
    (
        "victim_p99_s",
        "victim's p99",
        "of the client that asks for least (and 50 times at least): its first tokens' p99, in seconds",
        |of| of.victim_p99_s,
    ),
    ("alone_p99_s", "p99 alone", "the same where nobody else asks", |of| of.alone_p99_s),
];

/// What a table has if nothing else is said.
pub const DEFAULT_COLUMNS: &str =
    "tokens_per_s,avg_diff,gap,first_token_s,best_client_s,worst_client_s,refused";
/// Those that need a run without the others.
const ISOLATION: [&str; 2] = ["victim_p99_s", "alone_p99_s"];

/// Whether there is a column of that name; if not, those there are.
pub fn column(name: &str) -> Result<String, String> {
    match COLUMNS.iter().any(|(known, ..)| *known == name) {
        true => Ok(name.to_owned()),
        false => Err(format!("there are {}", COLUMNS.map(|(name, ..)| name).join(", "))),
    }
}

/// Whether one of these needs a run without the others.
pub fn isolates(columns: &[String]) -> bool {
    columns.iter().any(|column| ISOLATION.contains(&column.as_str()))
}

pub fn comparisons(matrix: &Matrix, cells: &[Cell], columns: &[String]) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for (w, workload) in matrix.workloads.iter().enumerate() {
        for (p, &pods) in matrix.pods.iter().enumerate() {
            let first = &cells[matrix.cell(w, p, 0)].figures;
            for (policy, named) in matrix.policies.iter().enumerate() {
                let own = &cells[matrix.cell(w, p, policy)].figures;
                let figure = |(name, _, _, get): &Column| {
                    let all = |cell: &[Figures]| cell.iter().map(get).collect::<Vec<_>>();
                    let from_first = (policy > 0).then(|| Difference::between(&all(first), &all(own)));
                    Figure { name, spread: Spread::of(&all(own)), from_first }
                };
                let figures = chosen(columns).map(figure).collect();
                comparisons.push(Comparison {
                    workload: workload.name.clone(),
                    pods,
                    policy: named.to_string(),
                    figures,
                });
            }
        }
    }
    comparisons
}

/// In the order of their table, whatever order they were named in.
fn chosen(columns: &[String]) -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|(name, ..)| columns.iter().any(|column| column == name))
}

pub fn tables(matrix: &Matrix, comparisons: &[Comparison], columns: &[String]) -> String {
    let mut text = String::new();
    for table in comparisons.chunks(matrix.policies.len()) {
        let Some(first) = table.first() else { continue };
        let _ = writeln!(
            text,
            "{}, {} pods, {} seeds: mean +- standard deviation",
            first.workload, first.pods, matrix.seeds
        );
        let _ = write!(text, "{:<32}", "");
        chosen(columns).for_each(|(_, head, ..)| {
            let _ = write!(text, "{head:>21}");
        });
        for row in table {
            let _ = write!(text, "\n{:<32}", row.policy);
            for Figure { spread, from_first, .. } in &row.figures {
                let mark =
                    if from_first.is_some_and(|difference| difference.exceeds_spread) { '*' } else { ' ' };
                let cell = format!(
                    "{:.*} +- {:.*}",
                    digits(spread.mean),
                    spread.mean,
                    digits(spread.mean),
                    spread.deviation
                );
                let _ = write!(text, "{cell:>20}{mark}");
            }
            text.truncate(text.trim_end().len());
        }
        text.push_str("\n\n");
    }
    text.pop();
    text
}

/// What the columns say.
pub fn legend(columns: &[String]) -> String {
    let mut text = String::new();
    for (_, head, meaning, _) in chosen(columns) {
        let _ = writeln!(text, "{head}: {meaning}");
    }
    text.push_str("*: differs from the first policy by more than the spread of the differences, seed by seed (95 %, Student's t).\n");
    text
}

/// Digits behind the point, so that about four are to be seen.
fn digits(number: f64) -> usize {
    match number.abs() {
        1000.0.. => 0,
        100.0..1000.0 => 1,
        _ => 2,
    }
}
