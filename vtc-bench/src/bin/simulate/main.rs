//! One run of the simulator: a workload or a trace, a policy, pods.
//!
//! ```sh
//! cargo run --release -p vtc-bench --bin simulate -- --workload overload --policy vtc-fair
//! cargo run --release -p vtc-bench --bin simulate -- --workload zipf --policy vtc-pred:median,least-request --pods 4 --json
//! cargo run --release -p vtc-bench --bin simulate -- --trace vtc_arena_fcfs.csv --duration 600 --policy fcfs --csv fcfs.csv
//! ```
//!
//! What is simulated and how: the documentation of `vtc_bench::simulator`.

mod options;
mod outcomes;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use vtc_bench::simulator::simulate;

use self::options::Options;

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    if options.list {
        print(&options::list())?;
        return Ok(ExitCode::SUCCESS);
    }
    let (workload, setup) = (options.workload()?, options.setup()?);
    let bar = ProgressBar::new(workload.duration.ceil() as u64).with_style(
        ProgressStyle::with_template("{bar:40} {pos} of {len} simulated seconds, {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut outcomes = Vec::new();
    let summary = simulate(&setup, &workload.clients, workload.arrivals(options.seed), |outcome| {
        outcomes.push(*outcome);
        if outcomes.len().is_multiple_of(1024) {
            bar.set_position(outcome.arrival as u64);
        }
    })?;
    bar.finish_and_clear();
    outcomes.sort_by(|a, b| a.arrival.total_cmp(&b.arrival).then(a.client.cmp(&b.client)));
    if let Some(path) = &options.csv {
        outcomes::write_csv(path, &outcomes)?;
    }
    let figures = outcomes::figures(&options, &workload, &setup, &summary, &outcomes);
    let text = match options.json {
        true => serde_json::to_string_pretty(&figures)? + "\n",
        false => outcomes::table(&figures),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints; whoever reads only the beginning, as `head` does, is no failure.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
