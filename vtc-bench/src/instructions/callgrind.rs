//! This program under callgrind.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::ValueEnum;

use super::row::Row;

/// How often a row is done, and twice that.
const TIMES: u64 = 20_000;

/// How many instructions the row's operation takes: `program`, which must be this crate's `instructions`, is run under
/// valgrind twice.
///
/// # Errors
/// There is no valgrind, or it failed.
pub fn measure(program: &Path, row: Row) -> anyhow::Result<f64> {
    let (once, twice) = (instructions(program, row, TIMES)?, instructions(program, row, 2 * TIMES)?);
    Ok(twice.saturating_sub(once) as f64 / TIMES as f64)
}

fn instructions(program: &Path, row: Row, times: u64) -> anyhow::Result<u64> {
    let folder = tempfile::tempdir().context("no folder for callgrind's output")?;
    let out = folder.path().join("callgrind.out");
    let name = row.to_possible_value().context("each row has a name")?;
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--error-exitcode=2"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(["run", name.get_name(), &times.to_string()])
        .stdin(Stdio::null())
        .output();
    let run = match run {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("there is no valgrind on this machine; install the package `valgrind`")
        }
        run => run.context("valgrind does not run")?,
    };
    if !run.status.success() {
        bail!("valgrind ended with {}:\n{}", run.status, String::from_utf8_lossy(&run.stderr));
    }
    let report = fs::read_to_string(&out).context("callgrind wrote no report")?;
    total(&report).context("callgrind's report has no total")
}

/// The line `totals: 12345`, or `summary:` in older ones.
fn total(report: &str) -> Option<u64> {
    let of = |title: &str| report.lines().find_map(|line| line.strip_prefix(title)?.trim().parse().ok());
    of("totals:").or_else(|| of("summary:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_found() {
        assert_eq!(total("version: 1\nevents: Ir\nfn=(1) main\n1 5\ntotals: 12345\n"), Some(12_345));
        assert_eq!(total("summary: 77\n"), Some(77));
        assert_eq!(total("events: Ir\n"), None);
    }
}
