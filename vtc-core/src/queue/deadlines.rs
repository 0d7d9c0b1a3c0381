//! Until when each request waits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::requests::RequestId;
use crate::clock::Tick;

/// The deadlines of the requests that wait, earliest first; requests without one are not here.
///
/// A request that leaves early leaves its deadline behind. Such stale ones are skipped when they come up, and swept
/// out when they are the greater part, so that memory follows the requests that wait. O(log) per request, O(1) in the
/// usual case that later requests have later deadlines.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Tick, RequestId)>>,
    /// How many of them are of requests that wait.
    live: usize,
}

impl Deadlines {
    pub(super) fn insert(&mut self, deadline: Tick, id: RequestId) {
        self.heap.push(Reverse((deadline, id)));
        self.live += 1;
    }

    /// One request with a deadline has left; `waits` says which are still there.
    pub(super) fn left(&mut self, waits: impl Fn(RequestId) -> bool) {
        self.live -= 1;
        if self.heap.len() > 2 * self.live {
            self.heap.retain(|Reverse((_, id))| waits(*id));
            self.heap.shrink_to(2 * self.live);
        }
        while self.heap.peek().is_some_and(|Reverse((_, id))| !waits(*id)) {
            self.heap.pop();
        }
    }

    /// The request whose deadline is the earliest. It waits: [`left`](Deadlines::left) sees to that.
    pub(super) fn earliest(&self) -> Option<(Tick, RequestId)> {
        self.heap.peek().map(|Reverse(entry)| *entry)
    }
}
