//! The fair queue of a run, which knows its clients by number.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use vtc_core::cost::LinearCost;
use vtc_core::queue::discipline::{self, DisciplineOptions};
use vtc_core::queue::{Dispatched, Head, QueueLimits, RequestId, Weight};
use vtc_core::{Arrival, ConfigError, FairQueue, Tick, Tokens, Usage};

use super::Setup;
use super::policy::Predictor;
use crate::request::Request;
use crate::workload::Client;

/// The queue of a run.
pub(super) struct Queue<'a> {
    clients: &'a [Client],
    queue: FairQueue<Request>,
    predictor: Predictor,
    rng: Xoshiro256PlusPlus,
    /// How many requests of each client wait.
    waiting: Vec<u32>,
    /// The most that waited at a time, of all.
    most_waiting: usize,
    /// Whether there is a limit to what one client runs.
    capped: bool,
    /// How long a request may wait.
    longest_wait: Option<Duration>,
}

/// The part of what the pods hold that the quantum of deficit round robin is.
const QUANTUM: f64 = 20.0;

// === impl Queue ===

impl<'a> Queue<'a> {
    /// An empty queue of that discipline.
    pub(super) fn new(
        setup: &Setup,
        clients: &'a [Client],
        discipline: &'static str,
        predictor: Predictor,
    ) -> Result<Self, ConfigError> {
        let held = setup.profile.pool_tokens() as f64 * setup.pods.max(1) as f64;
        let wrong = |allowed: String| ConfigError::new("policy", discipline, allowed);
        let quantum =
            Tokens::new(setup.quantum.unwrap_or(held / QUANTUM)).map_err(|error| wrong(error.to_string()))?;
        let by_name = discipline::by_name(discipline, &DisciplineOptions { quantum });
        let by_name = by_name.map_err(|error| wrong(error.to_string()))?;
        let cap = setup.policy.running_per_user;
        let limits = QueueLimits { running_per_user: cap.unwrap_or(usize::MAX), ..setup.limits };
        let queue = FairQueue::new(by_name)
            .with_predictor(predictor.make())
            .with_cost(LinearCost::new(setup.vtc.tracker.weights)?.with_cached(setup.cached_cost)?)
            .with_limits(limits);
        Ok(Self {
            clients,
            queue,
            predictor,
            // Another sequence than the gateway's.
            rng: Xoshiro256PlusPlus::seed_from_u64(!setup.seed),
            waiting: vec![0; clients.len()],
            most_waiting: 0,
            capped: cap.is_some(),
            longest_wait: setup.longest_wait,
        })
    }

    /// Whether anybody waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.queue.waiting() > 0
    }

    /// Whether nobody waits and nothing runs.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.waiting() + self.queue.running() == 0
    }

    /// Whether a request of that client waits already: then it is in the order, where one more changes nothing.
    pub(super) fn knows(&self, client: u32) -> bool {
        self.waiting.get(client as usize).is_some_and(|waiting| *waiting > 0)
    }

    /// Whether an end may bring its client back into the order.
    pub(super) const fn is_capped(&self) -> bool {
        self.capped
    }

    /// The most that waited at a time.
    pub(super) const fn most_waiting(&self) -> usize {
        self.most_waiting
    }

    /// When somebody will have waited for as long as it may, in nanoseconds.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.queue.next_deadline().map(Tick::as_nanos)
    }

    /// Takes out one who has waited for as long as it may.
    pub(super) fn expire(&mut self, now: u64) -> Option<Request> {
        let (_, request) = self.queue.expire(Tick::from_nanos(now)).next()?;
        self.went(request.client);
        Some(request)
    }

    /// A request comes; it is given back if it is refused.
    pub(super) fn push(&mut self, request: Request, now: u64) -> Result<(), Request> {
        let client = request.client;
        let max_output = self.predictor.told(request.output, || self.rng.random());
        let (user, weight) = identity(self.clients, client);
        let input = request.input;
        let deadline = self.longest_wait.map(|wait| Tick::from_nanos(now).saturating_add(wait));
        let arrival = Arrival { user, weight, input, max_output, bytes: 0, deadline, payload: request };
        self.queue.push(arrival).map_err(|refused| refused.payload)?;
        if let Some(waiting) = self.waiting.get_mut(client as usize) {
            *waiting += 1;
        }
        self.most_waiting = self.most_waiting.max(self.queue.waiting());
        Ok(())
    }

    /// Lets go who goes next, if there is a place for that one.
    pub(super) fn pop<P>(
        &mut self,
        fits: impl FnOnce(&Head<'_, Request>) -> Option<P>,
    ) -> Option<Dispatched<Request, P>> {
        let gone = self.queue.pop(fits)?;
        self.went(gone.payload.client);
        Some(gone)
    }

    /// A request of that client waits no more.
    fn went(&mut self, client: u32) {
        if let Some(waiting) = self.waiting.get_mut(client as usize) {
            *waiting -= 1;
        }
    }

    /// So many tokens of that request's answer more.
    pub(super) fn delivered(&mut self, id: RequestId, more: u64) {
        self.queue.delivered(id, more);
    }

    /// That request has ended.
    pub(super) fn settle(&mut self, id: RequestId, usage: Usage) {
        self.queue.settle(id, usage);
    }
}

/// Who asks, and with which weight.
pub(super) fn identity(clients: &[Client], client: u32) -> (&str, Weight) {
    clients.get(client as usize).map_or(("", Weight::ONE), |client| (&*client.name, client.weight))
}
