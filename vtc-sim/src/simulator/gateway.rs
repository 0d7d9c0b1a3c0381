//! The gateway before the pods: the real router on scripted time, and how much it thinks each pod has room for.

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use vtc_core::policy::{Loads, View};
use vtc_core::{
    ConfigError, ManualClock, Noise, PodTable, RouteRequest, Router, SimpleTokenEstimator, Tick, Ticket,
    TokenTracker, VtcConfig,
};

use super::Setup;
use super::pod::Flight;
use super::policy::PodPolicy;
use crate::request::Request;

/// How much a gateway gives one pod at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Requests.
    pub running: usize,
    /// Tokens: prompts, and what the answers are thought to take or have taken. One request alone always has room.
    pub tokens: u64,
}

#[derive(Debug)]
pub(super) struct Gateway {
    router: Router<ManualClock>,
    clock: ManualClock,
    table: PodTable,
    policy: PodPolicy,
    /// `None`: pods are given whatever comes.
    capacity: Option<Capacity>,
    held: Vec<Held>,
    rng: Xoshiro256PlusPlus,
}

/// What a pod was given and has not finished.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    running: usize,
    tokens: u64,
}

/// Where a request goes.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) pod: usize,
    pub(super) ticket: Ticket<ManualClock>,
    /// Tokens that its answer is thought to take.
    pub(super) guess: u64,
}

/// The loads of pods in another order.
#[derive(Debug)]
struct Shuffled<'a> {
    pods: &'a PodTable,
    order: &'a [usize],
}

// === impl Gateway ===

impl Gateway {
    pub(super) fn new(
        policy: PodPolicy,
        pods: usize,
        capacity: Option<Capacity>,
        setup: &Setup,
    ) -> Result<Self, ConfigError> {
        let clock = ManualClock::new();
        let config = VtcConfig { policy: policy.name().to_owned(), ..setup.vtc.clone() };
        let router = Router::with_clock(config, clock.clone())?;
        // As wide as the largest number, so that the order by name is the order by number.
        let names: Vec<_> = (0..pods).map(|pod| format!("pod-{pod:06}")).collect();
        router.pods().set(names.iter().map(String::as_str));
        let table = router.pods().table();
        let rng = Xoshiro256PlusPlus::seed_from_u64(setup.seed);
        Ok(Self { router, clock, table, policy, capacity, held: vec![Held::default(); pods], rng })
    }

    pub(super) fn set_time(&self, now: u64) {
        self.clock.set(Tick::from_nanos(now));
    }

    /// Finds a pod with room, and takes a place there. `prepaid` is the predicted output, if there is a prediction.
    pub(super) fn place(&mut self, user: &str, request: &Request, prepaid: u64) -> Option<Place> {
        let input = request.input;
        let estimate = || (input as f64 * SimpleTokenEstimator::default().output_ratio).ceil() as u64;
        let guess = if prepaid > 0 { prepaid } else { request.guess.unwrap_or_else(estimate) };
        let has_room =
            |held: &Held| self.capacity.is_none_or(|capacity| capacity.admits(held, input + guess));
        let roomy;
        let pods = if self.held.iter().all(has_room) {
            &self.table
        } else {
            let with_room = self.table.pods().iter().zip(&self.held).filter(|(_, held)| has_room(held));
            roomy = PodTable::new(with_room.map(|(pod, _)| std::sync::Arc::clone(pod)));
            &roomy
        };
        let request =
            RouteRequest { user: Some(user), input_tokens: input as f64, output_tokens: guess as f64 };
        let ticket = match self.policy {
            PodPolicy::Stable(_) => {
                // The router draws from its thread's generator.
                fastrand::seed(self.rng.random());
                self.router.route_among(pods, self.router.default_policy(), &request).ok()?
            }
            PodPolicy::VtcBasicShuffled => {
                let mut order: Vec<_> = (0..pods.pods().len()).collect();
                order.shuffle(&mut self.rng);
                let tracker = self.router.tracker();
                let view = View {
                    pods: &Shuffled { pods, order: &order },
                    user_tokens: Some(tracker.token_count(user)),
                    extremes: tracker.extremes(),
                    noise: Noise::seeded(self.rng.random()),
                };
                let position = self.router.default_policy().choose(&view)?;
                self.router.assign(pods.pods().get(*order.get(position)?)?, &request).ok()?
            }
        };
        let name = ticket.pod().name();
        let pod = self.table.pods().binary_search_by(|pod| pod.name().cmp(name)).ok()?;
        self.held[pod].running += 1;
        self.held[pod].tokens += input + guess;
        Some(Place { pod, ticket, guess })
    }

    /// The answer has so many tokens more: what passes the guess is held as well.
    pub(super) fn progress(&mut self, pod: usize, flight: &Flight, more: u64) {
        let Some(ticket) = &flight.ticket else { return };
        let output = flight.delivered + more;
        // Whole numbers are finite.
        let _ = ticket.progress(flight.request.input as f64, output as f64);
        self.held[pod].tokens += more.min(output.saturating_sub(flight.guess));
    }

    /// A request has ended.
    pub(super) fn end(&mut self, pod: usize, flight: &Flight) {
        let Some(ticket) = &flight.ticket else { return };
        let Request { input, output, .. } = flight.request;
        let _ = ticket.settle(input as f64, output as f64);
        self.held[pod].running -= 1;
        self.held[pod].tokens -= input + flight.guess.max(flight.delivered);
    }
}

// === impl Capacity ===

impl Capacity {
    const fn admits(&self, held: &Held, tokens: u64) -> bool {
        held.running < self.running && (held.running == 0 || held.tokens + tokens <= self.tokens)
    }
}

// === impl Shuffled ===

impl Loads for Shuffled<'_> {
    fn len(&self) -> usize {
        self.order.len()
    }

    fn running(&self, pod: usize) -> f64 {
        self.order.get(pod).map_or(0.0, |pod| self.pods.running(*pod))
    }
}
