//! Results of runs, as the artifact of the Virtual Token Counter has them.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use super::error::{Problem, TraceError};
use super::rows::{Row, for_each};
use super::{Format, Names, Trace};
use vtc_sim::request::{Outcome, Request, Served};

pub const COLUMNS: [&str; 6] =
    ["arrival_s", "client", "input_tokens", "output_tokens", "first_token_s", "latency_s"];

pub fn parse(path: &Path, source: impl Read) -> Result<Trace, TraceError> {
    let mut names = Names::<Arc<str>>::new();
    let mut outcomes = Vec::new();
    for_each(path, source, COLUMNS, |row| {
        outcomes.push(outcome(row, &mut names)?);
        Ok(())
    })?;

    let mut clients: Vec<_> = names.numbers.into_iter().collect();
    clients.sort_by_cached_key(|(name, _)| (name.parse::<u64>().unwrap_or(u64::MAX), Arc::clone(name)));
    let mut numbers = vec![0; clients.len()];
    for (number, (_, as_they_came)) in (0..).zip(&clients) {
        numbers[*as_they_came as usize] = number;
    }
    for outcome in &mut outcomes {
        outcome.client = numbers[outcome.client as usize];
    }
    outcomes.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
    Ok(Trace {
        format: Format::Arena,
        clients: clients.into_iter().map(|(name, _)| name).collect(),
        requests: outcomes.iter().map(request).collect(),
        outcomes: Some(outcomes),
    })
}

/// Writes a run in that format, with its header. A client without a name is called by its number.
///
/// # Errors
/// What the writer says.
pub fn write<'a>(
    mut out: impl Write,
    clients: &[&str],
    outcomes: impl IntoIterator<Item = &'a Outcome>,
) -> io::Result<()> {
    writeln!(out, "{}", COLUMNS.join(","))?;
    for Outcome { arrival, client, input, output, served } in outcomes {
        match clients.get(*client as usize) {
            Some(name) => write!(out, "{arrival:.6},{name},{input},{output},")?,
            None => write!(out, "{arrival:.6},{client},{input},{output},")?,
        }
        match served {
            Some(served) => writeln!(out, "{:.6},{:.6}", served.first_token - arrival, served.end - arrival)?,
            None => writeln!(out, "-1,-1")?,
        }
    }
    out.flush()
}

fn request(of: &Outcome) -> Request {
    let &Outcome { arrival, client, input, output, .. } = of;
    Request { arrival, client, input, output, guess: None, blocks: None }
}

fn outcome(row: &Row<'_, 6>, names: &mut Names<Arc<str>>) -> Result<Outcome, Problem> {
    let [arrival, client, input, output, first_token, latency] = &row.fields;
    let came = arrival.seconds()?;
    let name = client.text.trim();
    if name.is_empty() {
        return Err(client.problem("the client's number or name"));
    }
    let served = match (first_token.seconds_or_none()?, latency.seconds_or_none()?) {
        (Some(first), Some(last)) if first <= last => {
            Some(Served { first_token: came + first, end: came + last })
        }
        (Some(_), Some(_)) => return Err(latency.problem("no less than first_token_s")),
        (None, None) => None,
        (None, Some(_)) | (Some(_), None) => {
            return Err(latency.problem("-1 where first_token_s is -1, and only there"));
        }
    };
    Ok(Outcome {
        arrival: came,
        client: names.number(name.into()),
        input: input.tokens()?,
        output: output.tokens()?,
        served,
    })
}
