//! The flags.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Parser;
use vtc_core::queue::Weight;
use vtc_core::{ConfigError, TokenWeights};
use vtc_sim::measure::Setting;

/// How fair a run was: prints the measures of a file that says what became of each request.
#[derive(Debug, Parser)]
#[command(name = "fairness", version, after_long_help = FORMULA)]
pub struct Options {
    /// A CSV file with the columns arrival_s, client, input_tokens, output_tokens, first_token_s and latency_s. The last
    /// two count from the arrival, and are -1 where the request was refused.
    pub file: PathBuf,
    /// T: how long requests come, in seconds; above the warm-up.
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    duration: f64,
    /// How long a window is, in seconds.
    #[arg(long, value_name = "S", default_value_t = 60.0, allow_negative_numbers = true)]
    window: f64,
    /// What at the beginning is left out of the gap and of Jain's index, in seconds.
    #[arg(long, value_name = "S", default_value_t = 30.0, allow_negative_numbers = true)]
    warm_up: f64,
    /// w_p: what an input token weighs.
    #[arg(long, value_name = "W", default_value_t = 1.0, allow_negative_numbers = true)]
    input_weight: f64,
    /// w_q: what an output token weighs.
    #[arg(long, value_name = "W", default_value_t = 2.0, allow_negative_numbers = true)]
    output_weight: f64,
    /// The weight of a client, 1 if it is not given; once for each that has one.
    #[arg(long, value_name = "CLIENT=W", value_parser = weight)]
    weight: Vec<(String, Weight)>,
    /// M: the tokens that all pods together hold; with it the gap is given beside its bound 2U.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    batch_tokens: Option<u64>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Write pictures and a page, report.html, into this folder too.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
}

const FORMULA: &str = "\
Formula (weighted tokens: w_p * input + w_q * output):
  A served request's weighted tokens are spread evenly from its first token to its end.
  Ticks x_k = k (T - warm-up) / 20, k = 1 ... 19; the window of a tick is [x_k, x_k + window).
  y_i = what client i was served in the window, in weighted tokens per second
  r_i = what its requests that came in the window ask for, each as a whole when it came, without those that were
        refused, in weighted tokens per second
  diff(x_k) = sum over i of min(m - y_i, |r_i - y_i|), m being the largest y; in weighted tokens per second

  Max Diff, Avg Diff      over the 19 ticks, in weighted tokens per second
  Diff Var                their population variance, in (weighted tokens per second)^2
  Avg while arriving      Avg Diff over the ticks that are not after the last arrival
  throughput              input and output tokens of all served, per second of the run's length
  length                  seconds until the last request came or ended
  accumulated gap         the largest, at each second after the warm-up up to T, of max - min over clients of the
                          weighted tokens served since the warm-up, divided by the client's weight
  2U                      2 (w_q M + max(0, w_p - w_q) L) / least weight, L being the most input of a request: what
                          two clients who always wait differ by at most under VTC
  Jain's index            (sum x)^2 / (n * sum x^2), x being what a client was served from the warm-up to T, divided
                          by its weight
  p50, p90, p99           nearest rank, of seconds from arrival to first token and to the end

JSON keys: max_diff, avg_diff, diff_var, avg_diff_while_arriving, tokens_per_s, length_s, accumulated_gap, gap_bound,
jain_index, requests, served, refused, first_token_s, latency_s, ticks, clients and the settings.";

fn weight(text: &str) -> Result<(String, Weight), String> {
    let allowed = || "give the client's name, = and a number from 0.001 to 1000, like 3=2.5".to_owned();
    let (name, weight) = text.rsplit_once('=').ok_or_else(allowed)?;
    let weight = weight.parse().ok().and_then(|weight| Weight::new(weight).ok());
    Ok((name.to_owned(), weight.ok_or_else(allowed)?))
}

// === impl Options ===

impl Options {
    /// What is measured with.
    pub fn setting(&self) -> Result<Setting, ConfigError> {
        let weights = TokenWeights { input: self.input_weight, output: self.output_weight };
        let setting = Setting {
            duration: self.duration,
            warm_up: self.warm_up,
            window: self.window,
            weights,
            bin: f64::max(1.0, self.duration / 1e6),
            batch_tokens: self.batch_tokens,
        };
        setting.validated()
    }

    /// The clients of the file with their weights.
    pub fn weighted(&self, clients: &[Arc<str>]) -> anyhow::Result<Vec<(Arc<str>, Weight)>> {
        if let Some((name, _)) = self.weight.iter().find(|(name, _)| !clients.iter().any(|it| **it == **name))
        {
            bail!("--weight: {} has no client {name:?}", self.file.display());
        }
        let weight = |client: &Arc<str>| self.weight.iter().rev().find(|(name, _)| **name == **client);
        let weighted = |client: &Arc<str>| {
            (Arc::clone(client), weight(client).map_or(Weight::ONE, |(_, weight)| *weight))
        };
        Ok(clients.iter().map(weighted).collect())
    }
}
