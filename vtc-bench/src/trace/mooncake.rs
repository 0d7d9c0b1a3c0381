//! Requests to Kimi, as the Mooncake release has them: one JSON object in each line.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::error::{Problem, TraceError};
use super::{Format, Names, Trace};
use vtc_sim::request::Request;

/// One line.
#[derive(Deserialize)]
struct Line {
    /// Milliseconds from the beginning.
    timestamp: u64,
    input_length: u32,
    output_length: u32,
    /// One for each block of 512 tokens of the prompt, by its content.
    hash_ids: Vec<u64>,
}

/// Later than any trace goes on, in milliseconds.
const LATEST: u64 = 10_000_000_000;

pub fn parse(path: &Path, mut source: impl BufRead) -> Result<Trace, TraceError> {
    let mut conversations = Names::new();
    let mut requests = Vec::new();
    let (mut text, mut number) = (Vec::new(), 0);
    loop {
        text.clear();
        number += 1;
        let at = |problem| TraceError::at(path, number, problem);
        if source.read_until(b'\n', &mut text).map_err(|error| at(Problem::Read(error)))? == 0 {
            break;
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_slice(&text).map_err(|error| at(of_json(&error)))?;
        if line.timestamp > LATEST {
            return Err(at(Problem::Field {
                field: "timestamp",
                found: line.timestamp.to_string(),
                expected: "milliseconds from 0 to 10000000000",
            }));
        }
        requests.push(request(line, &mut conversations));
    }
    if requests.is_empty() {
        return Err(TraceError::of_file(path, Problem::Empty));
    }
    requests.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
    Ok(Trace {
        format: Format::Mooncake,
        clients: (0..conversations.len()).map(|number| format!("conversation-{number}").into()).collect(),
        requests,
        outcomes: None,
    })
}

fn request(line: Line, conversations: &mut Names<[Option<u64>; 2]>) -> Request {
    let conversation = [line.hash_ids.first().copied(), line.hash_ids.get(1).copied()];
    Request {
        arrival: line.timestamp as f64 / 1000.0,
        client: conversations.number(conversation),
        input: line.input_length.into(),
        output: line.output_length.into(),
        guess: None,
        blocks: Some(Arc::from(line.hash_ids)),
    }
}

/// Without serde's line number, which is that within the line.
fn of_json(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    Problem::Json(format!("{text}, at column {}", error.column()))
}
