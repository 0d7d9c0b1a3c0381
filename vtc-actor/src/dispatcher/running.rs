//! The requests of one pool that run: what each holds on its pod, and how much of its answer has flowed.

use std::borrow::Cow;
use std::sync::Arc;

use slab::Slab;
use vtc_core::queue::RequestId;
use vtc_core::{FairQueue, MeterReader};

use super::fleet::{Fleet, SeatKey};
use super::permit::RunningKey;

/// A request that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: RequestId,
    pub(super) user: Option<Arc<str>>,
    pub(super) policy: Option<Cow<'static, str>>,
    pub(super) seat: SeatKey,
    /// Tokens that it holds there.
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) meter: MeterReader,
}

#[derive(Debug, Default)]
pub(super) struct RunningRequests {
    slots: Slab<Running>,
}

/// Room for so many is kept when the last one has left.
const KEPT: usize = 1024;

// === impl Running ===

impl Running {
    /// Charges what has flowed since the last time. What passes the guess, it holds on the pod as well.
    pub(super) fn read_meter<R>(&mut self, queue: &mut FairQueue<R>, fleet: &mut Fleet) {
        let more = self.meter.advance();
        if more > 0 {
            queue.delivered(self.id, more);
            let grown = self.meter.read().saturating_sub(self.output);
            self.output += grown;
            fleet.grow(self.seat, grown);
        }
    }

    /// The tokens that it holds.
    pub(super) const fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

// === impl RunningRequests ===

impl RunningRequests {
    /// One more runs; where it is.
    pub(super) fn insert(&mut self, running: Running) -> usize {
        self.slots.insert(running)
    }

    /// The request that was named by that key, if it runs.
    pub(super) fn get_mut(&mut self, key: RunningKey) -> Option<&mut Running> {
        self.slots.get_mut(key.slot).filter(|running| running.id == key.id)
    }

    /// Takes out the request that was named by that key, if it runs.
    pub(super) fn remove(&mut self, key: RunningKey) -> Option<Running> {
        self.get_mut(key)?;
        let running = self.slots.remove(key.slot);
        if self.slots.is_empty() && self.slots.capacity() > KEPT {
            self.slots = Slab::new();
        }
        Some(running)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Running> {
        self.slots.iter_mut().map(|(_, running)| running)
    }
}
