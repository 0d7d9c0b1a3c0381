//! A pod that gives out memory in pages, as vLLM does: it knows nothing of how long answers will be.
//!
//! In each step every running request writes a token, and what is left of the step's budget of tokens reads prompts, in
//! pieces. Requests are taken in while there are pages for their prompts. An answer that needs a page when there is
//! none puts off the request that was taken in last: its memory is given away, and all of it is computed anew once
//! there is room; until then nobody else is taken in. Prefixes of prompts that the pod still has are not read again.
//!
//! Where it is simpler than the engine: a prompt gets all its pages at once; prefixes can be shared from the moment
//! their first owner is taken in.

use std::collections::VecDeque;

use super::pages::Pages;
use super::{Flight, Pod, Tally, written};
use crate::request::Request;
use crate::simulator::profile::{PagedProfile, micros, millis};

#[derive(Debug)]
pub(super) struct PagedPod {
    profile: PagedProfile,
    pages: Pages,
    /// Put off, to be computed anew: the one that came first is the first to come back.
    put_off: VecDeque<Sequence>,
    /// Whose prompt is being read, the oldest first.
    reading: VecDeque<Sequence>,
    /// Who writes: by the step in which they end, the last first; of those that end together, the oldest last.
    writing: Vec<Sequence>,
    /// How many of those need a page in a step, by the step's number modulo a page's tokens.
    turning: Vec<usize>,
    /// Tokens of those who write.
    context: u64,
    /// Prompt tokens still to be read.
    unread: u64,
    steps: u64,
    /// How many were taken in.
    admitted: u64,
    fresh: bool,
    tally: Tally,
}

#[derive(Debug)]
struct Sequence {
    flight: Flight,
    /// When it was taken in, as a number.
    number: u64,
    /// Blocks of its prompt that are shared.
    shared: usize,
    /// Tokens that are still to be read.
    unread: u64,
    /// Tokens that it had written when it was put off.
    kept: u64,
    /// The step after which it has its last token, once it writes.
    end: u64,
}

// === impl PagedPod ===

impl PagedPod {
    pub(super) fn new(profile: &PagedProfile) -> Self {
        Self {
            pages: Pages::new(profile.pool_tokens, profile.page_tokens, profile.prefix_tokens),
            turning: vec![0; profile.page_tokens as usize],
            profile: profile.clone(),
            put_off: VecDeque::new(),
            reading: VecDeque::new(),
            writing: Vec::new(),
            context: 0,
            unread: 0,
            steps: 0,
            admitted: 0,
            fresh: false,
            tally: Tally::default(),
        }
    }

    /// The budget of the step that is left for prompts.
    fn budget(&self) -> u64 {
        self.profile.max_step_tokens.saturating_sub(self.writing.len() as u64 + self.unread)
    }

    /// Gives a request its pages and lets it be read.
    fn take_in(&mut self, mut sequence: Sequence) {
        let request = &sequence.flight.request;
        let tokens = request.input + sequence.kept;
        let cached = self.pages.cached(request);
        sequence.shared = self.pages.take(request, tokens);
        sequence.unread = tokens - cached;
        self.unread += sequence.unread;
        self.tally.cached += cached;
        self.reading.push_back(sequence);
    }

    /// Takes a request's memory away. `tokens` is what it has pages for.
    fn release(&mut self, sequence: &Sequence, tokens: u64) {
        self.pages.release(&sequence.flight.request, tokens, sequence.shared);
    }

    /// Tokens of a request that writes.
    fn tokens(&self, sequence: &Sequence) -> u64 {
        sequence.flight.request.input + self.so_far(sequence)
    }

    /// Tokens that it has written.
    fn so_far(&self, sequence: &Sequence) -> u64 {
        written(&sequence.flight.request) - (sequence.end - self.steps)
    }

    /// In which steps, modulo a page's tokens, a request that writes needs another page: when its tokens are full pages.
    fn turn(&self, sequence: &Sequence) -> usize {
        let page = self.profile.page_tokens;
        let to_go = (page - self.tokens(sequence) % page) % page;
        ((self.steps + to_go) % page) as usize
    }

    /// Lets a request write whose prompt has been read: it has its first token of this reading.
    fn start_writing(&mut self, mut sequence: Sequence, so_far: u64) {
        sequence.end = self.steps + written(&sequence.flight.request) - so_far;
        // The token that came with the reading may have begun a page.
        self.pages.grow(self.tokens(&sequence) - 1, sequence.shared);
        self.context += self.tokens(&sequence);
        let turn = self.turn(&sequence);
        self.turning[turn] += 1;
        let at = self.writing.partition_point(|other| other.end > sequence.end);
        self.writing.insert(at, sequence);
    }

    /// Takes a request out of those who write, with its memory.
    fn stop_writing(&mut self, sequence: &Sequence) {
        let (turn, tokens) = (self.turn(sequence), self.tokens(sequence));
        self.turning[turn] -= 1;
        self.context -= tokens;
        self.release(sequence, tokens);
    }

    /// Pages that this step's tokens need.
    fn pages_due(&self) -> u64 {
        let writing = self.turning[(self.steps % self.profile.page_tokens) as usize] as u64;
        // Whoever's prompt is read in this step may need one for its first token.
        writing + self.reading.len() as u64
    }

