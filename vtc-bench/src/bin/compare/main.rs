//! Many runs of the simulator: policies, workloads, numbers of pods, seeds; on all cores.
//!
//! ```sh
//! cargo run --release -p vtc-bench --bin compare -- --policies fcfs,vtc-fair,vtc-pred --workloads overload,zipf --seeds 10
//! cargo run --release -p vtc-bench --bin compare -- --policies 'none,random vtc-fair vtc-fair,least-request' --pods 1,4
//! ```
//!
//! A cell is the mean over the seeds and, behind it, their standard deviation. A policy is compared with the first one
//! on the same seeds, which have the same arrivals: what is judged is the difference of each pair. It *exceeds the
//! spread* if its mean is more than `t` standard errors from 0, `t` being that of Student for 95 % and one less than the
//! seeds: then less than one in twenty comparisons of equals would say so. With many comparisons some of those will be
//! among them.

mod matrix;
mod report;
mod spread;
mod victim;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Parser;
use vtc_bench::report::Report;
use vtc_bench::trace;
use vtc_sim::simulator::{Policy, Profile};
use vtc_sim::workload::{self, Workload};

use self::matrix::{Cell, Matrix};

/// Compares policies over workloads, numbers of pods and seeds, on all cores, and says which differences from the first
/// policy exceed the seeds' spread.
#[derive(Debug, Parser)]
#[command(name = "compare", version)]
struct Options {
    /// Policies, separated by spaces, or by commas where none has a pod policy; the others are compared with the first.
    #[arg(long, value_name = "LIST", default_value = "fcfs vtc-fair vtc-pred vtc-pred-50 vtc-oracle drr")]
    policies: String,
    /// Workloads, separated by commas; see `simulate --list`.
    #[arg(long, value_name = "LIST", default_value = "overload", value_delimiter = ',')]
    workloads: Vec<String>,
    /// A trace instead; one that names no clients gets the arena's.
    #[arg(long, value_name = "FILE", conflicts_with = "workloads")]
    trace: Option<PathBuf>,
    /// Move each arrival of the trace by up to so many seconds, by the seed.
    #[arg(long, value_name = "S", requires = "trace", default_value_t = 0.05)]
    jitter: f64,
    /// Numbers of pods, separated by commas.
    #[arg(long, value_name = "LIST", default_value = "1", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pods: Vec<u32>,
    /// Seeds: 1 to this; at least 2, or there is no spread.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..=10_000))]
    seeds: u64,
    /// What the pods are like: `a10g`, `vllm`, or a file that ends in .toml.
    #[arg(long, value_name = "NAME|FILE", default_value = "a10g")]
    pod_profile: String,
    /// How long requests come, in seconds [default: each workload's].
    #[arg(long, value_name = "S")]
    duration: Option<f64>,
    /// So many times as many requests a second, for each pod: 4 pods get four times as many.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    load_per_pod: f64,
    /// What a prompt token from a cache counts in the queue, from 0 to 1; the measures count it whole.
    #[arg(long, value_name = "F", default_value_t = 1.0)]
    cached_cost: f64,
    /// The columns of the tables, separated by commas: tokens_per_s, avg_diff, gap, first_token_s, best_client_s,
    /// worst_client_s, first_token_p99_s, jain_index, refused; with victim_p99_s and alone_p99_s each run is made once more
    /// for the client that asks for least.
    #[arg(long, value_name = "LIST", default_value = report::DEFAULT_COLUMNS, value_delimiter = ',', value_parser = report::column)]
    columns: Vec<String>,
    /// Write pictures and a page of the first seed's runs, for each workload and number of pods a folder in this one.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Threads [default: as many as there are cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: Option<u32>,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let matrix = Matrix {
        policies: policies(&options.policies)?,
        workloads: options.workloads()?,
        pods: options.pods.iter().map(|pods| *pods as usize).collect(),
        seeds: options.seeds,
        load_per_pod: options.load_per_pod,
        profile: Profile::load(&options.pod_profile).context("--pod-profile")?,
        cached_cost: options.cached_cost,
        isolate: report::isolates(&options.columns),
        keep: options.report.is_some(),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cells = matrix.run(options.threads.map_or(cores, |threads| threads as usize))?;
    if let Some(folder) = &options.report {
        draw(&matrix, &cells, folder)?;
    }
    let comparisons = report::comparisons(&matrix, &cells, &options.columns);
    let text = match options.json {
        true => serde_json::to_string_pretty(&comparisons)? + "\n",
        false => report::tables(&matrix, &comparisons, &options.columns),
    };
    if !options.json {
        eprint!("{}\n\n", report::legend(&options.columns).trim_end());
    }
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads only the beginning is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// The pictures and the page of each workload and number of pods.
fn draw(matrix: &Matrix, cells: &[Cell], folder: &Path) -> anyhow::Result<()> {
    let command: Vec<_> = std::env::args().skip(1).collect();
    for (w, workload) in matrix.workloads.iter().enumerate() {
        for (p, pods) in matrix.pods.iter().enumerate() {
            let title = format!("{}, {pods} {}", workload.name, if *pods == 1 { "pod" } else { "pods" });
            let mut report = Report::new(title).with_note(format!("compare {}; seed 1", command.join(" ")));
            for (policy, named) in matrix.policies.iter().enumerate() {
                if let Some(run) = &cells[matrix.cell(w, p, policy)].first {
                    report = report.with_run(named.to_string(), run);
                }
            }
            let into = folder.join(format!("{}-{pods}", workload.name));
            report.write(&into).with_context(|| format!("cannot write into {}", into.display()))?;
        }
    }
    Ok(())
}

/// By spaces if there are any: a policy may have a comma in it.
fn policies(list: &str) -> anyhow::Result<Vec<Policy>> {
    let names: Vec<_> = match list.contains(' ') {
        true => list.split_whitespace().collect(),
        false if list.parse::<Policy>().is_ok() => vec![list],
        false => list.split(',').collect(),
    };
    Ok(names.into_iter().map(str::parse).collect::<Result<_, _>>()?)
}

// === impl Options ===

impl Options {
    fn workloads(&self) -> anyhow::Result<Vec<Workload>> {
        let workloads = match &self.trace {
            Some(path) => {
                let name =
                    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
                let replay = trace::read(path)?.replay(None, 1)?.with_jitter(self.jitter)?;
                vec![Workload::of_trace(name, replay)]
            }
            None => self.workloads.iter().map(|name| workload::by_name(name)).collect::<Result<_, _>>()?,
        };
        let lasting = |workload: Workload| match self.duration {
            Some(duration) => workload.lasting(duration),
            None => workload,
        };
        Ok(workloads.into_iter().map(lasting).collect())
    }
}
