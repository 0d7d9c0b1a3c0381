//! The flags.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Parser;
use vtc_bench::trace;
use vtc_sim::simulator::{Capacity, PROFILE_NAMES, Policy, Profile, Setup};
use vtc_sim::workload::{self, Tenants, Workload};

/// Simulates requests on pods behind a policy, around the real core on scripted time.
///
/// Prints what came out, and writes what became of each request where `--csv` says. The same flags give the same digits.
#[derive(Debug, Parser)]
#[command(name = "simulate", version, after_long_help = POLICIES)]
pub struct Options {
    /// The workload; `--list` shows them.
    #[arg(long, value_name = "NAME", required_unless_present_any = ["list", "trace"])]
    workload: Option<String>,
    /// A trace instead: a file that `--csv` wrote, Azure's LLM inference trace, or Mooncake's. One that names no clients gets
    /// those of `--tenants arena`, unless others are asked for.
    #[arg(long, value_name = "FILE", conflicts_with = "workload")]
    trace: Option<PathBuf>,
    /// Draw the tenants of the trace anew for each request, by the seed: `arena`, with the shares of the Chatbot Arena's
    /// 27 clients, or `zipf:N:EXPONENT`.
    #[arg(long, value_name = "RULE", requires = "trace", value_parser = tenants)]
    tenants: Option<Tenants>,
    /// The seed that tenants are drawn by.
    #[arg(long, value_name = "N", requires = "trace", default_value_t = 1)]
    tenants_seed: u64,
    /// So many times as many requests a second; a trace is over so much sooner.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    load: f64,
    /// Move each arrival of the trace by up to so many seconds, by the seed.
    #[arg(long, value_name = "S", requires = "trace", default_value_t = 0.0)]
    jitter: f64,
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
    /// What a prompt token from a cache counts in the queue, from 0 to 1; the measures count it whole.
    #[arg(long, value_name = "F", default_value_t = 1.0)]
    cached_cost: f64,
    /// What all draws follow from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How long requests come, in seconds [default: the workload's].
    #[arg(long, value_name = "S", value_parser = seconds)]
    duration: Option<f64>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Write pictures and a page, report.html, into this folder.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
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
                       least-request or power-of-two; without it the pods ask the queue themselves
  ,pooled              all pods are one engine with the memory and the speed of all: the reference";

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if seconds > 0.0 && seconds <= 1e7 => Ok(seconds),
        _ => Err("give a number of seconds above 0 and up to 10,000,000".to_owned()),
    }
}

fn tenants(text: &str) -> Result<Tenants, String> {
    let allowed = || "give arena, or zipf:N:EXPONENT such as zipf:100:1.1".to_owned();
    let mut parts = text.split(':');
    let found = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("arena"), None, ..) => Some(Tenants::Arena),
        (Some("zipf"), Some(tenants), Some(exponent), None) => tenants
            .parse()
            .ok()
            .zip(exponent.parse().ok())
            .filter(|(tenants, exponent): &(u32, f64)| {
                (1..=10_000_000).contains(tenants) && (0.0..=10.0).contains(exponent)
            })
            .map(|(tenants, exponent)| Tenants::Zipf { tenants, exponent }),
        _ => None,
    };
    found.ok_or_else(allowed)
}

// === impl Options ===

impl Options {
    /// Who asks.
    pub fn workload(&self) -> anyhow::Result<Workload> {
        let workload = match (&self.workload, &self.trace) {
            (_, Some(path)) => self.replay(path)?,
            (Some(name), None) => workload::by_name(name)?,
            (None, None) => bail!("give --workload or --trace"),
        };
        let workload = workload.at_load(self.load)?;
        Ok(match self.duration {
            Some(duration) => workload.lasting(duration),
            None => workload,
        })
    }

    /// The trace in that file, as it was asked for.
    fn replay(&self, path: &Path) -> anyhow::Result<Workload> {
        let replay = trace::read(path)?.replay(self.tenants, self.tenants_seed)?;
        let replay = replay.with_jitter(self.jitter)?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Ok(Workload::of_trace(name, replay))
    }

    /// What is simulated.
    pub fn setup(&self) -> anyhow::Result<Setup> {
        let profile = Profile::load(&self.pod_profile).context("--pod-profile")?;
        let pods = usize::try_from(self.pods)?;
        let mut setup = Setup {
            seed: self.seed,
            cached_cost: self.cached_cost,
            ..Setup::new(self.policy.clone()).on(pods, profile)
        };
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
