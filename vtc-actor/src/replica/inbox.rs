//! What is heard of the others: who they are, how far each was heard, and what has to be read again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use vtc_core::Tick;

use super::row::{Entry, Row, Rows, TableName, UnreadableEntry};

/// Hears the entries of the log in their order, and finds out what was missed.
///
/// Whoever misses an entry of a replica (it came late to the log, the log was cut, Redis lost it) reads that replica's tables
/// whole, and goes on with the log: the tables hold at least what the log says up to then, and what it says beyond is heard
/// once more. Whoever finds the log to be another one reads everybody's.
#[derive(Debug)]
pub struct Inbox {
    id: Arc<str>,
    peers: BTreeMap<Arc<str>, Peer>,
    unreadable: u64,
}

/// Something new of another replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Rows of a table.
    Rows {
        /// Whose.
        from: Arc<str>,
        /// The table.
        table: TableName,
        /// How long they hold, by the local clock.
        ends: Tick,
        /// Whether these are all there are.
        whole: bool,
        /// The rows.
        rows: Vec<Row>,
    },
    /// Nothing was heard of it for so long that it is not there any more, or cannot be reached. Should it speak again, it
    /// is as if it came new: all its rows are told again.
    Gone(Arc<str>),
}

/// Something to be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// The number of that replica's last writing, and the names of its tables.
    Tables(Arc<str>),
    /// All rows of a table of that replica.
    Table(Arc<str>, TableName),
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// For [`Wanted::Tables`].
    Tables {
        /// The replica's last writing, if it is there.
        number: Option<u64>,
        /// Its tables.
        tables: Vec<TableName>,
    },
    /// For [`Wanted::Table`].
    Table {
        /// How long its rows hold; `None`: it is over.
        left: Option<Duration>,
        /// All its rows.
        rows: Vec<Row>,
    },
}

#[derive(Debug, Default)]
struct Peer {
    /// The last writing that is known of it, with everything before; 0 if it is not there.
    number: u64,
    /// When it last spoke; `None`: it is not there, only its tables are.
    spoke: Option<Tick>,
    /// The writing before which something was missed.
    missed: Option<u64>,
    /// Whether it has to be asked how far it is: it may have said something that was passed over.
    is_met: bool,
    reading: Reading,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    Nothing,
    Names,
    Tables(BTreeSet<TableName>),
}

// === impl Inbox ===

impl Inbox {
    /// That of the replica of this id, which does not listen to itself.
    pub fn new(id: Arc<str>) -> Self {
        Self { id, peers: BTreeMap::new(), unreadable: 0 }
    }

    /// How many others there are.
    pub fn others(&self) -> usize {
        self.peers.values().filter(|peer| peer.spoke.is_some()).count()
    }

    /// How many entries could not be read.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Hears an entry, which was written so long ago.
    ///
    /// # Errors
    /// It is none. That counts as nothing heard: what it said is found missing later.
    pub fn hear(
        &mut self,
        entry: &[u8],
        age: Duration,
        now: Tick,
        heard: &mut Vec<Heard>,
    ) -> Result<(), UnreadableEntry> {
        let entry = Entry::from_bytes(entry).inspect_err(|_| self.unreadable += 1)?;
        if entry.from == self.id {
            return Ok(());
        }
        let written = before(now, age);
        let peer = self.peers.entry(Arc::clone(&entry.from)).or_default();
        peer.spoke = peer.spoke.max(Some(written));
        if entry.number <= peer.number {
            // An older one that was carried out late, or one that the tables told already.
            return Ok(());
        }
        if entry.follows > peer.number {
            peer.missed = Some(entry.number);
        }
        peer.number = entry.number;
        for Rows { table, left, whole, rows } in entry.tables {
            let ends = now.saturating_add(left.saturating_sub(age));
            heard.push(Heard::Rows { from: Arc::clone(&entry.from), table, ends, whole, rows });
        }
        Ok(())
    }

