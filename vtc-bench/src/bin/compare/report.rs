//! The cells as tables.

use std::fmt::Write as _;

use serde::Serialize;

use crate::matrix::{Figures, Matrix};
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

/// A figure's name, its head in a table, and which it is.
type Column = (&'static str, &'static str, fn(&Figures) -> f64);

const COLUMNS: [Column; 7] = [
    ("tokens_per_s", "tokens/s", |of| of.tokens_per_s),
    ("avg_diff", "Avg Diff", |of| of.avg_diff),
    ("gap", "gap", |of| of.gap),
    ("first_token_s", "1st token", |of| of.first_token_s),
    ("best_client_s", "best", |of| of.best_client_s),
    ("worst_client_s", "worst", |of| of.worst_client_s),
    ("refused", "refused", |of| of.refused),
];

pub fn comparisons(matrix: &Matrix, cells: &[Vec<Figures>]) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for (w, workload) in matrix.workloads.iter().enumerate() {
        for (p, &pods) in matrix.pods.iter().enumerate() {
            let first = &cells[matrix.cell(w, p, 0)];
            for (policy, named) in matrix.policies.iter().enumerate() {
                let own = &cells[matrix.cell(w, p, policy)];
                let figure = |(name, _, get): &Column| {
                    let all = |cell: &[Figures]| cell.iter().map(get).collect::<Vec<_>>();
                    let from_first = (policy > 0).then(|| Difference::between(&all(first), &all(own)));
                    Figure { name, spread: Spread::of(&all(own)), from_first }
                };
                let figures = COLUMNS.iter().map(figure).collect();
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

pub fn tables(matrix: &Matrix, comparisons: &[Comparison]) -> String {
    let mut text = String::new();
    for table in comparisons.chunks(matrix.policies.len()) {
        let Some(first) = table.first() else { continue };
        let _ = writeln!(
            text,
            "{}, {} pods, {} seeds: mean +- standard deviation",
            first.workload, first.pods, matrix.seeds
        );
        let _ = write!(text, "{:<32}", "");
        COLUMNS.iter().for_each(|(_, head, _)| {
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
        }
        text.push_str("\n\n");
    }
    text.push_str(
        "Avg Diff: the mean difference of service (input + 2 output) among clients at 19 moments, per second.\n\
         gap: the largest between the clients' service per weight, from 30 s to the end of arrivals:\n\
         of clients who always want more, it is to be small; of others, it is what they asked for.\n\
         1st token: mean seconds from arrival to first token; best and worst: that of the client that has it so.\n\
         *: differs from the first policy by more than the spread of the differences, seed by seed (95 %, Student's t).\n",
    );
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
