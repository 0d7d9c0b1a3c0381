//! The runs: every policy on every workload, number of pods and seed.

use std::sync::{Arc, mpsc};

use crossbeam_queue::SegQueue;
use indicatif::{ProgressBar, ProgressStyle};
use vtc_sim::measure::{Isolation, Recorder, RunSummary, Setting};
use vtc_sim::simulator::{Policy, Profile, Setup, simulate};
use vtc_sim::workload::Workload;

use crate::victim;

/// What is run.
#[derive(Debug)]
pub struct Matrix {
    pub policies: Vec<Policy>,
    pub workloads: Vec<Workload>,
    pub pods: Vec<usize>,
    pub seeds: u64,
    /// So many times the workload's requests a second for each pod.
    pub load_per_pod: f64,
    pub profile: Profile,
    /// What a prompt token from a cache counts in the queue.
    pub cached_cost: f64,
    /// Whether each run is made once more for one client alone, to see what the others cost it.
    pub isolate: bool,
    /// Whether the runs of the first seed are kept whole.
    pub keep: bool,
}

/// A policy on a workload and a number of pods.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// What it came to, by seed.
    pub figures: Vec<Figures>,
    /// The run of the first seed, if it was to be kept.
    pub first: Option<RunSummary>,
}

/// What one run came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Tokens read and written per second of the whole run.
    pub tokens_per_s: f64,
    /// The mean difference of service over the ticks, in weighted tokens per second.
    pub avg_diff: f64,
    /// The largest gap between the clients' service per weight, in weighted tokens.
    pub gap: f64,
    /// The mean of the seconds from arrival to first token.
    pub first_token_s: f64,
    /// The same of the client that has it best, and of the one that has it worst.
    pub best_client_s: f64,
    pub worst_client_s: f64,
    /// The 99th percentile of the seconds from arrival to first token, over all requests.
    pub first_token_p99_s: f64,
    /// Jain's index over the clients' service per weight.
    pub jain: f64,
    /// The part of the requests that was refused.
    pub refused: f64,
    /// The same percentile of one client, beside the others and alone; 0 if it was not to be looked at.
    pub victim_p99_s: f64,
    pub alone_p99_s: f64,
}

// === impl Matrix ===

impl Matrix {
    /// The cells by workload, pods and policy.
    pub fn run(&self, threads: usize) -> anyhow::Result<Vec<Cell>> {
        let cells = self.workloads.len() * self.pods.len() * self.policies.len();
        let seeds = usize::try_from(self.seeds).unwrap_or(usize::MAX);
        let runs = cells * seeds;
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} runs, {elapsed}");
        let bar =
            ProgressBar::new(runs as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let cell = Cell { figures: vec![Figures::default(); seeds], first: None };
        let mut figures = vec![cell; cells];
        let (sender, receiver) = mpsc::channel();
        let todo = SegQueue::new();
        (0..runs).for_each(|run| todo.push(run));
        let result = std::thread::scope(|scope| {
            let threads = threads.clamp(1, runs.max(1));
            for _ in 0..threads {
                let (sender, todo) = (sender.clone(), &todo);
                scope.spawn(move || {
                    while let Some(run) = todo.pop() {
                        let (cell, seed) = (run / seeds, run % seeds);
                        if sender.send((cell, seed, self.one(cell, seed as u64 + 1))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            for (cell, seed, result) in &receiver {
                let (one, run) = result?;
                figures[cell].figures[seed] = one;
                if self.keep && seed == 0 {
                    figures[cell].first = Some(run);
                }
                bar.inc(1);
            }
            Ok(())
        });
        bar.finish_and_clear();
        result.map(|()| figures)
    }

    /// Which cell that is.
    pub fn cell(&self, workload: usize, pods: usize, policy: usize) -> usize {
        (workload * self.pods.len() + pods) * self.policies.len() + policy
    }

    fn one(&self, cell: usize, seed: u64) -> anyhow::Result<(Figures, RunSummary)> {
        let (rest, policy) = (cell / self.policies.len(), cell % self.policies.len());
        let (workload, pods) = (&self.workloads[rest / self.pods.len()], self.pods[rest % self.pods.len()]);
        let workload = workload.clone().at_load(self.load_per_pod * pods as f64)?.lasting(workload.duration);
        let setup = Setup::new(self.policies[policy].clone()).on(pods, self.profile.clone());
        let setup = Setup { seed, cached_cost: self.cached_cost, ..setup };
        let run = measure(&setup, &workload)?;
        let isolation = match victim::of(&workload).filter(|_| self.isolate) {
            Some(victim) => {
                let alone = measure(&setup, &workload.clone().only(|client| client == victim))?;
                Isolation::of(&workload.clients[victim as usize].name, &run, &alone)
            }
            None => None,
        };
        let means = run.clients.iter().filter_map(|client| client.first_token.mean());
        let (best, worst) =
            means.fold((f64::INFINITY, 0.0_f64), |(best, worst), mean| (best.min(mean), worst.max(mean)));
        let figures = Figures {
            tokens_per_s: run.tokens_per_s,
            avg_diff: run.avg_diff,
            gap: run.gap.max,
            first_token_s: run.first_token.mean().unwrap_or_default(),
            best_client_s: best.min(worst),
            worst_client_s: worst,
            first_token_p99_s: run.first_token.quantile(0.99).unwrap_or_default(),
            jain: run.jain,
            refused: run.refused as f64 / run.requests.max(1) as f64,
            victim_p99_s: isolation.as_ref().map_or(0.0, |of| of.first_token_p99_s),
            alone_p99_s: isolation.as_ref().map_or(0.0, |of| of.first_token_p99_alone_s),
        };
        Ok((figures, run))
    }
}

fn measure(setup: &Setup, workload: &Workload) -> anyhow::Result<RunSummary> {
    let clients = workload.clients.iter().map(|client| (Arc::clone(&client.name), client.weight));
    let memory = setup.profile.pool_tokens().saturating_mul(setup.pods as u64);
    let setting = Setting::new(workload.duration)?.for_clients(workload.clients.len());
    let setting = Setting { batch_tokens: Some(memory), ..setting };
    let mut recorder = Recorder::new(setting).with_clients(clients);
    let arrivals = workload.arrivals(setup.seed);
    simulate(setup, &workload.clients, arrivals, |outcome| recorder.add(outcome))?;
    Ok(recorder.finish())
}
