//! What came out, as figures and as a file.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use vtc_bench::request::{Outcome, Request};
use vtc_bench::simulator::{Setup, Summary};
use vtc_bench::workload::{Client, Replay, Workload};
use vtc_core::queue::Weight;

use crate::options::Options;

/// What is printed.
#[derive(Debug, Serialize)]
pub struct Figures {
    workload: String,
    policy: String,
    pods: usize,
    pod_profile: String,
    seed: u64,
    duration_s: f64,
    end_s: f64,
    requests: u64,
    refused: u64,
    tokens_per_s: f64,
    most_waiting: usize,
    steps: u64,
    preemptions: u64,
    cached_tokens: u64,
    most_held_tokens: u64,
    /// The part of the time, over all pods, in which they worked.
    busy: f64,
    clients: Vec<ClientFigures>,
}

/// What is printed of one client. Times are seconds from a request's arrival to its first token.
#[derive(Debug, Serialize)]
struct ClientFigures {
    client: String,
    weight: f64,
    served: usize,
    refused: usize,
    /// Input and twice the output of what was served.
    service: u64,
    first_token_mean_s: f64,
    first_token_p50_s: f64,
    first_token_p99_s: f64,
}

/// A number of a client that is larger is taken for a mistake.
const MOST_CLIENTS: u32 = 10_000_000;
/// So many clients are printed; the JSON has all.
const SHOWN: usize = 30;

pub fn figures(
    options: &Options,
    workload: &Workload,
    setup: &Setup,
    summary: &Summary,
    outcomes: &[Outcome],
) -> Figures {
    let served = outcomes.iter().filter(|outcome| outcome.served.is_some());
    let tokens: u64 = served.map(|outcome| outcome.input + outcome.output).sum();
    let mut of = vec![Vec::new(); workload.clients.len()];
    for outcome in outcomes {
        if let Some(of) = of.get_mut(outcome.client as usize) {
            of.push(*outcome);
        }
    }
    let clients = workload.clients.iter().zip(&of).map(|(client, outcomes)| {
        let mut waits: Vec<_> = outcomes
            .iter()
            .filter_map(|outcome| outcome.served.map(|served| served.first_token - outcome.arrival))
            .collect();
        waits.sort_by(f64::total_cmp);
        let service = |outcome: &Outcome| outcome.served.map_or(0, |_| outcome.input + 2 * outcome.output);
        ClientFigures {
            client: client.name.to_string(),
            weight: client.weight.as_f64(),
            served: waits.len(),
            refused: outcomes.len() - waits.len(),
            service: outcomes.iter().map(service).sum(),
            first_token_mean_s: waits.iter().sum::<f64>() / waits.len().max(1) as f64,
            first_token_p50_s: percentile(&waits, 0.5),
            first_token_p99_s: percentile(&waits, 0.99),
        }
    });
    Figures {
        workload: workload.name.clone(),
        policy: setup.policy.to_string(),
        pods: setup.pods,
        pod_profile: options.profile().to_owned(),
        seed: options.seed,
        duration_s: workload.duration,
        end_s: summary.end,
        requests: summary.requests,
        refused: summary.refused,
        tokens_per_s: tokens as f64 / summary.end.max(f64::MIN_POSITIVE),
        most_waiting: summary.most_waiting,
        steps: summary.pods.steps,
        preemptions: summary.pods.preemptions,
        cached_tokens: summary.pods.cached,
        most_held_tokens: summary.pods.most_held,
        busy: summary.pods.busy as f64 / 1e9 / (summary.end * setup.pods as f64).max(f64::MIN_POSITIVE),
        clients: clients.collect(),
    }
}

/// The least of the sorted numbers that the fraction does not pass.
fn percentile(sorted: &[f64], fraction: f64) -> f64 {
    let rank = (fraction * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or_default()
}

pub fn table(figures: &Figures) -> String {
    let Figures { workload, policy, pods, pod_profile, seed, .. } = figures;
    let mut text = String::new();
    let _ = writeln!(text, "{workload}, {policy}, {pods} x {pod_profile}, seed {seed}");
    for (name, value) in [
        (
            "requests",
            format!("{} in {:.0} s, {} refused", figures.requests, figures.duration_s, figures.refused),
        ),
        ("all done after", format!("{:.1} s", figures.end_s)),
        ("throughput", format!("{:.1} tokens/s, input and output", figures.tokens_per_s)),
        ("pods at work", format!("{:.1} %, {} steps", 100.0 * figures.busy, figures.steps)),
        ("most waiting", format!("{} requests", figures.most_waiting)),
        ("most held", format!("{} tokens by one pod", figures.most_held_tokens)),
        (
            "put off",
            format!("{} times; {} prompt tokens from a cache", figures.preemptions, figures.cached_tokens),
        ),
    ] {
        let _ = writeln!(text, "  {name:<16}{value}");
    }
    let _ = writeln!(
        text,
        "\n{:<14}{:>7}{:>9}{:>9}{:>12}{:>14}{:>9}{:>9}",
        "client", "weight", "served", "refused", "service", "1st token (s)", "p50", "p99"
    );
    for of in figures.clients.iter().take(SHOWN) {
        let _ = writeln!(
            text,
            "{:<14}{:>7}{:>9}{:>9}{:>12}{:>14.2}{:>9.2}{:>9.2}",
            of.client,
            of.weight,
            of.served,
            of.refused,
            of.service,
            of.first_token_mean_s,
            of.first_token_p50_s,
            of.first_token_p99_s
        );
    }
    if figures.clients.len() > SHOWN {
        let _ = writeln!(text, "... and {} more: --json has them", figures.clients.len() - SHOWN);
    }
    text
}

/// Reads the requests of a file with the columns that [`write_csv`] writes: when they came, whose they are, how long.
pub fn read_trace(path: &Path) -> anyhow::Result<Replay> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut requests = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let request = request(line);
        let wrong = || format!("{}, line {}: {line:?} is no request", path.display(), number + 1);
        requests.push(request.with_context(wrong)?);
    }
    let clients = requests.iter().map(|request| request.client + 1).max().unwrap_or_default();
    let client = |number: u32| Client { name: number.to_string().into(), weight: Weight::ONE };
    Ok(Replay::new(requests, (0..clients).map(client).collect())?)
}

fn request(line: &str) -> Option<Request> {
    let mut fields = line.trim().split(',');
    let arrival = fields.next()?.parse().ok().filter(|arrival| (0.0..1e9).contains(arrival))?;
    let client = fields.next()?.parse().ok().filter(|client| *client < MOST_CLIENTS)?;
    let (input, output) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Request { arrival, client, input, output, blocks: None })
}

/// One line for each request: `first_token_s` and `latency_s` from its arrival, -1 if it was refused.
pub fn write_csv(path: &Path, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "arrival_s,client,input_tokens,output_tokens,first_token_s,latency_s")?;
        for Outcome { arrival, client, input, output, served } in outcomes {
            let since = |moment: f64| moment - arrival;
            let (first, end) = served.map_or((-1.0, -1.0), |of| (since(of.first_token), since(of.end)));
            writeln!(file, "{arrival:.6},{client},{input},{output},{first:.6},{end:.6}")?;
        }
        file.flush()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
