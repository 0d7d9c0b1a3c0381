//! What this replica has to say: rows that changed and are not known to have been written.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use vtc_core::Tick;

use super::row::{Entry, Life, Row, Rows, TableName};

/// Collects what changed, hands it out to be written, and keeps it until that is confirmed.
///
/// A row that changes again before it was written is written once. What was handed out and failed, or of which nobody knows,
/// is handed out again, unless it changed meanwhile: values are absolute, so it does no harm if it was written after all.
#[derive(Debug)]
pub struct Outbox {
    id: Arc<str>,
    tables: BTreeMap<TableName, Table>,
    /// The number of the last writing that was handed out.
    number: u64,
    /// The last one that is known to have been written.
    confirmed: u64,
    out: Option<Arc<Writing>>,
    /// Tables that ended since the last writing.
    ended: Vec<TableName>,
}

/// One writing, to be carried out whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writing {
    /// Its log entry, and the rows to be put into their tables.
    pub entry: Entry,
    /// Tables whose rows hold on as long as this replica is there.
    pub keep: Vec<TableName>,
    /// Tables that are over.
    pub ended: Vec<TableName>,
    /// How long the last of all tables holds.
    pub longest: Duration,
    /// How many of the last writings' numbers have to be known, this one's included, to see that nothing was lost.
    pub look_back: usize,
}

/// What was written was lost again: everything must be [put](Outbox::put) anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

#[derive(Debug)]
struct Table {
    life: Life,
    /// Whether the next writing replaces all rows.
    whole: bool,
    changed: HashMap<Box<[u8]>, Option<Box<[u8]>>>,
}

/// How many numbers of writings Redis keeps of each replica. Whoever failed more often in a row starts over.
pub const MOST_NUMBERS: usize = 64;

// === impl Outbox ===

impl Outbox {
    /// That of a replica of this id, which no other ever had.
    pub fn new(id: Arc<str>) -> Self {
        Self { id, tables: BTreeMap::new(), number: 0, confirmed: 0, out: None, ended: Vec::new() }
    }

    /// A row has this value now, or none any more.
    pub fn put(&mut self, table: &str, life: Life, key: &[u8], value: Option<Box<[u8]>>) {
        let table = match self.tables.get_mut(table) {
            Some(table) => table,
            None => {
                let fresh = Table { life, whole: false, changed: HashMap::new() };
                self.tables.entry(table.into()).or_insert(fresh)
            }
        };
        table.changed.insert(key.into(), value);
    }

    /// A table's rows are those that are put from now on, and no others.
    pub fn replace(&mut self, table: &str, life: Life) {
        self.tables.insert(table.into(), Table { life, whole: true, changed: HashMap::new() });
    }

    /// Forgets all rows: the next writings replace every table, by what is put from now on.
    pub fn start_over(&mut self) {
        self.out = None;
        for table in self.tables.values_mut() {
            table.whole = true;
            table.changed.clear();
        }
    }

    /// Lets go of tables that are over by `now`: nobody needs to hear of them.
    pub fn expire(&mut self, now: Tick) {
        let Self { tables, ended, .. } = self;
        tables.retain(|name, table| {
            let over = matches!(table.life, Life::Until(end) if end <= now);
            if over {
                ended.push(Arc::clone(name));
            }
            !over
        });
    }

    /// Whether there is something to say.
    pub fn has_changes(&self) -> bool {
        self.out.is_some() || self.tables.values().any(Table::has_changes)
    }

