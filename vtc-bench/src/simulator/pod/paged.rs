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

use serde::{Deserialize, Serialize};

use super::prefix_cache::PrefixCache;
use super::{Flight, Pod, Tally, written};
use crate::request::Request;
use crate::simulator::profile::{micros, millis};

/// A pod that gives out memory in pages.
///
/// The times of the default are those measured for the A10G, in the form of one mixed step. It is a model of how such an
/// engine works, not of one that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PagedProfile {
    /// What a step takes whatever is in it, the host's part included, in milliseconds.
    pub step_ms: f64,
    /// What each prompt token that is read adds to a step, in milliseconds.
    pub prefill_per_token_ms: f64,
    /// What each request that writes adds to a step, in milliseconds.
    pub decode_per_request_ms: f64,
    /// What each token of their context adds to a step, in microseconds.
    pub decode_per_context_token_us: f64,
    /// Tokens that the cache of keys and values has room for.
    pub pool_tokens: u64,
    /// Tokens of a page.
    pub page_tokens: u64,
    /// The most requests that run at the same time.
    pub max_running: usize,
    /// The most tokens that one step reads and writes.
    pub max_step_tokens: u64,
    /// Tokens of a block of the prefixes in a trace, a multiple of a page; 0: prefixes are not kept.
    pub prefix_tokens: u64,
}

#[derive(Debug)]
pub(super) struct PagedPod {
    profile: PagedProfile,
    pages: u64,
    /// Put off, to be computed anew: the one that came first is the first to come back.
    put_off: VecDeque<Sequence>,
    /// Whose prompt is being read, the oldest first.
    reading: VecDeque<Sequence>,
    /// Who writes: by the step in which they end, the last first; of those that end together, the oldest last.
    writing: Vec<Sequence>,
    /// How many of those need a page in a step, by the step's number modulo a page's tokens.
    turning: Vec<usize>,
    /// Pages that belong to one request alone.
    private: u64,
    prefixes: PrefixCache,
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

// === impl PagedProfile ===

impl Default for PagedProfile {
    fn default() -> Self {
        Self {
            step_ms: 31.6,
            prefill_per_token_ms: 0.209,
            decode_per_request_ms: 0.149,
            decode_per_context_token_us: 0.751,
            pool_tokens: 10_000,
            page_tokens: 16,
            max_running: 256,
            max_step_tokens: 2048,
            prefix_tokens: 512,
        }
    }
}

// === impl PagedPod ===

impl PagedPod {
    pub(super) fn new(profile: &PagedProfile) -> Self {
        Self {
            pages: profile.pool_tokens / profile.page_tokens,
            turning: vec![0; profile.page_tokens as usize],
            profile: profile.clone(),
            put_off: VecDeque::new(),
            reading: VecDeque::new(),
            writing: Vec::new(),
            private: 0,
            prefixes: PrefixCache::default(),
            context: 0,
            unread: 0,
            steps: 0,
            admitted: 0,
            fresh: false,
            tally: Tally::default(),
        }
    }

    fn pages_per_block(&self) -> u64 {
        self.profile.prefix_tokens / self.profile.page_tokens
    }

    /// The blocks of the prompt that can be shared: the whole ones, but never all of the prompt, as the last token has to
    /// be read for the first one to be written.
    fn blocks<'a>(&self, request: &'a Request) -> &'a [u64] {
        let Some(blocks) = request.blocks.as_deref().filter(|_| self.profile.prefix_tokens > 0) else {
            return &[];
        };
        let whole = request.input.saturating_sub(1) / self.profile.prefix_tokens;
        &blocks[..blocks.len().min(whole as usize)]
    }

    /// Pages that neither a request nor a prefix in use has: those of unused prefixes are free for the asking.
    fn available(&self) -> u64 {
        self.pages - self.private - self.prefixes.used() as u64 * self.pages_per_block()
    }

    /// Pages of its own for so many tokens, of which so many blocks are shared.
    fn own_pages(&self, tokens: u64, shared: usize) -> u64 {
        tokens.div_ceil(self.profile.page_tokens) - shared as u64 * self.pages_per_block()
    }

    /// Whether there are pages for so many tokens of the request, and one to write on, beside those that are due.
    fn has_pages(&self, request: &Request, tokens: u64) -> bool {
        let blocks = self.blocks(request);
        let (found, unused) = (self.prefixes.found(blocks), self.prefixes.found_unused(blocks));
        let needed = tokens.div_ceil(self.profile.page_tokens) + 1;
        let there = (found - unused) as u64 * self.pages_per_block();
        needed.saturating_sub(there) + self.pages_due() <= self.available()
    }

    /// Gives up unused prefixes until what is in use fits beside them.
    fn make_room(&mut self) {
        let per_block = self.pages_per_block();
        while self.private + (self.prefixes.used() + self.prefixes.unused()) as u64 * per_block > self.pages
            && self.prefixes.give_up()
        {}
    }

    /// The budget of the step that is left for prompts.
    fn budget(&self) -> u64 {
        self.profile.max_step_tokens.saturating_sub(self.writing.len() as u64 + self.unread)
    }

    /// Gives a request its pages and lets it be read.
    fn take_in(&mut self, mut sequence: Sequence) {
        let blocks = self.blocks(&sequence.flight.request).to_vec();
        let tokens = sequence.flight.request.input + sequence.kept;
        let cached = self.prefixes.found(&blocks) as u64 * self.profile.prefix_tokens;
        self.prefixes.take(&blocks);
        sequence.shared = blocks.len();
        sequence.unread = tokens - cached;
        self.private += self.own_pages(tokens, blocks.len());
        self.unread += sequence.unread;
        self.tally.cached += cached;
        self.reading.push_back(sequence);
        self.make_room();
    }

    /// Takes a request's memory away. `tokens` is what it has pages for.
    fn release(&mut self, sequence: &Sequence, tokens: u64) {
        self.private -= self.own_pages(tokens, sequence.shared);
        let blocks = self.blocks(&sequence.flight.request);
        let shared = blocks[..sequence.shared].to_vec();
        self.prefixes.give_back(&shared);
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
        let before = self.own_pages(self.tokens(&sequence) - 1, sequence.shared);
        self.private += self.own_pages(self.tokens(&sequence), sequence.shared) - before;
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
        while self.pages_due() > self.available() && self.reading.len() + self.writing.len() > 1 {
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
            let has_room = self.budget() > 0 && self.has_pages(&sequence.flight.request, tokens);
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
        (request.input + written(request)).div_ceil(self.profile.page_tokens) < self.pages
    }

    fn is_open(&self) -> bool {
        self.put_off.is_empty()
    }

    fn takes(&self, request: &Request) -> bool {
        self.is_open()
            && self.running() < self.profile.max_running
            && self.budget() > 0
            && self.has_pages(request, request.input)
    }

    fn admit(&mut self, flight: Flight) {
        self.admitted += 1;
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
        self.private += due as u64;
        self.steps += 1;
        self.context += self.writing.len() as u64;
        while let Some(mut sequence) = self.reading.pop_front_if(|first| first.unread == 0) {
            sequence.flight.first_token.get_or_insert(now);
            let so_far = sequence.kept + 1;
            self.start_writing(sequence, so_far);
        }
        self.make_room();
        self.fresh = true;
        let in_use = self.pages - self.available();
        self.tally.most_held = self.tally.most_held.max(in_use * self.profile.page_tokens);
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
