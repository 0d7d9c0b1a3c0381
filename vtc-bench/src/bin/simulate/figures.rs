//! What came out: the measures of the run, and what the pods did.

use std::fmt;

use serde::Serialize;
use vtc_sim::measure::RunSummary;
use vtc_sim::simulator::{Setup, Summary};
use vtc_sim::workload::Workload;

use crate::options::Options;

/// What is printed.
#[derive(Debug, Serialize)]
pub struct Figures {
    workload: String,
    policy: String,
    pods: usize,
    pod_profile: String,
    seed: u64,
    #[serde(flatten)]
    measures: RunSummary,
    /// The most requests that waited in the queue at a time.
    most_waiting: usize,
    steps: u64,
    preemptions: u64,
    cached_tokens: u64,
    /// The most tokens that one pod held at a time.
    most_held_tokens: u64,
    /// The part of the time, over all pods, in which they worked.
    busy: f64,
}

// === impl Figures ===

impl Figures {
    pub fn new(
        options: &Options,
        workload: &Workload,
        setup: &Setup,
        summary: &Summary,
        measures: RunSummary,
    ) -> Self {
        Self {
            workload: workload.name.clone(),
            policy: setup.policy.to_string(),
            pods: setup.pods,
            pod_profile: options.profile().to_owned(),
            seed: options.seed,
            measures,
            most_waiting: summary.most_waiting,
            steps: summary.pods.steps,
            preemptions: summary.pods.preemptions,
            cached_tokens: summary.pods.cached,
            most_held_tokens: summary.pods.most_held,
            busy: summary.pods.busy as f64 / 1e9 / (summary.end * setup.pods as f64).max(f64::MIN_POSITIVE),
        }
    }
}

impl Figures {
    /// The measures alone.
    pub const fn measures(&self) -> &RunSummary {
        &self.measures
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, policy, pods, pod_profile, seed, .. } = self;
        writeln!(f, "{workload}, {policy}, {pods} x {pod_profile}, seed {seed}\n")?;
        writeln!(f, "pods at work  {:>12.1} %, {} steps", 100.0 * self.busy, self.steps)?;
        writeln!(f, "most waiting  {:>12} requests", self.most_waiting)?;
        writeln!(f, "most held     {:>12} tokens by one pod", self.most_held_tokens)?;
        writeln!(f, "put off       {:>12} times", self.preemptions)?;
        writeln!(f, "from a cache  {:>12} prompt tokens", self.cached_tokens)?;
        write!(f, "{}", self.measures)
    }
}