    /// These replicas have tables; some may be gone.
    pub fn meet(&mut self, members: impl IntoIterator<Item = Arc<str>>) {
        for member in members {
            if member != self.id {
                self.peers.entry(member).or_default().is_met = true;
            }
        }
    }

    /// Nothing that is known of anybody is sure any more: all is read again.
    pub fn doubt(&mut self) {
        for peer in self.peers.values_mut() {
            let Peer { number, missed, is_met, reading, .. } = peer;
            (*number, *missed, *is_met, *reading) = (0, None, true, Reading::Nothing);
        }
    }

    /// That table of that replica has to be read once more, whole.
    pub fn read_again(&mut self, id: &str, table: &str) {
        if let Some(peer) = self.peers.get_mut(id) {
            match &mut peer.reading {
                Reading::Nothing => peer.reading = Reading::Tables([table.into()].into()),
                // All are read anyway.
                Reading::Names => {}
                Reading::Tables(tables) => drop(tables.insert(table.into())),
            }
        }
    }

    /// What has to be read, at most so many tables.
    pub fn wanted(&mut self, most: usize) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for (id, peer) in &mut self.peers {
            if (peer.missed.is_some() || peer.is_met) && peer.reading == Reading::Nothing {
                peer.is_met = false;
                peer.reading = Reading::Names;
            }
            match &peer.reading {
                Reading::Nothing => {}
                Reading::Names => wanted.push(Wanted::Tables(Arc::clone(id))),
                Reading::Tables(tables) => {
                    wanted.extend(tables.iter().map(|table| Wanted::Table(Arc::clone(id), Arc::clone(table))))
                }
            }
            if wanted.len() >= most {
                break;
            }
        }
        wanted.truncate(most);
        wanted
    }

    /// Takes in what was read, after the entries that were [heard](Self::hear) before this call and before those that are
    /// heard after it.
    pub fn find(&mut self, wanted: Wanted, found: Found, now: Tick, heard: &mut Vec<Heard>) {
        match (wanted, found) {
            (Wanted::Tables(id), Found::Tables { number, tables }) => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.find_tables(number, tables, now);
                }
                self.part_with(&id, heard);
            }
            (Wanted::Table(id, table), Found::Table { left, rows }) => {
                let Some(Peer { reading: Reading::Tables(tables), .. }) = self.peers.get_mut(&id) else {
                    return;
                };
                if !tables.remove(&table) {
                    return;
                }
                let is_last = tables.is_empty();
                if left.is_none()
                    && let Some(peer) = self.peers.get_mut(&id)
                    && peer.spoke.is_some()
                {
                    // It is over, or Redis has lost it. Its replica will strike it off, or write it anew.
                    peer.missed = peer.missed.max(Some(peer.number));
                }
                if let Some(left) = left {
                    let (from, ends) = (Arc::clone(&id), now.saturating_add(left));
                    heard.push(Heard::Rows { from, table, ends, whole: true, rows });
                }
                if is_last && let Some(peer) = self.peers.get_mut(&id) {
                    peer.reading = Reading::Nothing;
                    self.part_with(&id, heard);
                }
            }
            (Wanted::Tables(_) | Wanted::Table(..), _) => {}
        }
    }

    /// Parts with those of whom nothing was heard for longer than that.
    pub fn part(&mut self, now: Tick, longest_silence: Duration, heard: &mut Vec<Heard>) {
        self.peers.retain(|id, peer| {
            let is_here = peer.spoke.is_none_or(|spoke| now.since(spoke) <= longest_silence);
            if !is_here {
                peer.spoke = None;
                // What it said since, and what of it was lost, is not known: should it speak again, all is read again.
                peer.number = 0;
                heard.push(Heard::Gone(Arc::clone(id)));
            }
            is_here || !peer.is_read()
        });
    }

    /// One that was not heard and has nothing to be read any more is not there.
    fn part_with(&mut self, id: &Arc<str>, heard: &mut Vec<Heard>) {
        if self.peers.get(id).is_some_and(|peer| peer.spoke.is_none() && peer.is_read()) {
            self.peers.remove(id);
            heard.push(Heard::Gone(Arc::clone(id)));
        }
    }
}

