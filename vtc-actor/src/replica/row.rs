//! What replicas exchange: rows of tables, and the log's entries that carry them.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vtc_core::Tick;

/// Which table a row is of. A table's rows have a common end.
pub type TableName = Arc<str>;

/// How long a table's rows hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until that moment of the local clock, whether the replica is still there or not.
    Until(Tick),
    /// As long as the replica is there.
    WhileHere,
}

/// One row: an absolute value, so that it does no harm to hear it twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What it is about: any bytes.
    #[serde(with = "serde_bytes")]
    pub key: Box<[u8]>,
    /// What is said of it; `None`: that there is nothing any more.
    #[serde(with = "serde_bytes")]
    pub value: Option<Box<[u8]>>,
}

/// Rows of one table that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// The table.
    pub table: TableName,
    /// How long they hold, as of the writing.
    pub left: Duration,
    /// Whether these are all there are: what else is known of the table is void.
    pub whole: bool,
    /// The rows, each key once.
    pub rows: Vec<Row>,
}

/// What a replica says at a time: an entry of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The format: [`Entry::FORMAT`].
    pub format: u8,
    /// Who says it.
    pub from: Arc<str>,
    /// The number of this saying, from 1 on. Some numbers are never heard: those that failed on the way.
    pub number: u64,
    /// The last one before it that is known to have been written. All that changed since is in this entry or comes later:
    /// so whoever has heard that one, or a later one, has missed nothing.
    pub follows: u64,
    /// What changed; none, if only to say that the replica is there.
    pub tables: Vec<Rows>,
}

/// An entry that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableEntry {
    /// Its bytes are no entry.
    #[error("an entry of the log that is none: does something else write under this prefix?")]
    Broken(#[from] postcard::Error),
    /// It is of another version of this program.
    #[error("an entry of format {0}; this replica reads format {ours}: run one version", ours = Entry::FORMAT)]
    Format(u8),
}

// === impl Entry ===

impl Entry {
    /// The format that is written, and read.
    pub const FORMAT: u8 = 1;

    /// The entry as bytes.
    ///
    /// # Errors
    /// None that is known of: the writer is a vector.
    pub fn to_bytes(&self) -> Result<Vec<u8>, UnreadableEntry> {
        Ok(postcard::to_allocvec(self)?)
    }

    /// The entry that these bytes are.
    ///
    /// # Errors
    /// They are none, or of another format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, UnreadableEntry> {
        match bytes.first() {
            Some(&Self::FORMAT) => Ok(postcard::from_bytes(bytes)?),
            Some(&other) => Err(UnreadableEntry::Format(other)),
            None => Err(postcard::Error::DeserializeUnexpectedEnd.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row() -> impl Strategy<Value = Row> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40).prop_map(Vec::into_boxed_slice);
        (bytes(), prop::option::of(bytes())).prop_map(|(key, value)| Row { key, value })
    }

    proptest! {
        #[test]
        fn an_entry_is_what_its_bytes_say(
            number in any::<u64>(), follows in any::<u64>(), left in any::<u32>(), whole in any::<bool>(),
            rows in prop::collection::vec(row(), 0..20),
        ) {
            let rows = Rows { table: "t1".into(), left: Duration::from_micros(left.into()), whole, rows };
            let entry = Entry { format: Entry::FORMAT, from: "a".into(), number, follows, tables: vec![rows] };
            prop_assert_eq!(Entry::from_bytes(&entry.to_bytes().unwrap()).unwrap(), entry);
        }

        #[test]
        fn no_bytes_are_too_odd_to_be_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(Entry::from_bytes(&bytes));
        }
    }

    #[test]
    fn another_format_is_told_from_no_format() {
        assert!(matches!(Entry::from_bytes(&[9, 1, 1]), Err(UnreadableEntry::Format(9))));
        assert!(matches!(Entry::from_bytes(&[]), Err(UnreadableEntry::Broken(_))));
    }
}
