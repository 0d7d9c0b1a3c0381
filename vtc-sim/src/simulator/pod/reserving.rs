//! A pod that reserves what a request will hold in the end: the measured one.
//!
//! Prefill and decode do not overlap. After a prefill it decodes for some steps, then it asks who may come in; from then
//! on it asks before every step until somebody comes. An empty pod asks at once.
//!
//! Each running request writes one token in each decode step. So the order of their ends never changes: they stand in
//! that order, and a step costs O(1) besides those that end. Taking one in costs O(running).

use super::{Flight, Pod, Tally, written};
use crate::request::Request;
use crate::simulator::profile::{ReservingProfile, micros, millis};

#[derive(Debug)]
pub(super) struct ReservingPod {
    profile: ReservingProfile,
    times: Times,
    /// By the decode step in which they end, the last first; of those that end together, the oldest last.
    running: Vec<Running>,
    /// Requests of each client in the batch.
    clients: Vec<(u32, u32)>,
    /// Decode steps so far.
    decoded: u64,
    /// Decode steps since the last prefill.
    since: u64,
    /// Tokens that the running requests hold.
    held: u64,
    /// Prompt tokens of the prefill that comes next or is under way.
    prefill: u64,
    /// Whether there is a prefill that comes next or is under way.
    joining: bool,
    /// Whether tokens came since the last report.
    fresh: bool,
    tally: Tally,
}

/// The times of a profile in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Times {
    prefill: u64,
    prefill_token: u64,
    decode: u64,
    decode_request: u64,
    decode_context: u64,
}

#[derive(Debug)]
struct Running {
    flight: Flight,
    /// The decode step after which it has its last token.
    end: u64,
    /// Tokens that it holds in the end.
    size: u64,
}

// === impl ReservingPod ===

impl ReservingPod {
    pub(super) fn new(profile: &ReservingProfile) -> Self {
        let overhead = millis(profile.overhead_ms);
        Self {
            times: Times {
                prefill: millis(profile.prefill_ms) + overhead,
                prefill_token: millis(profile.prefill_per_token_ms),
                decode: millis(profile.decode_ms) + overhead,
                decode_request: millis(profile.decode_per_request_ms),
                decode_context: micros(profile.decode_per_context_token_us),
            },
            profile: profile.clone(),
            running: Vec::new(),
            clients: Vec::new(),
            decoded: 0,
            since: 0,
            held: 0,
            prefill: 0,
            joining: false,
            fresh: false,
            tally: Tally::default(),
        }
    }

    /// The most tokens that the batch will ever hold with this request in it, if nobody else comes: looked for at the
    /// ends of requests, as it only grows between them.
    fn peak_with(&self, request: &Request) -> u64 {
        let new_left = written(request);
        let (mut current, mut rank, mut peak, mut placed) = (0, 0, 0, false);
        let mut count = |now: u64, left: u64| {
            current += now;
            rank += 1;
            peak = u64::max(peak, current + left * rank);
        };
        for running in &self.running {
            // Whoever is still to be read has all of its answer before it.
            let unread = u64::from(running.flight.first_token.is_none());
            let left = running.end - self.decoded + unread;
            if !placed && left <= new_left {
                count(request.input, new_left);
                placed = true;
            }
            count(running.size - left, left);
        }
        if !placed {
            count(request.input, new_left);
        }
        peak
    }

    /// The pool, less what the clients in it take.
    fn room(&self, request: &Request) -> u64 {
        let new = !self.clients.iter().any(|(client, _)| *client == request.client);
        let clients = self.clients.len() as u64 + u64::from(new);
        self.profile.pool_tokens.saturating_sub(clients * self.profile.client_tokens)
    }

    fn leave(&mut self, client: u32) {
        if let Some(at) = self.clients.iter().position(|(known, _)| *known == client) {
            self.clients[at].1 -= 1;
            if self.clients[at].1 == 0 {
                self.clients.swap_remove(at);
            }
        }
    }
}

impl Pod for ReservingPod {
    fn could_hold(&self, request: &Request) -> bool {
        let room = self.profile.pool_tokens.saturating_sub(self.profile.client_tokens);
        request.input <= self.profile.max_prefill_tokens && request.input + written(request) < room
    }

    fn is_open(&self) -> bool {
        self.running.is_empty() || self.joining || self.since >= self.profile.admission_steps
    }

    fn takes(&self, request: &Request) -> bool {
        self.is_open()
            && self.running.len() < self.profile.max_running
            && self.prefill + request.input <= self.profile.max_prefill_tokens
            && self.peak_with(request) < self.room(request)
    }

    fn admit(&mut self, flight: Flight) {
        let (input, written, client) =
            (flight.request.input, written(&flight.request), flight.request.client);
        match self.clients.iter_mut().find(|(known, _)| *known == client) {
            Some((_, requests)) => *requests += 1,
            None => self.clients.push((client, 1)),
        }
        self.joining = true;
        self.prefill += input;
        self.held += input + 1;
        let end = self.decoded + written - 1;
        let at = self.running.partition_point(|running| running.end > end);
        self.running.insert(at, Running { flight, end, size: input + written });
    }

    fn running(&self) -> usize {
        self.running.len()
    }

    fn begin(&mut self) -> Option<u64> {
        let running = self.running.len() as u64;
        let span = match (self.joining, running) {
            (true, _) => self.times.prefill + self.times.prefill_token * self.prefill,
            (false, 0) => return None,
            (false, _) => {
                self.times.decode
                    + self.times.decode_request * running
                    + self.times.decode_context * self.held
            }
        };
        self.tally.steps += 1;
        self.tally.busy += span;
        Some(span)
    }

    fn finish(&mut self, now: u64, ended: &mut Vec<Flight>) {
        if self.joining {
            for running in &mut self.running {
                running.flight.first_token.get_or_insert(now);
            }
            (self.joining, self.prefill, self.since) = (false, 0, 0);
        } else {
            self.decoded += 1;
            self.since += 1;
            self.held += self.running.len() as u64;
        }
        self.fresh = true;
        self.tally.most_held = self.tally.most_held.max(self.held);
        while let Some(last) = self.running.pop_if(|last| last.end == self.decoded) {
            self.held -= last.size;
            self.leave(last.flight.request.client);
            ended.push(last.flight);
        }
    }

    fn report(&mut self, tell: &mut dyn FnMut(&Flight, u64)) {
        if !std::mem::take(&mut self.fresh) {
            return;
        }
        for Running { flight, end, .. } in &mut self.running {
            // Who is being read has no token yet.
            if flight.first_token.is_some() {
                let so_far = written(&flight.request) - (*end - self.decoded);
                tell(flight, so_far - flight.delivered);
                flight.delivered = so_far;
            }
        }
    }

    fn tally(&self) -> Tally {
        self.tally
    }
}
