//! The events, and what each sets off.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use vtc_core::queue::discipline::{self, DisciplineOptions, Fcfs};
use vtc_core::queue::{QueueLimits, Weight};
use vtc_core::{Arrival, ConfigError, FairQueue, Tokens, Usage};

use super::gateway::{Gateway, Place};
use super::pod::{self, Flight, Pod, Tally};
use super::policy::{Order, Predictor};
use super::rate_limit::RateLimit;
use super::{Setup, Summary};
use crate::request::{Outcome, Request, Served};
use crate::workload::Client;

/// A run.
pub(super) struct Engine<'a, S> {
    clients: &'a [Client],
    sink: S,
    limit: Option<RateLimit>,
    queue: Option<FairQueue<Request>>,
    predictor: Predictor,
    capped: bool,
    gateway: Option<Gateway>,
    pods: Vec<Box<dyn Pod>>,
    /// What was routed to each pod and has not been taken in there.
    lines: Vec<VecDeque<Flight>>,
    /// Pods that do nothing.
    idle: BTreeSet<usize>,
    /// When each step that is under way is over, the earliest on top.
    steps: BinaryHeap<Reverse<(u64, usize)>>,
    /// How many requests of each client wait in the queue.
    waiting: Vec<u32>,
    rng: Xoshiro256PlusPlus,
    summary: Summary,
    /// Requests that end with a step, and pods that are at the beginning of one: kept for their memory.
    ended: Vec<Flight>,
    at_step: Vec<usize>,
}

/// Nanoseconds of a second.
const SECOND: f64 = 1e9;
/// The part of what the pods hold that the quantum of deficit round robin is.
const QUANTUM: f64 = 20.0;

// === impl Engine ===

impl<'a, S: FnMut(&Outcome)> Engine<'a, S> {
    pub(super) fn new(setup: &Setup, clients: &'a [Client], sink: S) -> Result<Self, ConfigError> {
        let pods = setup.pods.max(1);
        let (limit, discipline, predictor) = match setup.policy.order {
            Order::None => (None, None, Predictor::MovingAverage),
            Order::Rpm(most) => (Some(RateLimit::new(most)), Some(Fcfs::NAME), Predictor::MovingAverage),
            Order::Queue(discipline, predictor) => (None, Some(discipline), predictor),
        };
        let queue = discipline.map(|name| queue(setup, name, predictor)).transpose()?;
        let capacity = queue.is_some().then_some(setup.capacity);
        let gateway =
            setup.policy.pods.map(|policy| Gateway::new(policy, pods, capacity, setup.seed)).transpose()?;
        Ok(Self {
            clients,
            sink,
            limit,
            queue,
            predictor,
            capped: setup.policy.running_per_user.is_some(),
            gateway,
            pods: (0..pods).map(|_| pod::make(&setup.profile)).collect(),
            lines: (0..pods).map(|_| VecDeque::new()).collect(),
            idle: (0..pods).collect(),
            steps: BinaryHeap::new(),
            waiting: vec![0; clients.len()],
            // Another sequence than the gateway's.
            rng: Xoshiro256PlusPlus::seed_from_u64(!setup.seed),
            summary: Summary::default(),
            ended: Vec::new(),
            at_step: Vec::new(),
        })
    }

    pub(super) fn run(mut self, arrivals: impl Iterator<Item = Request>) -> Summary {
        let mut arrivals = arrivals.peekable();
        let mut now = 0;
        loop {
            let comes = arrivals.peek().map(|request| nanos(request.arrival).max(now));
            let ends = self.steps.peek().map(|Reverse((at, _))| *at);
            now = match (comes, ends) {
                (None, None) => break,
                (Some(comes), Some(ends)) => comes.min(ends),
                (Some(at), None) | (None, Some(at)) => at,
            };
            if let Some(gateway) = &self.gateway {
                gateway.set_time(now);
            }
            let mut came = false;
            while let Some(request) = arrivals.next_if(|request| nanos(request.arrival) <= now) {
                came = true;
                self.arrive(request, now);
            }
            let mut done = false;
            while self.steps.peek().is_some_and(|Reverse((at, _))| *at == now) {
                if let Some(Reverse((_, pod))) = self.steps.pop() {
                    done |= self.finish(pod, now);
                    self.at_step.push(pod);
                }
            }
            if came || done {
                self.dispatch();
            }
            self.go_on(now);
        }
        debug_assert!(self.queue.as_ref().is_none_or(|queue| queue.waiting() + queue.running() == 0));
        self.summary.pods = self.pods.iter().fold(Tally::default(), |sum, pod| sum.and(pod.tally()));
        self.summary
    }

