//! Instructions per operation of the hot path, held against the baseline in `vtc-bench/instructions.toml`.
//!
//! ```sh
//! cargo run --profile quick -p vtc-bench --bin instructions -- check   # exit code 1 if a count rose by more than 10 %
//! cargo run --profile quick -p vtc-bench --bin instructions -- renew   # after a change that is meant
//! ```
//!
//! Needs valgrind. How it counts, and what a count does not say: the documentation of `vtc_bench::instructions`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use vtc_bench::instructions::{Baseline, Comparison, Row, measure};

/// Counts the instructions of the hot path under callgrind.
#[derive(Debug, Parser)]
#[command(name = "instructions", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare with the baseline: exit code 1 if a count rose by more than 10 %.
    Check,
    /// Write the baseline anew.
    Renew,
    /// Do one operation so many times: what runs under callgrind.
    #[command(hide = true)]
    Run {
        /// Which one.
        row: Row,
        /// How often.
        times: u64,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Check => check(),
        Command::Renew => renew(),
        Command::Run { row, times } => row.run(times).map(|()| ExitCode::SUCCESS),
    }
}

fn check() -> anyhow::Result<ExitCode> {
    let (program, baseline) = (env::current_exe()?, Baseline::read(&path())?);
    println!("{}", Comparison::titles());
    let mut is_regression = false;
    for row in Row::ALL {
        let comparison =
            baseline.compare(row, measure(&program, row)?).context("a row without a baseline")?;
        println!("{comparison}");
        is_regression |= comparison.is_regression();
    }
    Ok(if is_regression { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn renew() -> anyhow::Result<ExitCode> {
    let program = env::current_exe()?;
    let counts = Row::ALL.into_iter().map(|row| Ok((row, measure(&program, row)?)));
    let baseline = Baseline::new(counts.collect::<anyhow::Result<_>>()?);
    baseline.write(&path())?;
    print!("{baseline}");
    Ok(ExitCode::SUCCESS)
}

/// In the repository, wherever this is called from.
fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.toml")
}
