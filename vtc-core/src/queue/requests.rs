//! The requests that wait or run, found by id, and one line of waiting ones per user.

use std::mem;

use slab::Slab;

use super::Arrival;
use super::counter::Weight;
use super::users::UserIndex;
use crate::clock::Tick;

/// Names one request of one queue, from its arrival to its end; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// How many requests had arrived before.
    arrival: u64,
    slot: Slot,
}

/// A request, as the queue keeps it: small, as each one that is touched is one more miss of the cache.
#[derive(Debug)]
pub(super) struct Request<R> {
    pub(super) arrival: u64,
    pub(super) user: UserIndex,
    pub(super) weight: Weight,
    /// Its neighbours in its user's line, while it waits.
    before: Slot,
    after: Slot,
    pub(super) input: u64,
    pub(super) bytes: u64,
    pub(super) max_output: Option<u64>,
    pub(super) deadline: Option<Tick>,
    pub(super) stage: Stage<R>,
}

/// Where a request stands.
#[derive(Debug)]
pub(super) enum Stage<R> {
    /// In its user's line.
    Waiting(R),
    /// On a pod.
    Running(Running),
}

/// What is known of a request that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    /// Tokens charged in advance.
    pub(super) prepaid: u64,
    /// Tokens delivered.
    pub(super) output: u64,
    /// What the counter was charged for it so far.
    pub(super) charged: u64,
}

/// A user's line: the slots of its first and its last request, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    first: Slot,
    last: Slot,
    pub(super) len: u32,
}

/// Where a request is; [`NOWHERE`] is no request.
type Slot = u32;

const NOWHERE: Slot = Slot::MAX;

/// How many requests there can be at a time.
pub(super) const MOST: usize = NOWHERE as usize;

#[derive(Debug)]
pub(super) struct Requests<R> {
    slots: Slab<Request<R>>,
}

/// Room for so many is kept when the last request has left.
const KEPT: usize = 1024;

// === impl RequestId ===

impl RequestId {
    /// When it arrived: how many requests had arrived before.
    #[must_use]
    pub const fn arrival(self) -> u64 {
        self.arrival
    }
}

// === impl Line ===

impl Line {
    pub(super) const EMPTY: Self = Self { first: NOWHERE, last: NOWHERE, len: 0 };
}

// === impl Request ===

impl<R> Request<R> {
    /// A request that waits.
    pub(super) fn new(arrival: u64, user: UserIndex, from: Arrival<'_, R>) -> Self {
        let Arrival { user: _, weight, input, max_output, bytes, deadline, payload } = from;
        let (before, after, stage) = (NOWHERE, NOWHERE, Stage::Waiting(payload));
        Self { arrival, user, weight, before, after, input, bytes, max_output, deadline, stage }
    }
}

// === impl Requests ===

impl<R> Requests<R> {
    pub(super) const fn new() -> Self {
        Self { slots: Slab::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn slot(&self, slot: Slot) -> Option<&Request<R>> {
        self.slots.get(slot as usize)
    }

    fn slot_mut(&mut self, slot: Slot) -> Option<&mut Request<R>> {
        self.slots.get_mut(slot as usize)
    }

    fn at(&self, id: RequestId) -> Option<&Request<R>> {
        self.slot(id.slot).filter(|request| request.arrival == id.arrival)
    }

    /// Puts a request that waits at the end of its user's line. There must be fewer than [`MOST`].
    pub(super) fn append(&mut self, line: &mut Line, mut request: Request<R>) -> RequestId {
        let arrival = request.arrival;
        let slot = self.slots.vacant_key() as Slot;
        request.before = line.last;
        match self.slot_mut(line.last) {
            Some(last) => last.after = slot,
            None => line.first = slot,
        }
        line.last = slot;
        line.len += 1;
        self.slots.insert(request);
        RequestId { arrival, slot }
    }

    /// The first of a line, and its payload.
    pub(super) fn first(&self, line: &Line) -> Option<(RequestId, &Request<R>, &R)> {
        let request = self.slot(line.first)?;
        match &request.stage {
            Stage::Waiting(payload) => {
                Some((RequestId { arrival: request.arrival, slot: line.first }, request, payload))
            }
            Stage::Running(_) => None,
        }
    }

    /// The request, if it waits.
    pub(super) fn waiting(&self, id: RequestId) -> Option<&Request<R>> {
        self.at(id).filter(|request| matches!(request.stage, Stage::Waiting(_)))
    }

    /// The request, if it runs.
    pub(super) fn running(&self, id: RequestId) -> Option<(&Request<R>, Running)> {
        let request = self.at(id)?;
        match request.stage {
            Stage::Running(running) => Some((request, running)),
            Stage::Waiting(_) => None,
        }
    }

    /// Says how a running request stands now.
    pub(super) fn set_running(&mut self, id: RequestId, running: Running) {
        if let Some(request) = self.slot_mut(id.slot) {
            request.stage = Stage::Running(running);
        }
    }

    /// Takes a waiting request out of its line and makes it run.
    pub(super) fn start(&mut self, line: &mut Line, id: RequestId, running: Running) -> Option<R> {
        let request = self.slot_mut(id.slot)?;
        let stage = mem::replace(&mut request.stage, Stage::Running(running));
        let (before, after) = (request.before, request.after);
        self.unlink(line, before, after);
        stage.payload()
    }

    /// Takes a waiting request out of its line, and away.
    pub(super) fn remove_waiting(&mut self, line: &mut Line, id: RequestId) -> Option<R> {
        self.waiting(id)?;
        let request = self.slots.remove(id.slot as usize);
        self.unlink(line, request.before, request.after);
        self.shrink();
        request.stage.payload()
    }

    /// Takes a running request away.
    pub(super) fn remove_running(&mut self, id: RequestId) {
        if self.running(id).is_some() {
            self.slots.remove(id.slot as usize);
            self.shrink();
        }
    }

    /// Joins the neighbours of a request that has left its line.
    fn unlink(&mut self, line: &mut Line, before: Slot, after: Slot) {
        match self.slot_mut(before) {
            Some(request) => request.after = after,
            None => line.first = after,
        }
        match self.slot_mut(after) {
            Some(request) => request.before = before,
            None => line.last = before,
        }
        line.len -= 1;
    }

    /// Gives back what a crowd took, once it has left.
    fn shrink(&mut self) {
        if self.slots.is_empty() && self.slots.capacity() > KEPT {
            self.slots = Slab::new();
        }
    }
}

// === impl Stage ===

impl<R> Stage<R> {
    fn payload(self) -> Option<R> {
        match self {
            Self::Waiting(payload) => Some(payload),
            Self::Running(_) => None,
        }
    }
}