    fn arrive(&mut self, request: Request, now: u64) {
        self.summary.requests += 1;
        let client = request.client;
        let held = self.pods.first().is_some_and(|pod| pod.could_hold(&request));
        if !held || self.limit.as_mut().is_some_and(|limit| !limit.accepts(client, now)) {
            return self.refuse(&request);
        }
        if self.queue.is_none() {
            self.report();
            return self.route(request);
        }
        // Whoever has a request waiting is in the order already, where one more changes nothing.
        let index = client as usize;
        let alone = self.waiting.get(index).is_none_or(|waiting| *waiting == 0);
        if alone {
            self.report();
        }
        let rng = &mut self.rng;
        let max_output = self.predictor.told(request.output, || rng.random());
        let (user, weight) = identity(self.clients, client);
        let input = request.input;
        let arrival = Arrival { user, weight, input, max_output, bytes: 0, deadline: None, payload: request };
        let Some(queue) = &mut self.queue else { return };
        match queue.push(arrival) {
            Ok(_) => {
                if let Some(waiting) = self.waiting.get_mut(index) {
                    *waiting += 1;
                }
                self.summary.most_waiting = self.summary.most_waiting.max(queue.waiting());
            }
            Err(refused) => self.refuse(&refused.payload),
        }
    }

    fn refuse(&mut self, request: &Request) {
        self.summary.refused += 1;
        let Request { arrival, client, input, output, .. } = *request;
        (self.sink)(&Outcome { arrival, client, input, output, served: None });
    }

    /// Without a queue: to some pod's line.
    fn route(&mut self, request: Request) {
        let (user, _) = identity(self.clients, request.client);
        let place = self.gateway.as_mut().and_then(|gateway| gateway.place(user, request.input, 0));
        match place {
            Some(place) => self.lines[place.pod].push_back(routed(request, place)),
            None => self.refuse(&request),
        }
    }

    /// A gateway with a queue: whoever goes next goes to a pod's line, while the gateway thinks that there is room.
    fn dispatch(&mut self) {
        if self.gateway.is_none() || self.queue.as_ref().is_none_or(|queue| queue.waiting() == 0) {
            return;
        }
        self.report();
        let Self { queue: Some(queue), gateway: Some(gateway), clients, .. } = self else { return };
        while let Some(gone) = queue.pop(|head| {
            let (user, _) = identity(clients, head.payload.client);
            gateway.place(user, head.input, head.prepaid)
        }) {
            if let Some(waiting) = self.waiting.get_mut(gone.payload.client as usize) {
                *waiting -= 1;
            }
            let pod = gone.place.pod;
            let flight = Flight { id: Some(gone.id), ..routed(gone.payload, gone.place) };
            self.lines[pod].push_back(flight);
        }
    }

    /// Pods at the beginning of a step take in whom they can, and begin it.
    fn go_on(&mut self, now: u64) {
        let mut pods = std::mem::take(&mut self.at_step);
        if self.gateway.is_some() {
            pods.extend(self.idle.iter().filter(|pod| !self.lines[**pod].is_empty()));
        } else if self.queue.as_ref().is_some_and(|queue| queue.waiting() > 0) {
            pods.extend(&self.idle);
        }
        pods.sort_unstable();
        self.pull(&pods);
        for pod in pods.drain(..) {
            let (line, at) = (&mut self.lines[pod], &mut self.pods[pod]);
            while let Some(flight) = line.pop_front_if(|first| at.takes(&first.request)) {
                at.admit(flight);
            }
            match self.pods[pod].begin() {
                Some(span) => {
                    self.idle.remove(&pod);
                    self.steps.push(Reverse((now + span, pod)));
                }
                None => {
                    self.idle.insert(pod);
                }
            }
        }
        self.at_step = pods;
    }

