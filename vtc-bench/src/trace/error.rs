//! What is said of a file that cannot be read.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use super::{arena, azure};

/// A file that cannot be read: which, in which line, and what was expected there.
#[derive(Debug)]
pub struct TraceError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1; `None` if it is about the file as a whole.
    pub line: Option<u64>,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It cannot be opened, or reading it broke off.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// There is nothing in it, or nothing after its header.
    #[error("there are no requests in it")]
    Empty,
    /// It is in none of the formats.
    #[error(
        "the first line is of no known format; give a header with the columns {}, or one with {}, or JSON objects with \
         timestamp, input_length, output_length and hash_ids",
        arena::COLUMNS.join(","),
        azure::COLUMNS.join(",")
    )]
    Format,
    /// The header lacks a column.
    #[error("the header has no column {missing}; give {}", arena::COLUMNS.join(","))]
    Column {
        /// Its name.
        missing: &'static str,
    },
    /// A row has too few or too many fields.
    #[error("{found} fields where the header has {expected}")]
    Fields {
        /// As many as the header has.
        expected: usize,
        /// As many as there are.
        found: usize,
    },
    /// A field is not what its column is for.
    #[error("{field} is {found:?}; give {expected}")]
    Field {
        /// Which column or key.
        field: &'static str,
        /// What is there.
        found: String,
        /// What is allowed, as words that follow "give".
        expected: &'static str,
    },
    /// The line is not UTF-8.
    #[error("the line is not UTF-8 text")]
    Text,
    /// The line is not the JSON object that it should be.
    #[error(
        "{0}; give a JSON object with timestamp (milliseconds), input_length, output_length and hash_ids, all whole \
         numbers"
    )]
    Json(String),
}

// === impl TraceError ===

impl TraceError {
    pub(super) fn of_file(path: &Path, problem: Problem) -> Self {
        Self { path: path.to_owned(), line: None, problem }
    }

    pub(super) fn at(path: &Path, line: u64, problem: Problem) -> Self {
        Self { path: path.to_owned(), line: Some(line), problem }
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.problem)
    }
}

impl std::error::Error for TraceError {}
