//! The rows of a CSV file, by the names of their columns.

use std::io::Read;
use std::path::Path;

use csv::{ErrorKind, StringRecord, Terminator};

use super::error::{Problem, TraceError};
use super::field::Field;

/// One row: its fields in the order of the columns that were asked for.
#[derive(Debug)]
pub struct Row<'a, const N: usize> {
    pub fields: [Field<'a>; N],
}

/// Calls `each` with every row of a file that has these columns.
///
/// # Errors
/// What cannot be read, what `each` says, and a file without rows.
pub fn for_each<const N: usize>(
    path: &Path,
    source: impl Read,
    columns: [&'static str; N],
    mut each: impl FnMut(&Row<'_, N>) -> Result<(), Problem>,
) -> Result<(), TraceError> {
    // Lines may end in CR LF, but the reader's own way with these counts the LF to the line after.
    let terminator = Terminator::Any(b'\n');
    let mut reader = csv::ReaderBuilder::new().terminator(terminator).flexible(true).from_reader(source);
    let headers = reader.headers().map_err(|error| of_csv(path, error))?;
    let expected = headers.len();
    let mut places = [0; N];
    for (place, name) in places.iter_mut().zip(columns) {
        let found = headers.iter().position(|header| header.trim() == name);
        *place = found.ok_or_else(|| TraceError::at(path, 1, Problem::Column { missing: name }))?;
    }
    let mut record = StringRecord::new();
    let mut is_empty = true;
    while reader.read_record(&mut record).map_err(|error| of_csv(path, error))? {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() == 1 && record.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        if record.len() != expected {
            let problem = Problem::Fields { expected, found: record.len() };
            return Err(TraceError::at(path, line, problem));
        }
        is_empty = false;
        let field = |column: usize| Field {
            name: columns[column],
            text: record.get(places[column]).unwrap_or_default(),
        };
        let row = Row { fields: std::array::from_fn(field) };
        each(&row).map_err(|problem| TraceError::at(path, line, problem))?;
    }
    if is_empty { Err(TraceError::of_file(path, Problem::Empty)) } else { Ok(()) }
}

fn of_csv(path: &Path, error: csv::Error) -> TraceError {
    let line = error.position().map(csv::Position::line);
    let problem = match error.into_kind() {
        ErrorKind::Io(error) => Problem::Read(error),
        ErrorKind::Utf8 { .. } => Problem::Text,
        // The others are of lengths, seeking and deserializing, none of which is asked for here.
        other => Problem::Read(std::io::Error::other(format!("{other:?}"))),
    };
    TraceError { path: path.to_owned(), line, problem }
}