// === impl Peer ===

impl Peer {
    /// Whether nothing has to be read of it.
    fn is_read(&self) -> bool {
        self.reading == Reading::Nothing && !self.is_met && self.missed.is_none()
    }

    fn find_tables(&mut self, number: Option<u64>, tables: Vec<TableName>, now: Tick) {
        self.reading = Reading::Nothing;
        if let Some(number) = number {
            let missed = self.missed.unwrap_or(0);
            if number < missed || (number <= self.number && missed == 0 && self.spoke.is_some()) {
                // What is known here is newer. If something was missed, Redis lost it; the replica will say it again.
                return;
            }
            // The number is there as long as the replica, and one that is new was written not long ago.
            self.spoke =
                if number > self.number { self.spoke.max(Some(now)) } else { self.spoke.or(Some(now)) };
            self.number = self.number.max(number);
        } else if self.missed.is_some() && self.spoke.is_some() {
            // Redis has lost it, or it has been silent for long: it will say so, or be gone.
            return;
        }
        self.missed = None;
        if !tables.is_empty() {
            self.reading = Reading::Tables(tables.into_iter().collect());
        }
    }
}

/// So long before that moment; the clock's origin at the earliest.
fn before(now: Tick, age: Duration) -> Tick {
    Tick::from_nanos(now.as_nanos().saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// While it was gone, a table of it was read where Redis had lost it.
    #[test]
    fn one_that_was_gone_and_speaks_again_is_read_anew() {
        let (mut inbox, mut heard) = (Inbox::new("me".into()), Vec::new());
        let id: Arc<str> = "it".into();
        let table = |name: &str| -> TableName { name.into() };
        let names = || Wanted::Tables(Arc::clone(&id));
        inbox.meet([Arc::clone(&id)]);
        assert_eq!(inbox.wanted(9), [names()]);
        let tables = Found::Tables { number: Some(3), tables: vec![table("t"), table("u")] };
        inbox.find(names(), tables, Tick::ZERO, &mut heard);
        assert_eq!(inbox.others(), 1);
        let later = Tick::from_nanos(9_000_000_000);
        inbox.part(later, Duration::from_secs(5), &mut heard);
        assert_eq!(heard.pop(), Some(Heard::Gone(Arc::clone(&id))));
        let nothing = Found::Table { left: None, rows: Vec::new() };
        inbox.find(Wanted::Table(Arc::clone(&id), table("t")), nothing, later, &mut heard);
        let from = Arc::clone(&id);
        let entry = Entry { format: Entry::FORMAT, from, number: 4, follows: 3, tables: Vec::new() };
        inbox.hear(&entry.to_bytes().unwrap(), Duration::ZERO, later, &mut heard).unwrap();
        let rest = inbox.wanted(9);
        let found = Found::Table { left: Some(Duration::from_secs(5)), rows: Vec::new() };
        inbox.find(rest[0].clone(), found, later, &mut heard);
        assert_eq!(
            (rest, inbox.wanted(9)),
            (vec![Wanted::Table(Arc::clone(&id), table("u"))], vec![names()])
        );
    }

    /// It was heard of long ago, and has written since.
    #[test]
    fn a_new_number_is_a_sign_of_life() {
        let (mut inbox, mut heard) = (Inbox::new("me".into()), Vec::new());
        let id: Arc<str> = "it".into();
        let found = |number| Found::Tables { number: Some(number), tables: Vec::new() };
        let at = |seconds: u64| Tick::from_nanos(seconds * 1_000_000_000);
        for (second, number, others) in [(0, 1, 1), (4, 2, 1), (8, 2, 1), (12, 2, 0)] {
            inbox.meet([Arc::clone(&id)]);
            inbox.find(Wanted::Tables(Arc::clone(&id)), found(number), at(second), &mut heard);
            inbox.part(at(second), Duration::from_secs(5), &mut heard);
            assert_eq!(inbox.others(), others, "second {second}");
        }
    }
}
