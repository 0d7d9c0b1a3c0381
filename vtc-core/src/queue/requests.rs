//! The requests that wait or run, found by id, and one line of waiting ones per user.

use slab::Slab;

use super::counter::Weight;
use super::users::UserIndex;
use crate::clock::Tick;

/// Names one request of one queue, from its arrival to its end; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// How many requests had arrived before.
    arrival: u64,
    slot: usize,
}

/// A request, as the queue keeps it.
#[derive(Debug)]
pub(super) struct Request<R> {
    pub(super) arrival: u64,
    pub(super) user: UserIndex,
    pub(super) weight: Weight,
    pub(super) input: u64,
    pub(super) max_output: Option<u64>,
    pub(super) bytes: u64,
    pub(super) deadline: Option<Tick>,
    pub(super) stage: Stage<R>,
}

/// Where a request stands.
#[derive(Debug)]
pub(super) enum Stage<R> {
    /// In its user's line, between two others.
    Waiting { payload: R, before: Option<usize>, after: Option<usize> },
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

/// A user's line: the slots of its first and its last request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    ends: Option<(usize, usize)>,
    pub(super) len: usize,
}

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
    pub(super) const EMPTY: Self = Self { ends: None, len: 0 };
}

// === impl Requests ===

impl<R> Requests<R> {
    pub(super) const fn new() -> Self {
        Self { slots: Slab::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn at(&self, id: RequestId) -> Option<&Request<R>> {
        self.slots.get(id.slot).filter(|request| request.arrival == id.arrival)
    }

    fn at_mut(&mut self, id: RequestId) -> Option<&mut Request<R>> {
        self.slots.get_mut(id.slot).filter(|request| request.arrival == id.arrival)
    }

    /// Puts a request, which waits, at the end of its user's line.
    pub(super) fn append(&mut self, line: &mut Line, mut request: Request<R>) -> RequestId {
        let arrival = request.arrival;
        let slot = self.slots.vacant_key();
        if let (Stage::Waiting { before, .. }, Some((_, last))) = (&mut request.stage, line.ends) {
            *before = Some(last);
            self.link(last, |_, after| *after = Some(slot));
        }
        self.slots.insert(request);
        line.ends = Some((line.ends.map_or(slot, |(first, _)| first), slot));
        line.len += 1;
        RequestId { arrival, slot }
    }

    /// The first of a line, and its payload.
    pub(super) fn first(&self, line: &Line) -> Option<(RequestId, &Request<R>, &R)> {
        let (slot, _) = line.ends?;
        let request = self.slots.get(slot)?;
        match &request.stage {
            Stage::Waiting { payload, .. } => {
                Some((RequestId { arrival: request.arrival, slot }, request, payload))
            }
            Stage::Running(_) => None,
        }
    }

    /// The request, if it waits.
    pub(super) fn waiting(&self, id: RequestId) -> Option<&Request<R>> {
        self.at(id).filter(|request| matches!(request.stage, Stage::Waiting { .. }))
    }

    /// The request, if it runs.
    pub(super) fn running(&self, id: RequestId) -> Option<(&Request<R>, Running)> {
        let request = self.at(id)?;
        match request.stage {
            Stage::Running(running) => Some((request, running)),
            Stage::Waiting { .. } => None,
        }
    }

    /// Says how a running request stands now.
    pub(super) fn set_running(&mut self, id: RequestId, running: Running) {
        if let Some(request) = self.at_mut(id) {
            request.stage = Stage::Running(running);
        }
    }

    /// Takes a waiting request out of its line and makes it run.
    pub(super) fn start(&mut self, line: &mut Line, id: RequestId, running: Running) -> Option<R> {
        self.waiting(id)?;
        let request = self.slots.get_mut(id.slot)?;
        let stage = std::mem::replace(&mut request.stage, Stage::Running(running));
        self.unlink(line, stage)
    }

    /// Takes a waiting request out of its line, and away.
    pub(super) fn remove_waiting(&mut self, line: &mut Line, id: RequestId) -> Option<R> {
        self.waiting(id)?;
        let request = self.slots.remove(id.slot);
        let payload = self.unlink(line, request.stage);
        self.shrink();
        payload
    }

    /// Takes a running request away.
    pub(super) fn remove_running(&mut self, id: RequestId) {
        if self.running(id).is_some() {
            self.slots.remove(id.slot);
            self.shrink();
        }
    }

    /// Joins the neighbours of a request that has left its line.
    fn unlink(&mut self, line: &mut Line, stage: Stage<R>) -> Option<R> {
        let Stage::Waiting { payload, before, after } = stage else { return None };
        if let Some(slot) = before {
            self.link(slot, |_, link| *link = after);
        }
        if let Some(slot) = after {
            self.link(slot, |link, _| *link = before);
        }
        line.ends = line.ends.and_then(|(first, last)| match (before, after) {
            (None, None) => None,
            (None, Some(next)) => Some((next, last)),
            (Some(previous), None) => Some((first, previous)),
            (Some(_), Some(_)) => Some((first, last)),
        });
        line.len -= 1;
        Some(payload)
    }

    /// Changes the neighbours of a waiting request.
    fn link(&mut self, slot: usize, change: impl FnOnce(&mut Option<usize>, &mut Option<usize>)) {
        if let Some(Stage::Waiting { before, after, .. }) =
            self.slots.get_mut(slot).map(|request| &mut request.stage)
        {
            change(before, after);
        }
    }

    /// Gives back what a crowd took, once it has left.
    fn shrink(&mut self) {
        if self.slots.is_empty() && self.slots.capacity() > KEPT {
            self.slots = Slab::new();
        }
    }
}
