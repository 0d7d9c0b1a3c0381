//! A discrete-event simulator: requests come, wait, run on pods and end, in scripted time around the real `vtc-core`.
//!
//! What decides is the code that decides in production: [`FairQueue`](vtc_core::FairQueue) with its disciplines and
//! predictors, [`Router`](vtc_core::Router) with its tracker and policies, on a [`ManualClock`](vtc_core::ManualClock).
//! What is simulated is what surrounds it: who comes when, and what a pod does with it.
//!
//! # Drawbacks first
//!
//! - **A pod is arithmetic.** How long a step takes is a sum of a few measured terms. The `a10g` profile was measured;
//!   the `vllm` profile is the same times in the form of another engine, which nobody measured.
//! - **Nothing fails, nobody leaves early,** and the network takes no time.
//! - **One thread.** Runs in parallel are several runs: `compare` does that.
//!
//! # How it works
//!
//! Three events move time: a request comes, a pod's step is over, a request has waited for too long. At one moment those who
//! have waited too long are first, then arrivals, then steps by the pod's number. Time is whole nanoseconds, so sums are exact and the same run gives the same digits anywhere.
//!
//! A request is refused, or it goes through one mechanism: [`FairQueue::pop`](vtc_core::FairQueue::pop) with a closure
//! that asks for a place. There are two who can be asked ([`Policy`]):
//!
//! ```text
//! pods ask    a pod is about to begin a step at which it takes requests in, or is idle: while what goes next fits
//!             there, it comes in. The queue is the engine's own scheduler, as in the paper. Of several such pods at one
//!             moment the one that runs fewest gets it.
//! gateway     whenever a request comes or ends: while some pod has room by the gateway's own count (a Capacity), what
//!             goes next is routed to one of those by the pod policy, and waits there in the pod's own line.
//! one engine  the same, where all pods are one engine with the memory and the speed of all: the reference for one queue
//!             over many pods.
//! no queue    a request is routed when it comes, whatever the pods have.
//! ```
//!
//! Tokens are charged to the queue and to the tickets as they flow. Charges of one request add up, and nobody looks at a
//! counter between two events, so they are reported in one sum before somebody does: before a pop, before a request of
//! a user who has none waiting is pushed, before a route, and before an end. The choices are those of reporting each
//! token when it comes; a naive simulator that does, agrees to the nanosecond (`tests/simulator/`).
//!
//! A request that no pod could ever hold is refused, as it would stop everybody behind it for ever; so is one that finds
//! the queue full, or has waited in it for as long as it may.
//!
//! Memory follows what waits and runs: arrivals are an iterator, and what became of each request goes to a function.
//!
//! ```
//! use vtc_sim::simulator::{Setup, simulate};
//! use vtc_sim::workload;
//!
//! let workload = workload::by_name("overload")?.lasting(30.0);
//! let setup = Setup::new("vtc-fair".parse()?);
//! let mut served = [0, 0];
//! let summary = simulate(&setup, &workload.clients, workload.arrivals(1), |outcome| {
//!     served[outcome.client as usize] += outcome.input + 2 * outcome.output;
//! })?;
//! assert_eq!(summary.requests, 135);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod engine;
mod gateway;
mod pod;
mod policy;
mod profile;
mod queue;
mod rate_limit;

use std::time::Duration;

use vtc_core::queue::QueueLimits;
use vtc_core::{ConfigError, VtcConfig};

use self::engine::Engine;
pub use self::gateway::Capacity;
pub use self::pod::Tally;
pub use self::policy::{InvalidPolicy, Order, Placement, PodPolicy, Policy, Predictor};
pub use self::profile::{NAMES as PROFILE_NAMES, PagedProfile, Profile, ProfileError, ReservingProfile};
use crate::request::{Outcome, Request};
use crate::workload::Client;

/// What is simulated, but for who asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Who goes next, and where to.
    pub policy: Policy,
    /// How many pods there are; at least 1.
    pub pods: usize,
    /// What they are like.
    pub profile: Profile,
    /// How much a gateway with a queue gives each; not asked where pods ask for themselves.
    pub capacity: Capacity,
    /// How router and queue count: the window, what tokens weigh, the score of `vtc-basic`. Which policy chooses a pod is not
    /// asked here.
    pub vtc: VtcConfig,
    /// How much a queue takes in; how much of one client runs, the policy says. A request that finds no room is refused.
    pub limits: QueueLimits,
    /// How long a request may wait in a queue before it is refused; `None`: as long as it takes.
    pub longest_wait: Option<Duration>,
    /// What `drr` serves a client of weight 1 in a round, in weighted tokens, above 0; `None`: a twentieth of the tokens that
    /// the pods hold.
    pub quantum: Option<f64>,
    /// What a prompt token from a cache counts in the queue: a fraction from 0 to 1. The measures count it whole.
    pub cached_cost: f64,
    /// What all draws but those of the workload follow from: policies that choose at random, predictions that are
    /// wrong at random.
    pub seed: u64,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Requests that came.
    pub requests: u64,
    /// Those that were refused.
    pub refused: u64,
    /// When the last request ended, in seconds from the beginning.
    pub end: f64,
    /// What the pods did.
    pub pods: Tally,
    /// The most requests that waited in the queue at a time.
    pub most_waiting: usize,
}

/// Runs until every request that comes has been served or refused, and tells each one's fate, in the order of their
/// ends.
///
/// Requests come in the order of their arrival; one that comes earlier than the one before it counts as coming with it.
/// A client is an index into `clients`; more than there are is a client of weight 1 without a name of its own.
///
/// O(log(users) + log(pods)) per request and per token at most; usually far less per token, as tokens are reported in
/// sums.
///
/// # Errors
/// A setting that the core does not allow.
pub fn simulate(
    setup: &Setup,
    clients: &[Client],
    arrivals: impl IntoIterator<Item = Request>,
    sink: impl FnMut(&Outcome),
) -> Result<Summary, ConfigError> {
    Ok(Engine::new(setup, clients, sink)?.run(arrivals.into_iter()))
}

// === impl Setup ===

impl Setup {
    /// One pod of the default profile, and the seed 0.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            pods: 1,
            profile: Profile::default(),
            capacity: Capacity::of(&Profile::default()),
            vtc: VtcConfig::default(),
            limits: QueueLimits::NONE,
            longest_wait: None,
            quantum: None,
            cached_cost: 1.0,
            seed: 0,
        }
    }

    /// The same with so many pods of that profile, and a gateway that gives each what it has memory for.
    #[must_use]
    pub fn on(self, pods: usize, profile: Profile) -> Self {
        Self { pods, capacity: Capacity::of(&profile), profile, ..self }
    }
}

// === impl Capacity ===

impl Capacity {
    /// What a pod of that profile has memory for.
    #[must_use]
    pub const fn of(profile: &Profile) -> Self {
        Self { running: profile.max_running(), tokens: profile.pool_tokens() }
    }
}