    /// Puts off those taken in last until this step's tokens have pages. One alone always has them.
    fn put_off(&mut self) {
        while self.pages_due() > self.pages.available() && self.reading.len() + self.writing.len() > 1 {
            let last_reading = self.reading.iter().map(|sequence| sequence.number).max();
            let writing = self.writing.iter().enumerate().map(|(at, sequence)| (sequence.number, at)).max();
            let mut sequence = match (last_reading, writing) {
                (Some(number), writing) if writing.is_none_or(|(other, _)| other < number) => {
                    let Some(at) = self.reading.iter().position(|sequence| sequence.number == number) else {
                        return;
                    };
                    let Some(sequence) = self.reading.remove(at) else { return };
                    self.unread -= sequence.unread;
                    self.release(&sequence, sequence.flight.request.input + sequence.kept);
                    sequence
                }
                (_, Some((_, at))) => {
                    let mut sequence = self.writing.remove(at);
                    self.stop_writing(&sequence);
                    sequence.kept = self.so_far(&sequence);
                    sequence
                }
                _ => return,
            };
            self.tally.preemptions += 1;
            sequence.shared = 0;
            let at = self.put_off.partition_point(|other| other.number < sequence.number);
            self.put_off.insert(at, sequence);
        }
    }

    /// Takes those back in that were put off, while there is room.
    fn resume(&mut self) {
        while let Some(sequence) = self.put_off.front() {
            let tokens = sequence.flight.request.input + sequence.kept;
            let idle = self.reading.is_empty() && self.writing.is_empty();
            let request = &sequence.flight.request;
            let has_room = self.budget() > 0 && self.pages.admits(request, tokens, self.pages_due());
            if !idle && !has_room {
                break;
            }
            if let Some(sequence) = self.put_off.pop_front() {
                self.take_in(sequence);
            }
        }
    }
}

impl Pod for PagedPod {
    fn could_hold(&self, request: &Request) -> bool {
        self.pages.could_hold(request.input + written(request))
    }

    fn is_open(&self) -> bool {
        self.put_off.is_empty()
    }

    fn takes(&self, request: &Request) -> bool {
        self.is_open()
            && self.running() < self.profile.max_running
            && self.budget() > 0
            && self.pages.admits(request, request.input, self.pages_due())
    }

    fn admit(&mut self, flight: Flight) {
        self.admitted += 1;
        let cached = self.pages.cached(&flight.request);
        let flight = Flight { cached, ..flight };
        self.take_in(Sequence { flight, number: self.admitted, shared: 0, unread: 0, kept: 0, end: 0 });
    }

    fn running(&self) -> usize {
        self.put_off.len() + self.reading.len() + self.writing.len()
    }

    fn begin(&mut self) -> Option<u64> {
        self.put_off();
        self.resume();
        if self.reading.is_empty() && self.writing.is_empty() {
            return None;
        }
        let mut budget = self.profile.max_step_tokens.saturating_sub(self.writing.len() as u64).max(1);
        let mut read = 0;
        for sequence in &mut self.reading {
            let piece = sequence.unread.min(budget);
            sequence.unread -= piece;
            (budget, read) = (budget - piece, read + piece);
        }
        self.unread -= read;
        let span = millis(self.profile.step_ms)
            + millis(self.profile.prefill_per_token_ms) * read
            + millis(self.profile.decode_per_request_ms) * self.writing.len() as u64
            + micros(self.profile.decode_per_context_token_us) * self.context;
        self.tally.steps += 1;
        self.tally.busy += span;
        Some(span)
    }

    fn finish(&mut self, now: u64, ended: &mut Vec<Flight>) {
        let due = self.turning[(self.steps % self.profile.page_tokens) as usize];
        self.pages.add(due as u64);
        self.steps += 1;
        self.context += self.writing.len() as u64;
        while let Some(mut sequence) = self.reading.pop_front_if(|first| first.unread == 0) {
            sequence.flight.first_token.get_or_insert(now);
            let so_far = sequence.kept + 1;
            self.start_writing(sequence, so_far);
        }
        self.pages.make_room();
        self.fresh = true;
        self.tally.most_held = self.tally.most_held.max(self.pages.held());
        while let Some(last) = self.writing.pop_if(|last| last.end == self.steps) {
            self.stop_writing(&last);
            ended.push(last.flight);
        }
    }

    fn report(&mut self, tell: &mut dyn FnMut(&Flight, u64)) {
        if !std::mem::take(&mut self.fresh) {
            return;
        }
        let mut tell = |flight: &mut Flight, so_far: u64| {
            if so_far > flight.delivered {
                tell(flight, so_far - flight.delivered);
                flight.delivered = so_far;
            }
        };
        for Sequence { flight, end, .. } in &mut self.writing {
            let so_far = written(&flight.request) - (*end - self.steps);
            tell(flight, so_far);
        }
        for Sequence { flight, kept, .. } in self.reading.iter_mut().chain(&mut self.put_off) {
            tell(flight, *kept);
        }
    }

    fn tally(&self) -> Tally {
        self.tally
    }
}
