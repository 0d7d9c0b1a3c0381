//! Requests to an Azure LLM service: when, and how long.

use std::io::Read;

use jiff::civil::DateTime;
use serde::Deserialize;

use super::{Trace, Wrong};
use crate::request::Request;

/// The first line.
pub(super) const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens";

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "TIMESTAMP")]
    at: DateTime,
    #[serde(rename = "ContextTokens")]
    input: u64,
    #[serde(rename = "GeneratedTokens")]
    output: u64,
}

/// The first request comes at 0.
pub(super) fn read(file: impl Read) -> Result<Trace, Wrong> {
    let mut trace = Trace::default();
    let mut begin = None;
    for line in csv::Reader::from_reader(file).deserialize() {
        let Line { at, input, output } = line?;
        let arrival = at.duration_since(*begin.get_or_insert(at)).as_secs_f64();
        trace.requests.push(Request { arrival, client: 0, input, output, blocks: None });
    }
    Ok(trace)
}
