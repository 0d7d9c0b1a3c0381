//! One field of a row.

use super::error::Problem;

/// A field, and the name of its column.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    pub name: &'static str,
    pub text: &'a str,
}

/// Later than any trace goes on, in seconds.
const LATEST: f64 = 1e7;

// === impl Field ===

impl Field<'_> {
    /// What is said of one that is not what its column is for.
    pub fn problem(&self, expected: &'static str) -> Problem {
        Problem::Field { field: self.name, found: self.text.to_owned(), expected }
    }

    /// A moment or a duration.
    pub fn seconds(&self) -> Result<f64, Problem> {
        let expected = "seconds from 0 to 10000000";
        match self.text.trim().parse() {
            Ok(seconds) if (0.0..=LATEST).contains(&seconds) => Ok(seconds),
            _ => Err(self.problem(expected)),
        }
    }

    /// A duration, or `None` for -1.
    pub fn seconds_or_none(&self) -> Result<Option<f64>, Problem> {
        match self.text.trim().parse() {
            Ok(-1.0) => Ok(None),
            Ok(seconds) if (0.0..=LATEST).contains(&seconds) => Ok(Some(seconds)),
            _ => Err(self.problem("seconds from 0 to 10000000, or -1 for a request that was refused")),
        }
    }

    /// A number of tokens.
    pub fn tokens(&self) -> Result<u64, Problem> {
        let tokens: Result<u32, _> = self.text.trim().parse();
        tokens.map(u64::from).map_err(|_| self.problem("a whole number of tokens from 0 to 4294967295"))
    }
}