    /// Hands out what is to be written, to be [confirmed](Self::confirm) or to be [failed](Self::fail) before the next:
    /// whole tables until there are `most_rows` rows, at least one table. Rows that live while this replica is there hold
    /// for `while_here`.
    pub fn write(&mut self, now: Tick, most_rows: usize, while_here: Duration) -> Arc<Writing> {
        self.fail();
        self.number += 1;
        let (mut tables, mut keep, mut rows, mut longest) = (Vec::new(), Vec::new(), 0, while_here);
        for (name, table) in &mut self.tables {
            let left = match table.life {
                Life::Until(end) => end.since(now),
                Life::WhileHere => {
                    keep.push(Arc::clone(name));
                    while_here
                }
            };
            longest = longest.max(left);
            if !table.has_changes() || rows >= most_rows {
                continue;
            }
            rows += table.changed.len();
            let whole = std::mem::take(&mut table.whole);
            let changed = table.changed.drain().map(|(key, value)| Row { key, value }).collect();
            tables.push(Rows { table: Arc::clone(name), left, whole, rows: changed });
        }
        let (from, number, follows) = (Arc::clone(&self.id), self.number, self.confirmed);
        let look_back =
            usize::try_from(number - follows).map_or(MOST_NUMBERS, |tried| (tried + 1).min(MOST_NUMBERS));
        let entry = Entry { format: Entry::FORMAT, from, number, follows, tables };
        let writing =
            Arc::new(Writing { entry, keep, ended: std::mem::take(&mut self.ended), longest, look_back });
        self.out = Some(Arc::clone(&writing));
        writing
    }

    /// The writing that was handed out last has been carried out, and these before it, in this order.
    ///
    /// # Errors
    /// [`Lost`]: what is known to have been written is not among them, so Redis has lost it; or something older came after
    /// it, so that what it wrote may have been undone. This replica must [start over](Self::start_over).
    pub fn confirm(&mut self, numbers: &[u64]) -> Result<(), Lost> {
        self.out = None;
        let confirmed = std::mem::replace(&mut self.confirmed, self.number);
        let since = match numbers.iter().rposition(|number| *number == confirmed) {
            Some(place) => &numbers[place..],
            // Nothing was known to have been written: nothing can be lost.
            None if confirmed == 0 => numbers,
            None => return Err(Lost),
        };
        if since.is_sorted() { Ok(()) } else { Err(Lost) }
    }

    /// Nobody knows whether the writing that was handed out has been carried out: what it says is to be said again.
    pub fn fail(&mut self) {
        let Some(writing) = self.out.take() else { return };
        let Writing { entry, ended, .. } = Arc::unwrap_or_clone(writing);
        self.ended.extend(ended);
        for Rows { table, whole, rows, .. } in entry.tables {
            // One that is over has left, and one that is replaced anyway needs nothing older.
            let Slot::Occupied(mut slot) = self.tables.entry(table) else { continue };
            let table = slot.get_mut();
            if table.whole {
                continue;
            }
            table.whole = whole;
            for Row { key, value } in rows {
                table.changed.entry(key).or_insert(value);
            }
        }
    }
}

// === impl Table ===

