//! One run of the simulator: a workload or a trace, a policy, pods.
//!
//! ```sh
//! cargo run --release -p vtc-bench --bin simulate -- --workload overload --policy vtc-fair
//! cargo run --release -p vtc-bench --bin simulate -- --workload zipf --policy vtc-pred:median,least-request --pods 4 --json
//! cargo run --release -p vtc-bench --bin simulate -- --trace vtc_arena_fcfs.csv --duration 600 --policy fcfs --csv fcfs.csv
//! ```
//!
//! What is simulated and how: the documentation of `vtc_sim::simulator`.

mod figures;
mod options;

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use vtc_bench::report::Report;
use vtc_bench::trace;
use vtc_sim::measure::{Recorder, Setting};
use vtc_sim::simulator::simulate;

use self::figures::Figures;
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
    let memory = setup.profile.pool_tokens().saturating_mul(setup.pods as u64);
    let setting = Setting::new(workload.duration)?.for_clients(workload.clients.len());
    let setting = Setting { batch_tokens: Some(memory), ..setting };
    let clients = workload.clients.iter().map(|client| (Arc::clone(&client.name), client.weight));
    let mut recorder = Recorder::new(setting).with_clients(clients);
    // Only a file needs them all, in the order of their arrival.
    let mut outcomes = Vec::new();
    let mut ended = 0_u64;
    let summary = simulate(&setup, &workload.clients, workload.arrivals(options.seed), |outcome| {
        recorder.add(outcome);
        if options.csv.is_some() {
            outcomes.push(*outcome);
        }
        ended += 1;
        if ended.is_multiple_of(1024) {
            bar.set_position(outcome.arrival as u64);
        }
    })?;
    bar.finish_and_clear();
    if let Some(path) = &options.csv {
        outcomes.sort_by(|a, b| a.arrival.total_cmp(&b.arrival).then(a.client.cmp(&b.client)));
        let names: Vec<_> = workload.clients.iter().map(|client| &*client.name).collect();
        let file = File::create(path).map(BufWriter::new);
        let written = file.and_then(|file| trace::write(file, &names, &outcomes));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    let figures = Figures::new(&options, &workload, &setup, &summary, recorder.finish());
    if let Some(folder) = &options.report {
        let title = format!("{}, {} pods", workload.name, setup.pods);
        let command: Vec<_> = std::env::args().collect();
        let report = Report::new(title)
            .with_note(command.join(" "))
            .with_run(setup.policy.to_string(), figures.measures());
        report.write(folder).with_context(|| format!("cannot write into {}", folder.display()))?;
    }
    let text = match options.json {
        true => serde_json::to_string_pretty(&figures)? + "\n",
        false => figures.to_string(),
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
