//! The flags.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Parser;
use vtc_bench::simulator::{Capacity, PROFILE_NAMES, Policy, Profile, Setup};
use vtc_bench::workload::{self, Workload};

/// Simulates requests on pods behind a policy, around the real core on scripted time.
///
/// Prints what came out, and writes what became of each request where `--csv` says. The same flags give the same digits.
#[derive(Debug, Parser)]
#[command(name = "simulate", version, after_long_help = POLICIES)]
pub struct Options {
    /// The workload; `--list` shows them.
    #[arg(long, value_name = "NAME", required_unless_present_any = ["list"], default_value_if("list", "true", "overload"))]
    workload: Option<String>,
    /// Who goes next, and where to: see below.
    #[arg(long, value_name = "ORDER[@CAP][,POD-POLICY]", default_value = "vtc-fair", verbatim_doc_comment)]
    policy: Policy,
    /// How many pods there are.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pods: u32,
    /// What they are like: `a10g`, `vllm`, or a file that ends in .toml.
    #[arg(long, value_name = "NAME|FILE", default_value = "a10g")]
    pod_profile: String,
    /// The most requests that a gateway gives one pod at a time [default: the profile's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_running: Option<u64>,
    /// The most tokens that a gateway gives one pod at a time [default: the profile's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_tokens: Option<u64>,
    /// What all draws follow from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How long requests come, in seconds [default: the workload's].
    #[arg(long, value_name = "S", value_parser = seconds)]
    duration: Option<f64>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Write one line for each request to this file.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Show the workloads.
    #[arg(long)]
    pub list: bool,
}

const POLICIES: &str = "\
Policies: ORDER[@CAP][,POD-POLICY]
  fcfs, vtc-fair, vtc-pred, vtc-max-fair, drr, lcf   a discipline of the fair queue
  vtc-pred:PREDICTOR   moving-average, moving-average-or-all, median, p90, oracle, within-50
  vtc-oracle, vtc-pred-50   predictions that are true, and true within 50 %
  rpm:N                first come first served, N requests a minute of each client
  none                 no queue: straight to a pod
  @CAP                 at most so many requests of one client run at the same time
  ,POD-POLICY          a gateway holds the queue and routes by vtc-basic, vtc-basic-shuffled, random, round-robin,
                       least-request or power-of-two; without it the pods ask the queue themselves";

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= 1e7 => Ok(seconds),
        _ => Err("give a number of seconds above 0 and up to 10,000,000".to_owned()),
    }
}

// === impl Options ===

impl Options {
    /// Who asks.
    pub fn workload(&self) -> anyhow::Result<Workload> {
        let Some(name) = &self.workload else { bail!("give --workload") };
        let workload = workload::by_name(name)?;
        Ok(match self.duration {
            Some(duration) => workload.lasting(duration),
            None => workload,
        })
    }

    /// What is simulated.
    pub fn setup(&self) -> anyhow::Result<Setup> {
        let profile = Profile::load(&self.pod_profile).context("--pod-profile")?;
        let pods = usize::try_from(self.pods)?;
        let mut setup = Setup { seed: self.seed, ..Setup::new(self.policy.clone()).on(pods, profile) };
        let Capacity { running, tokens } = setup.capacity;
        setup.capacity = Capacity {
            running: self.max_running.map_or(running, |most| usize::try_from(most).unwrap_or(usize::MAX)),
            tokens: self.max_tokens.unwrap_or(tokens),
        };
        Ok(setup)
    }

    /// The name of the profile.
    pub fn profile(&self) -> &str {
        &self.pod_profile
    }
}

/// The workloads and the profiles there are.
pub fn list() -> String {
    let mut text = String::new();
    for (name, about) in workload::all() {
        let _ = writeln!(text, "{name:<18} {about}");
    }
    let _ = writeln!(text, "\npod profiles: {}", PROFILE_NAMES.join(", "));
    text
}
