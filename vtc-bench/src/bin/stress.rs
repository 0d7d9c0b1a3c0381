//! Random operations on the core from many threads, then the laws that must hold: exit code 1 if one does not.
//!
//! ```sh
//! cargo run --release -p vtc-bench --bin stress -- --threads 4 --users 1000 --seconds 10 --skew zipf:1.1
//! cargo run --release -p vtc-bench --bin stress -- --threads 4 --users 200 --max-users 50             # a cap
//! cargo run --release -p vtc-bench --bin stress -- --users 20 --staleness 0s                          # exact extremes
//! cargo run --release -p vtc-bench --bin stress -- --threads 16 --users 3 --window 1ms                # rings of two buckets
//! cargo run --release -p vtc-bench --bin stress -- --clock coarse                                     # real time
//! ```
//!
//! Under AddressSanitizer, which also finds leaks (the variable lets the stable compiler have what is unstable):
//!
//! ```sh
//! RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=target/asan \
//!     cargo run --release --target x86_64-unknown-linux-gnu -p vtc-bench --bin stress -- --threads 4 --seconds 10
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
