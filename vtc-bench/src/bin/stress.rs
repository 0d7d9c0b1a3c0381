//! Random operations on the core from many threads, then the laws that must hold: exit code 1 if one does not.
//!
//! ```sh
//! cargo run --release -p vtc-bench --bin stress -- --threads 4 --users 1000 --seconds 10 --skew zipf:1.1
//! cargo run --release -p vtc-bench --bin stress -- --users 200 --max-users 50 --staleness 0s   # a cap, exact extremes
//! cargo run --release -p vtc-bench --bin stress -- --clock coarse                              # real time
//! ```
//!
//! What is done, which laws are checked and when they are exact: the documentation of `vtc_bench::stress`.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use vtc_bench::stress::{self, Options};

/// Random operations on the tracker and router from many threads, then the laws that must hold: exit code 1 if one
/// does not.
#[derive(Debug, Parser)]
#[command(name = "stress", version, about)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Cli::parse().options;
    let report = match stress::run(&options) {
        Ok(report) => report,
        // The core's own words for a flag, with clap's exit code.
        Err(error) => Cli::command().error(ErrorKind::ValueValidation, error).exit(),
    };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
