//! Requests of an Azure LLM service, as the Azure Public Dataset has them.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use jiff::civil::DateTime;

use super::error::TraceError;
use super::rows::for_each;
use super::{Format, Trace};
use vtc_sim::request::Request;

pub const COLUMNS: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];

pub fn parse(path: &Path, source: impl Read) -> Result<Trace, TraceError> {
    let mut rows: Vec<(DateTime, u64, u64)> = Vec::new();
    for_each(path, source, COLUMNS, |row| {
        let [timestamp, input, output] = &row.fields;
        let expected = "a date and a time, like 2023-11-16 18:15:46.6805900";
        let at: DateTime = timestamp.text.trim().parse().map_err(|_| timestamp.problem(expected))?;
        rows.push((at, input.tokens()?, output.tokens()?));
        Ok(())
    })?;
    rows.sort_by_key(|(at, ..)| *at);
    let first = rows.first().map_or(DateTime::ZERO, |(at, ..)| *at);
    let request = |(at, input, output): (DateTime, u64, u64)| {
        let since: SignedDuration = at.duration_since(first);
        Request { arrival: since.as_secs_f64(), client: 0, input, output, guess: None, blocks: None }
    };
    Ok(Trace {
        format: Format::Azure,
        clients: vec![Arc::from("all")],
        requests: rows.into_iter().map(request).collect(),
        outcomes: None,
    })
}
