//! Requests to Kimi, of the Mooncake release: when, how long, and which prefixes they have in common.

use std::io::BufRead;

use serde::Deserialize;

use super::{Trace, Wrong};
use crate::request::Request;

#[derive(Deserialize)]
struct Line {
    /// Milliseconds.
    timestamp: f64,
    input_length: u64,
    output_length: u64,
    /// The blocks of 512 tokens that the prompt begins with.
    #[serde(default)]
    hash_ids: Vec<u64>,
}

pub(super) fn read(file: impl BufRead) -> Result<Trace, Wrong> {
    let mut trace = Trace::default();
    for (line, text) in (1..).zip(file.lines()) {
        let wrong = |error: &dyn std::fmt::Display| Wrong { line, wrong: error.to_string() };
        let text = text.map_err(|error| wrong(&error))?;
        if text.trim().is_empty() {
            continue;
        }
        let read: Line = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        trace.requests.push(Request {
            arrival: read.timestamp / 1e3,
            client: 0,
            input: read.input_length,
            output: read.output_length,
            blocks: Some(read.hash_ids.into()),
        });
    }
    Ok(trace)
}