    /// Without a gateway, these pods ask the queue who comes in.
    fn pull(&mut self, pods: &[usize]) {
        let waits = self.queue.as_ref().is_some_and(|queue| queue.waiting() > 0);
        if self.gateway.is_some() || !waits || !pods.iter().any(|pod| self.pods[*pod].is_open()) {
            return;
        }
        self.report();
        let Self { queue: Some(queue), pods: all, .. } = self else { return };
        while let Some(gone) = queue.pop(|head| {
            let takes = |pod: &&usize| all[**pod].takes(head.payload);
            pods.iter().filter(takes).min_by_key(|pod| all[**pod].running()).copied()
        }) {
            if let Some(waiting) = self.waiting.get_mut(gone.payload.client as usize) {
                *waiting -= 1;
            }
            all[gone.place].admit(Flight { id: Some(gone.id), ..Flight::new(gone.payload) });
        }
    }

    /// A pod's step is over. Says whether a request ended with it.
    fn finish(&mut self, pod: usize, now: u64) -> bool {
        let mut ended = std::mem::take(&mut self.ended);
        self.pods[pod].finish(now, &mut ended);
        if self.capped && !ended.is_empty() {
            // An end may bring its user back into the order, at the level: all tokens of before are charged first, also
            // the last ones of those who end with it.
            self.report();
            for flight in &ended {
                if let (Some(queue), Some(id)) = (&mut self.queue, flight.id) {
                    queue.delivered(id, pod::written(&flight.request) - flight.delivered);
                }
            }
        }
        let any = !ended.is_empty();
        for flight in ended.drain(..) {
            let Request { arrival, client, input, output, .. } = flight.request;
            if let (Some(queue), Some(id)) = (&mut self.queue, flight.id) {
                queue.settle(id, Usage::new(input, output));
            }
            if let Some(gateway) = &mut self.gateway {
                gateway.end(pod, &flight);
            }
            let first_token = flight.first_token.unwrap_or(now) as f64 / SECOND;
            let served = Some(Served { first_token, end: now as f64 / SECOND });
            self.summary.end = now as f64 / SECOND;
            (self.sink)(&Outcome { arrival, client, input, output, served });
        }
        self.ended = ended;
        any
    }

    /// Charges the tokens that came since the last time.
    fn report(&mut self) {
        let Self { pods, queue, gateway, .. } = self;
        for (number, pod) in pods.iter_mut().enumerate() {
            pod.report(&mut |flight, more| {
                if let (Some(queue), Some(id)) = (&mut *queue, flight.id) {
                    queue.delivered(id, more);
                }
                if let Some(gateway) = &mut *gateway {
                    gateway.progress(number, flight, more);
                }
            });
        }
    }
}

/// The queue of that discipline.
fn queue(setup: &Setup, name: &'static str, predictor: Predictor) -> Result<FairQueue<Request>, ConfigError> {
    let held = setup.profile.pool_tokens() as f64 * setup.pods.max(1) as f64;
    let wrong = |allowed: String| ConfigError::new("policy", name, allowed);
    let quantum = Tokens::new(held / QUANTUM).map_err(|error| wrong(error.to_string()))?;
    let discipline = discipline::by_name(name, &DisciplineOptions { quantum });
    let discipline = discipline.map_err(|error| wrong(error.to_string()))?;
    let running_per_user = setup.policy.running_per_user.unwrap_or(usize::MAX);
    let limits = QueueLimits { running_per_user, ..QueueLimits::NONE };
    Ok(FairQueue::new(discipline).with_predictor(predictor.make()).with_limits(limits))
}

/// Who asks, and with which weight.
fn identity(clients: &[Client], client: u32) -> (&str, Weight) {
    clients.get(client as usize).map_or(("", Weight::ONE), |client| (&*client.name, client.weight))
}

fn routed(request: Request, place: Place) -> Flight {
    Flight { ticket: Some(place.ticket), guess: place.guess, ..Flight::new(request) }
}

/// Seconds as whole nanoseconds.
fn nanos(seconds: f64) -> u64 {
    (seconds * SECOND).round() as u64
}
