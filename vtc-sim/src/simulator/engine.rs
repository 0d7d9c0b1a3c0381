//! The events, and what each sets off.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use vtc_core::queue::discipline::Fcfs;
use vtc_core::{ConfigError, Usage};

use super::gateway::{Gateway, Place};
use super::pod::{self, Flight, Pod, Tally};
use super::policy::{Order, Placement, Predictor};
use super::queue::{Queue, identity};
use super::rate_limit::RateLimit;
use super::{Setup, Summary};
use crate::request::{Outcome, Request, Served};
use crate::workload::Client;

/// A run.
pub(super) struct Engine<'a, S> {
    clients: &'a [Client],
    sink: S,
    limit: Option<RateLimit>,
    queue: Option<Queue<'a>>,
    gateway: Option<Gateway>,
    /// One pod that is given nothing: what it could not hold is refused.
    sample: Box<dyn Pod>,
    pods: Vec<Box<dyn Pod>>,
    /// What was routed to each pod and has not been taken in there.
    lines: Vec<VecDeque<Flight>>,
    /// Pods that do nothing.
    idle: BTreeSet<usize>,
    /// When each step that is under way is over, the earliest on top.
    steps: BinaryHeap<Reverse<(u64, usize)>>,
    summary: Summary,
    /// Requests that end with a step, and pods that are at the beginning of one: kept for their memory.
    ended: Vec<Flight>,
    at_step: Vec<usize>,
}

/// Nanoseconds of a second.
const SECOND: f64 = 1e9;

// === impl Engine ===

impl<'a, S: FnMut(&Outcome)> Engine<'a, S> {
    pub(super) fn new(setup: &Setup, clients: &'a [Client], sink: S) -> Result<Self, ConfigError> {
        let (pods, profile) = match setup.policy.placement {
            Placement::Pooled => (1, &setup.profile.pooled(setup.pods.max(1))),
            Placement::Pulled | Placement::Routed(_) => (setup.pods.max(1), &setup.profile),
        };
        let (limit, discipline, predictor) = match setup.policy.order {
            Order::None => (None, None, Predictor::MovingAverage),
            Order::Rpm(most) => (Some(RateLimit::new(most)), Some(Fcfs::NAME), Predictor::MovingAverage),
            Order::Queue(discipline, predictor) => (None, Some(discipline), predictor),
        };
        let queue = discipline.map(|name| Queue::new(setup, clients, name, predictor)).transpose()?;
        let capacity = queue.is_some().then_some(setup.capacity);
        let routed = setup.policy.placement.routed();
        let gateway = routed.map(|policy| Gateway::new(policy, pods, capacity, setup)).transpose()?;
        Ok(Self {
            clients,
            sink,
            limit,
            queue,
            gateway,
            sample: pod::make(&setup.profile),
            pods: (0..pods).map(|_| pod::make(profile)).collect(),
            lines: (0..pods).map(|_| VecDeque::new()).collect(),
            idle: (0..pods).collect(),
            steps: BinaryHeap::new(),
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
            let expires = self.queue.as_ref().and_then(Queue::next_deadline);
            let Some(next) = [comes, ends, expires].into_iter().flatten().min() else { break };
            now = next;
            if let Some(gateway) = &self.gateway {
                gateway.set_time(now);
            }
            self.expire(now);
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
        debug_assert!(self.queue.as_ref().is_none_or(Queue::is_empty));
        self.summary.most_waiting = self.queue.as_ref().map_or(0, Queue::most_waiting);
        self.summary.pods = self.pods.iter().fold(Tally::default(), |sum, pod| sum.and(pod.tally()));
        self.summary
    }

    fn arrive(&mut self, request: Request, now: u64) {
        self.summary.requests += 1;
        let fits = self.sample.could_hold(&request);
        if !fits || self.limit.as_mut().is_some_and(|limit| !limit.accepts(request.client, now)) {
            return self.refuse(&request);
        }
        if self.queue.as_ref().is_none_or(|queue| !queue.knows(request.client)) {
            self.report();
        }
        match &mut self.queue {
            None => self.route(request),
            Some(queue) => {
                if let Err(request) = queue.push(request, now) {
                    self.refuse(&request);
                }
            }
        }
    }

    /// Whoever has waited for as long as it may is refused.
    fn expire(&mut self, now: u64) {
        let is_due = |queue: &Queue<'_>| queue.next_deadline().is_some_and(|deadline| deadline <= now);
        if !self.queue.as_ref().is_some_and(is_due) {
            return;
        }
        // A client whose last request goes leaves the order, at its counter.
        self.report();
        while let Some(request) = self.queue.as_mut().and_then(|queue| queue.expire(now)) {
            self.refuse(&request);
        }
    }

    /// Whether anybody waits in the queue.
    fn is_waited(&self) -> bool {
        self.queue.as_ref().is_some_and(Queue::is_waiting)
    }

    fn refuse(&mut self, request: &Request) {
        self.summary.refused += 1;
        let Request { arrival, client, input, output, .. } = *request;
        (self.sink)(&Outcome { arrival, client, input, output, served: None });
    }

    /// Without a queue: to some pod's line.
    fn route(&mut self, request: Request) {
        let (user, _) = identity(self.clients, request.client);
        let place = self.gateway.as_mut().and_then(|gateway| gateway.place(user, &request, 0));
        match place {
            Some(place) => self.lines[place.pod].push_back(routed(request, place)),
            None => self.refuse(&request),
        }
    }

    /// A gateway with a queue: whoever goes next goes to a pod's line, while the gateway thinks that there is room.
    fn dispatch(&mut self) {
        if self.gateway.is_none() || !self.is_waited() {
            return;
        }
        self.report();
        let Self { queue: Some(queue), gateway: Some(gateway), clients, .. } = self else { return };
        while let Some(gone) = queue.pop(|head| {
            let (user, _) = identity(clients, head.payload.client);
            gateway.place(user, head.payload, head.prepaid)
        }) {
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
        } else if self.is_waited() {
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
        if self.gateway.is_some() || !self.is_waited() || !pods.iter().any(|pod| self.pods[*pod].is_open()) {
            return;
        }
        self.report();
        let Self { queue: Some(queue), pods: all, .. } = self else { return };
        while let Some(gone) = queue.pop(|head| {
            let takes = |pod: &&usize| all[**pod].takes(head.payload);
            pods.iter().filter(takes).min_by_key(|pod| all[**pod].running()).copied()
        }) {
            all[gone.place].admit(Flight { id: Some(gone.id), ..Flight::new(gone.payload) });
        }
    }

    /// A pod's step is over. Says whether a request ended with it.
    fn finish(&mut self, pod: usize, now: u64) -> bool {
        let mut ended = std::mem::take(&mut self.ended);
        self.pods[pod].finish(now, &mut ended);
        if self.queue.as_ref().is_some_and(Queue::is_capped) && !ended.is_empty() {
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
                queue.settle(id, Usage { input, cached: flight.cached, output });
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

fn routed(request: Request, place: Place) -> Flight {
    Flight { ticket: Some(place.ticket), guess: place.guess, ..Flight::new(request) }
}

/// Seconds as whole nanoseconds.
fn nanos(seconds: f64) -> u64 {
    (seconds * SECOND).round() as u64
}
