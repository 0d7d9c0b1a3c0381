//! The requests of a workload, in the order of their arrival.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::iter::Peekable;
use std::vec;

use super::stream::{Requests, Stream};
use crate::request::Request;

/// Requests in the order of their arrival, until the workload's duration is over.
#[derive(Debug)]
pub struct Arrivals {
    duration: f64,
    from: From,
}

#[derive(Debug)]
enum From {
    /// The next of each stream, the earliest on top.
    Streams(BinaryHeap<Next>),
    Trace(Peekable<vec::IntoIter<Request>>),
}

/// A stream, and its next request.
#[derive(Debug)]
struct Next {
    request: Request,
    /// Decides between requests of one moment.
    number: u64,
    later: Requests,
}

// === impl Arrivals ===

impl Arrivals {
    pub(super) fn of_streams(streams: &[(u64, Stream)], duration: f64, seed: u64) -> Self {
        let first = |(number, stream): &(u64, Stream)| {
            let mut later = stream.requests(seed, *number);
            later.next().map(|request| Next { request, number: *number, later })
        };
        Self { duration, from: From::Streams(streams.iter().filter_map(first).collect()) }
    }

    pub(super) fn of_trace(requests: Vec<Request>, duration: f64) -> Self {
        Self { duration, from: From::Trace(requests.into_iter().peekable()) }
    }
}

impl Iterator for Arrivals {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        let duration = self.duration;
        match &mut self.from {
            From::Trace(requests) => requests.next_if(|request| request.arrival <= duration),
            From::Streams(heap) => {
                let mut top = heap.peek_mut().filter(|next| next.request.arrival < duration)?;
                match top.later.next() {
                    Some(request) => Some(std::mem::replace(&mut top.request, request)),
                    None => Some(std::collections::binary_heap::PeekMut::pop(top).request),
                }
            }
        }
    }
}

// === impl Next ===

/// The greatest is the earliest, as the heap has the greatest on top.
impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        let earlier = other.request.arrival.total_cmp(&self.request.arrival);
        earlier.then(other.number.cmp(&self.number))
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Next {}
