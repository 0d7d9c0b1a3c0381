//! The tables of `BENCHMARKS.md`, from what criterion measured last.
//!
//! ```sh
//! cargo bench -p vtc-bench
//! cargo run -p vtc-bench --bin rows [FOLDER, by default target/criterion]
//! ```

mod estimates;
mod table;

use std::path::PathBuf;

use anyhow::Result;

use self::estimates::{Estimate, Estimates};
use self::table::{FLOOR, FLOOR_THERE, Goal, Row, TABLES};

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| "target/criterion".into(), PathBuf::from);
    let estimates = Estimates::read(&folder)?;
    for table in TABLES {
        println!("## {}\n\n```sh\n{}\n```\n", table.title, table.command);
        println!(
            "| row | figure | beside, in the same run | ratio | goal | |\n| --- | --- | --- | --- | --- | --- |"
        );
        table.rows.iter().for_each(|row| println!("{}", line(row, &estimates)));
        println!();
    }
    for (group, function) in estimates.names() {
        let is_it = |row: &Row| row.group == group && (row.function == function || row.beside == function);
        if !TABLES.iter().flat_map(|table| table.rows).any(is_it) {
            eprintln!("in no table: {group} / {function}");
        }
    }
    Ok(())
}

/// One row, as markdown.
fn line(row: &Row, estimates: &Estimates) -> String {
    let label = if row.function == "vtc-core" {
        row.group.to_owned()
    } else {
        format!("{}: {}", row.group, row.function)
    };
    let Some(figure) = estimates.get(row.group, row.function) else {
        return format!("| {label} | not measured | | | {} | |", row.goal);
    };
    let beside = estimates.get(row.group, row.beside);
    let ratio = match row.goal {
        Goal::Within(_) => beside.map(|beside| figure.over(beside)),
        Goal::Under(_) | Goal::AsFast(_) | Goal::None => beside.map(|beside| beside.over(figure)),
        // Measured elsewhere: what it would be here is scaled by the two floors.
        Goal::Go { nanos, .. } => {
            let floor = estimates.get(FLOOR.0, FLOOR.1);
            floor.map(|floor| Estimate::exactly(nanos / FLOOR_THERE).times(floor).over(figure))
        }
    };
    let beside = match (row.goal, beside) {
        (Goal::Go { nanos, .. }, _) => format!("AIBrix's Go: {} elsewhere", Estimate::exactly(nanos).nanos()),
        (_, Some(beside)) => format!("{}: {}", row.beside, beside.nanos()),
        _ => String::new(),
    };
    let shown = ratio.map(|ratio| format!("{} {}", ratio.factor(), row.goal.unit())).unwrap_or_default();
    let verdict = row.goal.verdict(figure, ratio);
    format!("| {label} | {} | {beside} | {shown} | {} | {verdict} |", figure.nanos(), row.goal)
}
