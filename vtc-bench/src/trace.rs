//! Reading traces of real traffic, and results of runs, in the formats they are published in.
//!
//! | format | first line | what it has |
//! | --- | --- | --- |
//! | [Arena](Format::Arena) | `arrival_s,client,input_tokens,output_tokens,first_token_s,latency_s` | requests with clients, and what became of them: also what `simulate` writes |
//! | [Azure](Format::Azure) | `TIMESTAMP,ContextTokens,GeneratedTokens` | requests without clients |
//! | [Mooncake](Format::Mooncake) | a JSON object with `timestamp`, `input_length`, `output_length`, `hash_ids` | requests with prompt blocks |
//!
//! The first line says which it is. Columns may be in any order, and others may be among them. Rows may be in any order:
//! what is read is sorted by arrival, equals as they were in the file. A file is read whole.
//!
//! ```
//! let file = "arrival_s,client,input_tokens,output_tokens,first_token_s,latency_s\n\
//!             0.5,alice,100,20,0.25,1.5\n\
//!             0.7,bob,100,20,-1,-1\n";
//! let trace = vtc_bench::trace::parse("run.csv", file.as_bytes())?;
//! assert_eq!(trace.requests.len(), 2);
//! assert_eq!(*trace.clients[trace.requests[1].client as usize], *"bob");
//! assert!(trace.outcomes.unwrap()[1].served.is_none(), "refused");
//! # Ok::<(), vtc_bench::trace::TraceError>(())
//! ```

mod arena;
mod azure;
mod error;
mod field;
mod mooncake;
mod rows;

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

pub use self::arena::write;
pub use self::error::{Problem, TraceError};

use vtc_sim::request::{Outcome, Request};
use vtc_sim::workload::{Client, Replay, ReplayError, Tenants};

/// A trace, or the result of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// How it was written.
    pub format: Format,
    /// The names of the clients; a request's client is an index into these.
    pub clients: Vec<Arc<str>>,
    /// The requests, in the order of their arrival.
    pub requests: Vec<Request>,
    /// What became of them, in the same order, where the file says.
    pub outcomes: Option<Vec<Outcome>>,
}

/// How a trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Requests and what became of them, times in seconds from the beginning of the run. `first_token_s` and `latency_s`
    /// count from the arrival, and are both -1 where the request was refused.
    ///
    /// Clients are numbered in the order of their names, those that are whole numbers first, by size: where they are
    /// called 0, 1, 2, …, the name is the number.
    Arena,
    /// Requests by the time of day, without clients: all are of one, called `all`. The first comes at 0.
    Azure,
    /// Requests by milliseconds, with the blocks of their prompts. The first two blocks are the conversation, since all
    /// share the first one, the system's prompt: each conversation is a client, numbered as they come.
    Mooncake,
}

/// Reads a file; its first line says which format it is in.
///
/// # Errors
/// [`TraceError`]: what cannot be read, is in none of the formats, or breaks its format in some line.
pub fn read(path: impl AsRef<Path>) -> Result<Trace, TraceError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(|error| TraceError::of_file(path, Problem::Read(error)))?;
    parse(path, BufReader::new(file))
}

/// Reads from any source; `path` is what errors call it.
///
/// # Errors
/// As [`read`].
pub fn parse(path: impl AsRef<Path>, mut source: impl BufRead) -> Result<Trace, TraceError> {
    let path = path.as_ref();
    let of_file = |problem| TraceError::of_file(path, problem);
    let mut first = Vec::new();
    // A line of such a length is no header and no request of any of the formats.
    let mut start = source.by_ref().take(1 << 20);
    start.read_until(b'\n', &mut first).map_err(|error| of_file(Problem::Read(error)))?;
    let format = Format::of(&first).map_err(of_file)?;
    let whole = Cursor::new(first).chain(source);
    match format {
        Format::Arena => arena::parse(path, whole),
        Format::Azure => azure::parse(path, whole),
        Format::Mooncake => mooncake::parse(path, whole),
    }
}

// === impl Trace ===

impl Trace {
    /// The requests as a workload replays them: as they were recorded. A trace that names no clients, or for which tenants
    /// are asked, gets tenants drawn by `seed`: those, else the arena's.
    ///
    /// # Errors
    /// Never for a trace that was read from a file.
    pub fn replay(self, tenants: Option<Tenants>, seed: u64) -> Result<Replay, ReplayError> {
        let Self { requests, clients, format, .. } = self;
        let tenants = tenants.or((format != Format::Arena).then_some(Tenants::Arena));
        let replay = Replay::new(requests, clients.into_iter().map(Client::new).collect())?;
        Ok(match tenants {
            Some(tenants) => replay.with_tenants(tenants, seed),
            None => replay,
        })
    }
}

// === impl Format ===

impl Format {
    fn of(first_line: &[u8]) -> Result<Self, Problem> {
        let line = String::from_utf8_lossy(first_line);
        let line = line.trim_start_matches('\u{feff}').trim();
        let has = |columns: &[&str]| columns.iter().all(|name| line.split(',').any(|it| it.trim() == *name));
        if line.is_empty() {
            Err(Problem::Empty)
        } else if line.starts_with('{') {
            Ok(Self::Mooncake)
        } else if has(&azure::COLUMNS) {
            Ok(Self::Azure)
        } else if let Some(missing) = arena::COLUMNS.iter().find(|name| !has(&[name])) {
            // Whoever has the first of them means this format.
            match has(&arena::COLUMNS[..1]) {
                true => Err(Problem::Column { missing }),
                false => Err(Problem::Format),
            }
        } else {
            Ok(Self::Arena)
        }
    }
}

/// Numbers names in the order in which they come.
#[derive(Debug)]
struct Names<K> {
    numbers: HashMap<K, u32>,
}

// === impl Names ===

impl<K: Eq + std::hash::Hash> Names<K> {
    fn new() -> Self {
        Self { numbers: HashMap::new() }
    }

    fn number(&mut self, name: K) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(name).or_insert(next)
    }

    fn len(&self) -> usize {
        self.numbers.len()
    }
}

#[cfg(test)]
mod tests;
