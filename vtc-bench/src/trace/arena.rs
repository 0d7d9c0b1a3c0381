//! A run as the VTC artifact writes it: every request, and what became of it.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use serde::Deserialize;

use super::{Trace, Wrong};
use crate::request::{Outcome, Request, Served};

/// The first line.
pub const HEADER: &str = "arrival_s,client,input_tokens,output_tokens,first_token_s,latency_s";

/// A line. The last two count from the arrival, in seconds; they are negative if the request was refused.
#[derive(Deserialize)]
struct Line {
    arrival_s: f64,
    client: String,
    input_tokens: u64,
    output_tokens: u64,
    first_token_s: f64,
    latency_s: f64,
}

pub(super) fn read(file: impl Read) -> Result<Trace, Wrong> {
    let mut trace = Trace::default();
    let mut numbers = HashMap::new();
    for line in csv::Reader::from_reader(file).deserialize() {
        let Line {
            arrival_s: arrival,
            client,
            input_tokens: input,
            output_tokens: output,
            first_token_s,
            latency_s,
        } = line?;
        let number = *numbers.entry(client).or_insert_with_key(|name| {
            trace.clients.push(name.clone());
            trace.clients.len() as u32 - 1
        });
        let served = (latency_s >= 0.0)
            .then_some(Served { first_token: arrival + first_token_s, end: arrival + latency_s });
        trace.requests.push(Request { arrival, client: number, input, output, blocks: None });
        trace.outcomes.push(Outcome { arrival, client: number, input, output, served });
    }
    Ok(trace)
}

/// Writes a run in that format, with its header.
///
/// # Errors
/// What the writer says.
pub fn write<'a>(
    mut out: impl Write,
    clients: &[String],
    outcomes: impl IntoIterator<Item = &'a Outcome>,
) -> io::Result<()> {
    writeln!(out, "{HEADER}")?;
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