impl Table {
    fn has_changes(&self) -> bool {
        self.whole || !self.changed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Duration = Duration::from_secs(5);

    fn outbox() -> Outbox {
        Outbox::new("me".into())
    }

    fn put(outbox: &mut Outbox, table: &str, key: &str, value: &str) {
        outbox.put(table, Life::Until(Tick::from_nanos(100)), key.as_bytes(), Some(value.as_bytes().into()));
    }

    fn write(outbox: &mut Outbox, most_rows: usize) -> (u64, u64, Vec<(String, String, bool)>) {
        let writing = outbox.write(Tick::ZERO, most_rows, HERE);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut rows = Vec::new();
        for Rows { table, whole, rows: some, .. } in &writing.entry.tables {
            for Row { key, value } in some {
                let value = value.as_ref().map(|value| text(value)).unwrap_or_default();
                rows.push((format!("{table}/{}", text(key)), value, *whole));
            }
        }
        rows.sort();
        (writing.entry.number, writing.entry.follows, rows)
    }

    fn row(key: &str, value: &str) -> (String, String, bool) {
        (key.to_owned(), value.to_owned(), false)
    }

    #[test]
    fn what_failed_is_said_again_unless_it_changed() {
        let mut outbox = outbox();
        put(&mut outbox, "t", "a", "1");
        put(&mut outbox, "t", "b", "1");
        assert_eq!(write(&mut outbox, 10), (1, 0, vec![row("t/a", "1"), row("t/b", "1")]));
        put(&mut outbox, "t", "b", "2");
        outbox.fail();
        assert!(outbox.has_changes());
        assert_eq!(write(&mut outbox, 10), (2, 0, vec![row("t/a", "1"), row("t/b", "2")]));
        assert_eq!(outbox.confirm(&[2]), Ok(()));
        assert!(!outbox.has_changes());
        assert_eq!(write(&mut outbox, 10), (3, 2, vec![]));
    }

    #[test]
    fn what_is_known_to_be_written_must_be_there_and_nothing_older_behind_it() {
        let cases: [(&[u64], bool); 8] = [
            (&[2, 6], true),
            (&[2, 3, 4, 6], true),
            (&[1, 2, 4, 6], true),
            // Emptied, fallen back, with the news of it lost or not.
            (&[6], false),
            (&[1, 6], false),
            (&[4, 6], false),
            // Carried out late.
            (&[2, 1, 6], false),
            (&[2, 4, 3, 6], false),
        ];
        for (numbers, is_well) in cases {
            let mut outbox = outbox();
            write(&mut outbox, 10);
            outbox.confirm(&[1]).unwrap();
            write(&mut outbox, 10);
            outbox.confirm(&[1, 2]).unwrap();
            for _ in 0..3 {
                write(&mut outbox, 10);
            }
            assert_eq!(outbox.write(Tick::ZERO, 10, HERE).look_back, 5);
            assert_eq!(outbox.confirm(numbers).is_ok(), is_well, "{numbers:?}");
        }
    }

    #[test]
    fn nothing_can_be_lost_before_anything_is_written() {
        for numbers in [&[3][..], &[1, 3], &[1, 2, 3]] {
            let mut outbox = outbox();
            for _ in 0..3 {
                write(&mut outbox, 10);
            }
            assert_eq!(outbox.confirm(numbers), Ok(()));
        }
    }

    #[test]
    fn after_a_loss_every_table_is_replaced_also_one_without_rows() {
        let mut outbox = outbox();
        put(&mut outbox, "s", "a", "1");
        put(&mut outbox, "t", "a", "1");
        write(&mut outbox, 10);
        outbox.start_over();
        put(&mut outbox, "t", "b", "2");
        let writing = outbox.write(Tick::ZERO, 10, HERE);
        let said: Vec<_> =
            writing.entry.tables.iter().map(|rows| (&*rows.table, rows.whole, rows.rows.len())).collect();
        assert_eq!(said, [("s", true, 0), ("t", true, 1)]);
        outbox.fail();
        put(&mut outbox, "t", "c", "3");
        assert_eq!(outbox.write(Tick::ZERO, 10, HERE).entry.tables[1].rows.len(), 2);
    }

    #[test]
    fn a_writing_has_a_bound_and_the_rest_comes_with_the_next() {
        let mut outbox = outbox();
        for table in ["s", "t", "u"] {
            put(&mut outbox, table, "a", "1");
            put(&mut outbox, table, "b", "1");
        }
        assert_eq!(write(&mut outbox, 3).2.len(), 4);
        assert_eq!(outbox.confirm(&[1]), Ok(()));
        assert!(outbox.has_changes());
        assert_eq!(write(&mut outbox, 3).2.len(), 2);
    }

    #[test]
    fn a_table_that_is_over_is_let_go() {
        let mut outbox = outbox();
        put(&mut outbox, "t", "a", "1");
        outbox.put("q", Life::WhileHere, b"a", None);
        outbox.write(Tick::ZERO, 10, HERE);
        outbox.expire(Tick::from_nanos(100));
        outbox.fail();
        let writing = outbox.write(Tick::from_nanos(100), 10, HERE);
        assert_eq!(writing.entry.tables.len(), 1);
        assert_eq!((writing.entry.tables[0].left, &*writing.keep[0], &*writing.ended[0]), (HERE, "q", "t"));
    }
}
