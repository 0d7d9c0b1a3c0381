//! How fair a run was, from the file that tells what became of its requests.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::ensure;
use clap::Parser;
use vtc_bench::measure::Measure;
use vtc_bench::trace::{HEADER, Trace};
use vtc_bench::workload::Client;

/// Says how fair a run was and how well it served.
///
/// FILE is a CSV file with the columns arrival_s, client, input_tokens, output_tokens, first_token_s and latency_s. Times are
/// in seconds; the last two count from the arrival and are -1 where the request was refused.
///
/// A request's service, input + 2 * output tokens, is spread evenly from its first token to its last. At 19 ticks x =
/// k (T - 30) / 20 the window is [x, x + 60 s); y is a client's service in it per second, r that of the requests which
/// it sent in it (refused ones left out), m the largest y. The difference is the sum over clients of min(m - y, |r - y|);
/// Max, Avg and Var are over the ticks. Throughput is the tokens served divided by the time to the last of them.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// The file.
    file: PathBuf,
    /// T: for how long requests were sent, in seconds; more than 30.
    #[arg(long, value_name = "S")]
    duration: f64,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let Arguments { file, duration, json } = Arguments::parse();
    ensure!(duration > 30.0 && duration.is_finite(), "--duration is {duration} s: give a number above 30");
    let trace = Trace::read(&file)?;
    ensure!(
        trace.outcomes.len() == trace.requests.len(),
        "{} does not tell what became of its requests: give a file whose first line is {HEADER}",
        file.display()
    );
    let mut measure = Measure::new(duration);
    trace.outcomes.iter().for_each(|outcome| measure.add(outcome));
    let clients: Vec<_> = trace.clients.into_iter().map(Client::new).collect();
    let summary = measure.finish(&clients);
    let text = if json { serde_json::to_string_pretty(&summary)? + "\n" } else { summary.to_string() };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads only the beginning, as `head` does, has what it wants.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
