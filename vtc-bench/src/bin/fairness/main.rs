//! How fair a run was: the measures of a file that says what became of each request.
//!
//! ```sh
//! cargo run --release -p vtc-bench --bin fairness -- vtc_arena_fcfs.csv --duration 600
//! cargo run --release -p vtc-bench --bin fairness -- run.csv --duration 360 --batch-tokens 10000 --json
//! ```
//!
//! The columns, the formula and its units: `--help`, and the documentation of `vtc_sim::measure`.

mod options;

use std::io::{ErrorKind as IoErrorKind, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use vtc_bench::report::Report;
use vtc_bench::trace::{self, Trace};
use vtc_sim::measure::Recorder;

use self::options::Options;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let setting = match options.setting() {
        Ok(setting) => setting,
        Err(error) => Options::command().error(ErrorKind::ValueValidation, error).exit(),
    };
    let Trace { clients, outcomes, .. } = trace::read(&options.file)?;
    let outcomes = outcomes.with_context(|| {
        let file = options.file.display();
        format!("{file}: says which requests came, not what became of them; give the result of a run")
    })?;
    let mut recorder = Recorder::new(setting).with_clients(options.weighted(&clients)?);
    outcomes.iter().for_each(|outcome| recorder.add(outcome));
    let run = recorder.finish();
    if let Some(folder) = &options.report {
        let name = options.file.file_stem().unwrap_or_default().to_string_lossy();
        let report = Report::new("How fair a run was").with_run(name, &run);
        report.write(folder).with_context(|| format!("cannot write into {}", folder.display()))?;
    }
    let text = if options.json { serde_json::to_string_pretty(&run)? + "\n" } else { run.to_string() };
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == IoErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
