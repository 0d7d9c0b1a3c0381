//! Real traffic from files, in three formats that are told apart by their first line.
//!
//! | format | first line | it tells |
//! | --- | --- | --- |
//! | arena: a run of the VTC artifact | `arrival_s,client,input_tokens,output_tokens,first_token_s,latency_s` | clients, and what became of each request |
//! | Azure's LLM inference trace | `TIMESTAMP,ContextTokens,GeneratedTokens` | no clients |
//! | Mooncake | a JSON object with `timestamp`, `input_length`, `output_length`, `hash_ids` | no clients, but prefixes |

mod arena;
mod azure;
mod mooncake;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

pub use self::arena::{HEADER, write};
use crate::request::{Outcome, Request};

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The requests, in the order of their arrival. Where the file names no clients, all are of client 0.
    pub requests: Vec<Request>,
    /// The clients' names, by number; empty where the file names none.
    pub clients: Vec<String>,
    /// What became of the requests, where the file tells.
    pub outcomes: Vec<Outcome>,
}

/// A file that is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Its first line is none of the three.
    #[error(
        "{} is no trace: its first line should be `{}`, `{}` or a JSON object with `timestamp`, and is {line:?}",
        path.display(), HEADER, azure::HEADER
    )]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The line.
        line: String,
    },
    /// A line is wrong.
    #[error("{}, line {line}: {wrong}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Its number; the first is 1.
        line: u64,
        /// What is wrong with it.
        wrong: String,
    },
}

/// What is wrong with a line.
struct Wrong {
    line: u64,
    wrong: String,
}

// === impl Trace ===

impl Trace {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TraceError`], with the line.
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        let unreadable = |error| TraceError::Unreadable { path: path.to_owned(), error };
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let start = file.fill_buf().map_err(unreadable)?;
        let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        let read = match line.as_str() {
            HEADER => arena::read(file),
            azure::HEADER => azure::read(file),
            line if line.starts_with('{') => mooncake::read(file),
            _ => {
                return Err(TraceError::Unknown {
                    path: path.to_owned(),
                    line: line.chars().take(80).collect(),
                });
            }
        };
        let mut trace =
            read.map_err(|Wrong { line, wrong }| TraceError::Line { path: path.to_owned(), line, wrong })?;
        trace.requests.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
        Ok(trace)
    }
}

// === impl Wrong ===

impl From<csv::Error> for Wrong {
    fn from(error: csv::Error) -> Self {
        let line = error.position().map_or(0, csv::Position::line);
        let wrong = match error.kind() {
            csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
            _ => error.to_string(),
        };
        Self { line, wrong }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(text: &str) -> Result<Trace, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().display().to_string();
        Trace::read(file.path()).map_err(|error| error.to_string().replace(&path, "FILE"))
    }

    #[test]
    fn each_format_is_known_by_its_first_line() {
        let arena = format!("{HEADER}\n0.5,b,10,20,0.25,2\n0.25,a,1,2,-1,-1\n");
        let trace = read(&arena).unwrap();
        assert_eq!(trace.clients, ["b", "a"], "in the order in which they appear");
        let arrivals: Vec<_> = trace.requests.iter().map(|it| (it.arrival, it.client)).collect();
        assert_eq!(arrivals, [(0.25, 1), (0.5, 0)]);
        let served: Vec<_> =
            trace.outcomes.iter().map(|it| it.served.map(|it| (it.first_token, it.end))).collect();
        assert_eq!(served, [Some((0.75, 2.5)), None]);

        let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 23:59:59.5000000,374,44\r\n\
                     2023-11-17 00:00:01.2500000,396,109\r\n";
        let trace = read(azure).unwrap();
        assert_eq!(trace.requests[1].arrival, 1.75);
        assert_eq!((trace.requests[1].input, trace.requests[1].output), (396, 109));
        assert!(trace.clients.is_empty() && trace.outcomes.is_empty());

        let mooncake =
            r#"{"timestamp": 1500, "input_length": 6758, "output_length": 500, "hash_ids": [0, 7]}"#;
        let trace = read(mooncake).unwrap();
        assert_eq!((trace.requests[0].arrival, trace.requests[0].input), (1.5, 6758));
        assert_eq!(trace.requests[0].blocks.as_deref(), Some(&[0, 7][..]));
    }

    #[test]
    fn a_wrong_line_is_named() {
        let wrong = |text: &str| read(text).unwrap_err();
        assert!(wrong("a,b\n1,2\n").starts_with("FILE is no trace: its first line should be `arrival_s,"));
        assert!(wrong("").contains("and is \"\""));
        let arena = wrong(&format!("{HEADER}\n0.5,b,10,20,0.25,2\n0.5,b,many,20,0.25,2\n"));
        assert!(arena.starts_with("FILE, line 3: ") && arena.contains("invalid digit"), "{arena}");
        let azure = wrong("TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,2\n");
        assert!(azure.starts_with("FILE, line 2: "), "{azure}");
        let mooncake = wrong("{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1}\n{}\n");
        assert!(mooncake.starts_with("FILE, line 2: missing field `timestamp`"), "{mooncake}");
        assert!(
            Trace::read(Path::new("/nowhere")).unwrap_err().to_string().starts_with("cannot read /nowhere")
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = format!("{HEADER}\n0.250000,a,1,2,-1,-1\n0.500000,b,10,20,0.250000,2.000000\n");
        let trace = read(&text).unwrap();
        let mut written = Vec::new();
        write(&mut written, &trace.clients, &trace.outcomes).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), text);
    }
}
