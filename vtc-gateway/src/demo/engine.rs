//! A continuous-batching engine as plain numbers: no clock, no I/O, no model.
//!
//! Requests wait in one queue. A step is either the *prefill* of a mini-batch taken from the head
//! of that queue, which makes the first token of each, or one *decode*, which makes one token for
//! every running request. [`Engine::step`] says what the step did and how long the hardware would
//! have taken; whoever drives the engine lets that time pass.
//!
//! The mini-batch is chosen by [`admission`]: a request is let in only if everything running can
//! then reach its end without running out of KV memory, so nothing is ever preempted. That needs
//! the true output length, which a simulated pod knows because it decides it.

pub mod admission;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use self::admission::{Held, Limits, Refused};
use super::latency::LatencyModel;

/// What a pod is like: how fast it is and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// The time of a step.
    pub latency: LatencyModel,
    /// What fits.
    pub limits: Limits,
}

/// A request as the engine sees it: who asks, and how much is to be read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose it is. Requests of one client share the memory that is set aside for it.
    pub client: u64,
    /// Tokens of the prompt.
    pub input_tokens: u32,
    /// Tokens to produce, exactly. With 0 the prefill is all there is, as for an embedding.
    pub output_tokens: u32,
}

/// The name of a submitted request, never given twice by one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

/// What one step did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which kind of step.
    pub kind: StepKind,
    /// How long it takes. What `progress` tells is true only after that.
    pub duration: Duration,
    /// Every request the step worked on, at least one.
    pub progress: Vec<Progress>,
}

/// The two kinds of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// A mini-batch left the queue and was read.
    Prefill {
        /// Input tokens of the whole mini-batch.
        input_tokens: u32,
    },
    /// Every running request got one more token.
    Decode,
}

/// How far a step brought one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which request.
    pub id: RequestId,
    /// Tokens it has by now. Each step that touches a request adds one, except that a request for
    /// no output stays at 0.
    pub produced: u32,
    /// Whether that was all of it.
    pub finished: bool,
}

/// How full the engine is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gauges {
    /// Requests in the batch.
    pub running: usize,
    /// Requests in the queue.
    pub waiting: usize,
    /// Share of the KV pool that holds tokens, 0 to 1.
    pub kv_usage: f64,
}

/// The engine of one pod.
#[derive(Debug)]
pub struct Engine {
    profile: Profile,
    waiting: VecDeque<Entry>,
    running: Vec<Entry>,
    /// Decode steps since the last prefill.
    decodes: u32,
    next_id: u64,
}

/// A request on its way through the engine.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: RequestId,
    request: Request,
    produced: u32,
}

// === impl Profile ===

impl Profile {
    /// Llama-2-7B on one NVIDIA A10G, as measured.
    #[must_use]
    pub const fn a10g() -> Self {
        Self { latency: LatencyModel::a10g(), limits: Limits::a10g() }
    }
}

// === impl RequestId ===

impl RequestId {
    /// How many requests the engine took before this one.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

// === impl Engine ===

impl Engine {
    /// An engine with nothing to do.
    #[must_use]
    pub const fn new(profile: Profile) -> Self {
        Self { profile, waiting: VecDeque::new(), running: Vec::new(), decodes: 0, next_id: 0 }
    }

    /// Puts a request at the end of the queue. O(1).
    ///
    /// # Errors
    ///
    /// [`Refused`] if it would not fit even in an empty engine. Nothing has changed then.
    pub fn submit(&mut self, request: Request) -> Result<RequestId, Refused> {
        self.profile.limits.check(&request)?;
        let id = RequestId(self.next_id);
        self.next_id += 1;
        self.waiting.push_back(Entry { id, request, produced: 0 });
        Ok(id)
    }

    /// Takes a request out, wherever it is; its place and its memory are free at once. False if it
    /// had left already. O(requests).
    pub fn cancel(&mut self, id: RequestId) -> bool {
        if let Some(at) = self.running.iter().position(|entry| entry.id == id) {
            self.running.remove(at);
            return true;
        }
        match self.waiting.iter().position(|entry| entry.id == id) {
            Some(at) => self.waiting.remove(at).is_some(),
            None => false,
        }
    }

    /// Begins the next step and tells what it does, or `None` if there is nothing to do.
    ///
    /// Until the next call the engine looks as it does while this step runs: the gauges still count
    /// the requests that it finishes.
    pub fn step(&mut self) -> Option<Step> {
        self.running.retain(|entry| !entry.is_finished());
        match self.admissible() {
            0 if self.running.is_empty() => None,
            0 => Some(self.decode()),
            mini_batch => Some(self.prefill(mini_batch)),
        }
    }

    /// How full the engine is during the step that [`step`](Self::step) returned last.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let kv_pool = self.profile.limits.kv_pool.max(1);
        Gauges {
            running: self.running.len(),
            waiting: self.waiting.len(),
            kv_usage: f64::from(self.context_tokens()) / f64::from(kv_pool),
        }
    }

    /// What the engine was made with.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// How many requests from the head of the queue go into a mini-batch now.
    fn admissible(&self) -> usize {
        let limits = &self.profile.limits;
        if !self.running.is_empty() && self.decodes < limits.decodes_between_prefills {
            return 0;
        }
        let running = self.running.iter().map(Entry::held);
        limits.admissible(running, self.waiting.iter().map(|entry| &entry.request))
    }

    fn prefill(&mut self, mini_batch: usize) -> Step {
        self.decodes = 0;
        let first_new = self.running.len();
        self.running.extend(self.waiting.drain(..mini_batch));
        let fresh = &mut self.running[first_new..];
        let input_tokens = fresh.iter().map(|entry| entry.request.input_tokens).sum();
        Step {
            kind: StepKind::Prefill { input_tokens },
            duration: self.profile.latency.prefill_step(input_tokens),
            progress: fresh.iter_mut().map(Entry::advance).collect(),
        }
    }

    fn decode(&mut self) -> Step {
        self.decodes = self.decodes.saturating_add(1);
        // At most `Limits::running`, a u32.
        let requests = self.running.len() as u32;
        let duration = self.profile.latency.decode_step(requests, self.context_tokens());
        Step {
            kind: StepKind::Decode,
            duration,
            progress: self.running.iter_mut().map(Entry::advance).collect(),
        }
    }

    /// Tokens in the KV pool. Admission keeps them under its size, a u32.
    fn context_tokens(&self) -> u32 {
        self.running.iter().map(Entry::context_tokens).sum()
    }
}

// === impl Entry ===

impl Entry {
    const fn is_finished(&self) -> bool {
        self.produced >= self.request.output_tokens
    }

    const fn context_tokens(&self) -> u32 {
        self.request.input_tokens + self.produced
    }

    const fn held(&self) -> Held {
        Held {
            client: self.request.client,
            tokens: self.context_tokens(),
            remaining: self.request.output_tokens - self.produced,
        }
    }

    fn advance(&mut self) -> Progress {
        self.produced = (self.produced + 1).min(self.request.output_tokens);
        Progress { id: self.id, produced: self.produced, finished: self.is_finished() }
    }
}
