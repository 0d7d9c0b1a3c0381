//! One round after the other: what to ask Redis for, and what follows from its reply. It talks to nobody itself.

use std::sync::Arc;
use std::time::Duration;

use vtc_core::Tick;

use super::inbox::{Found, Heard, Inbox, Wanted};
use super::outbox::{Lost, Outbox, Writing};

/// The place of an entry in the log: Redis's milliseconds, and a number among those of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Milliseconds of Redis's clock.
    pub millis: u64,
    /// Which of that millisecond.
    pub number: u64,
}

/// What to do in one round trip, in this order: write, read, look at the log. So the log goes at least as far as what was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// To be carried out whole or not at all.
    pub write: Option<Arc<Writing>>,
    /// What is to be read besides the log.
    pub wanted: Vec<Wanted>,
    /// The log.
    pub log: Log,
}

/// What to look at in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// Where it ends, and which replicas have tables.
    End,
    /// The entries behind that place, at most so many.
    Behind(Place, usize),
}

/// What Redis replied to a [`Trip`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Microseconds of its clock.
    pub micros: u64,
    /// If something was written: the numbers of this replica's last writings in the order in which they were carried out,
    /// this one last; as many as the writing [looks back](Writing::look_back), or all that Redis knows of.
    pub written: Option<Vec<u64>>,
    /// Of what was wanted, in that order.
    pub found: Vec<Found>,
    /// For [`Log::End`]: where it is; zero if there is no log.
    pub end: Place,
    /// For [`Log::End`].
    pub members: Vec<Arc<str>>,
    /// For [`Log::Behind`]: whether the entry at that place is there still.
    pub goes_on: bool,
    /// For [`Log::Behind`].
    pub entries: Vec<(Place, Vec<u8>)>,
}

/// What follows from a reply.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// What was heard of others, in this order.
    pub heard: Vec<Heard>,
    /// Everything this replica has must be said anew.
    pub start_over: bool,
    /// There is more to be read or written: the next round should not wait.
    pub more: bool,
}

/// The bounds of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Whoever was silent for longer is not there any more.
    pub longest_silence: Duration,
    /// How long the log goes back. Whoever was away for longer asks who is there.
    pub log: Duration,
    /// Rows of a writing, about.
    pub most_rows: usize,
    /// Entries of the log in one round.
    pub most_entries: usize,
    /// Tables that are read in one round.
    pub most_tables: usize,
}

/// One replica's side of the exchange.
#[derive(Debug)]
pub struct Exchange {
    outbox: Outbox,
    inbox: Inbox,
    bounds: Bounds,
    /// Up to where the log was heard; `None`: it is to be found out where it ends.
    heard_to: Option<Place>,
    wanted: Vec<Wanted>,
    /// When this replica last wrote, and when it last had a reply.
    wrote_at: Option<Tick>,
    replied_at: Option<Tick>,
}

// === impl Exchange ===

impl Exchange {
    /// That of a replica of this id, which no other ever had.
    pub fn new(id: Arc<str>, bounds: Bounds) -> Self {
        Self {
            outbox: Outbox::new(Arc::clone(&id)),
            inbox: Inbox::new(id),
            bounds,
            heard_to: None,
            wanted: Vec::new(),
            wrote_at: None,
            replied_at: None,
        }
    }

    /// What this replica has to say.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// What it heard.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// See [`Inbox::read_again`].
    pub fn read_again(&mut self, id: &str, table: &str) {
        self.inbox.read_again(id, table);
    }

    /// The next round. Whoever has nothing to say says so in time for the others to know that it is there.
    pub fn trip(&mut self, now: Tick) -> Trip {
        self.outbox.expire(now);
        let is_quiet = |at: Option<Tick>, longest: Duration| at.is_none_or(|at| now.since(at) >= longest);
        if is_quiet(self.replied_at, self.bounds.log / 2) {
            self.lose_thread();
        }
        let is_due = is_quiet(self.wrote_at, self.bounds.longest_silence / 5);
        let write = (is_due || self.outbox.has_changes())
            .then(|| self.outbox.write(now, self.bounds.most_rows, self.bounds.longest_silence));
        let log = match self.heard_to {
            None => Log::End,
            Some(place) => Log::Behind(place, self.bounds.most_entries),
        };
        self.wanted = self.inbox.wanted(self.bounds.most_tables);
        Trip { write, wanted: self.wanted.clone(), log }
    }

    /// The reply to the last trip. `now` is the time at which it came.
    pub fn replied(&mut self, reply: Reply, now: Tick) -> Followed {
        let mut followed = Followed::default();
        let began = self.heard_to;
        self.replied_at = Some(now);
        let is_behind = reply.entries.len() >= self.bounds.most_entries;
        for (wanted, found) in std::mem::take(&mut self.wanted).into_iter().zip(reply.found) {
            // What is ahead of the log as far as it was heard could be lost without a trace: it is read again.
            if !is_behind {
                self.inbox.find(wanted, found, now, &mut followed.heard);
            }
        }
        for (place, entry) in &reply.entries {
            let age = Duration::from_micros(reply.micros.saturating_sub(place.millis.saturating_mul(1000)));
            // One that cannot be read is counted, and what it said is missed with the next of its writer.
            drop(self.inbox.hear(entry, age, now, &mut followed.heard));
            self.heard_to = self.heard_to.max(Some(*place));
        }
        match began {
            None => {
                self.inbox.meet(reply.members);
                self.heard_to = Some(reply.end);
            }
            // Redis has lost it, and may have lost what was read too, whether its writer notices or not.
            Some(began) if !reply.goes_on && began != Place::default() => self.lose_thread(),
            Some(_) => {}
        }
        if let Some(numbers) = reply.written {
            self.wrote_at = Some(now);
            followed.start_over = self.outbox.confirm(&numbers) == Err(Lost);
        }
        if followed.start_over {
            self.outbox.start_over();
            self.lose_thread();
        }
        self.inbox.part(now, self.bounds.longest_silence, &mut followed.heard);
        followed.more = self.outbox.has_changes()
            || is_behind
            || !self.inbox.wanted(1).is_empty()
            || self.heard_to.is_none();
        followed
    }

    /// What is heard next is not the continuation of what was heard.
    fn lose_thread(&mut self) {
        self.heard_to = None;
        self.inbox.doubt();
    }

    /// There was no reply to the last trip: nobody knows what became of it. What others said holds on, as long as it would
    /// if nothing were heard.
    pub fn failed(&mut self, now: Tick) -> Vec<Heard> {
        self.outbox.fail();
        self.wanted.clear();
        let mut heard = Vec::new();
        self.inbox.part(now, self.bounds.longest_silence, &mut heard);
        heard
    }
}

#[cfg(test)]
mod tests;
