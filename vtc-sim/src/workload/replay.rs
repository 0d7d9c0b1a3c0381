//! A trace as a workload: with tenants, at another load, with jitter.

use std::sync::Arc;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::Client;
use crate::request::Request;

/// The requests of a trace, and what is done to them on the way.
#[derive(Clone, Debug)]
pub struct Replay {
    requests: Arc<[Request]>,
    clients: Vec<Client>,
    jitter: f64,
    /// Whether a client's requests come.
    comes: Vec<bool>,
    about: String,
}

/// Who the tenants of a trace without users are: a seeded draw for each request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tenants {
    /// 27, with the shares of the clients of the Chatbot Arena's trace.
    Arena,
    /// Client k, from 0, has a share in proportion to `1 / (k + 1)^exponent`.
    Zipf {
        /// How many.
        tenants: u32,
        /// How unequal.
        exponent: f64,
    },
}

/// A replay that cannot be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// The factor of the load.
    #[error("a load of {0} times is not possible; give a finite number above 0")]
    Load(f64),
    /// The jitter.
    #[error("a jitter of {0} s is not possible; give a finite number that is not negative")]
    Jitter(f64),
    /// A request of nobody that is known.
    #[error("a request is of client {client}, and there are {clients}")]
    Client {
        /// Whose it is said to be.
        client: u32,
        /// How many there are.
        clients: usize,
    },
}

/// How many of the 1,500 requests each of the 27 clients of the Arena's trace has, the most first. Source: the artifact
/// of Sheng et al., OSDI'24 (Apache-2.0).
const ARENA: [u32; 27] = [
    296, 262, 199, 120, 67, 66, 56, 46, 44, 43, 40, 36, 31, 26, 25, 23, 22, 22, 19, 19, 12, 11, 7, 3, 2, 2, 1,
];

// === impl Replay ===

impl Replay {
    /// The requests as they are, of these clients.
    ///
    /// # Errors
    /// A request of a client that is not among them.
    pub fn new(mut requests: Vec<Request>, clients: Vec<Client>) -> Result<Self, ReplayError> {
        if let Some(Request { client, .. }) = requests.iter().find(|of| of.client as usize >= clients.len()) {
            return Err(ReplayError::Client { client: *client, clients: clients.len() });
        }
        requests.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
        let about = format!("a trace of {} requests", requests.len());
        let comes = vec![true; clients.len()];
        Ok(Self { requests: requests.into(), clients, jitter: 0.0, comes, about })
    }

    /// The same with tenants, drawn for each request by `seed`, whoever they were of before.
    #[must_use]
    pub fn with_tenants(self, tenants: Tenants, seed: u64) -> Self {
        let shares = tenants.shares();
        let cumulative: Vec<f64> = shares
            .iter()
            .scan(0.0, |sum, share| {
                *sum += share;
                Some(*sum)
            })
            .collect();
        let all = cumulative.last().copied().unwrap_or_default();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut draw = || {
            let at = rng.random::<f64>() * all;
            cumulative.partition_point(|sum| *sum <= at).min(shares.len() - 1) as u32
        };
        let requests =
            self.requests.iter().map(|request| Request { client: draw(), ..request.clone() }).collect();
        let clients = (0..shares.len()).map(|number| Client {
            name: format!("tenant-{number}").into(),
            weight: vtc_core::queue::Weight::ONE,
        });
        let about = format!("{}, {} tenants drawn", self.about, shares.len());
        let comes = vec![true; shares.len()];
        Self { requests, clients: clients.collect(), comes, about, ..self }
    }

    /// The same at so many times the load: all arrivals come so many times as fast, and the trace is over so much
    /// sooner.
    ///
    /// # Errors
    /// What is not a finite number above 0.
    pub fn at_load(self, factor: f64) -> Result<Self, ReplayError> {
        if !(factor.is_finite() && factor > 0.0) {
            return Err(ReplayError::Load(factor));
        }
        let faster = |request: &Request| Request { arrival: request.arrival / factor, ..request.clone() };
        Ok(Self { requests: self.requests.iter().map(faster).collect(), ..self })
    }

    /// The same with each arrival moved by up to so many seconds, either way, by the run's seed; not before 0.
    ///
    /// # Errors
    /// What is not a finite number, or is negative.
    pub fn with_jitter(self, seconds: f64) -> Result<Self, ReplayError> {
        if seconds.is_finite() && seconds >= 0.0 {
            Ok(Self { jitter: seconds, ..self })
        } else {
            Err(ReplayError::Jitter(seconds))
        }
    }

    /// When the last request comes, in whole seconds, rounded up.
    pub(super) fn duration(&self) -> f64 {
        self.requests.last().map_or(0.0, |last| (last.arrival + self.jitter).floor() + 1.0)
    }

    pub(super) fn about(&self) -> String {
        self.about.clone()
    }

    pub(super) fn clients(&self) -> &[Client] {
        &self.clients
    }

    pub(super) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        (0..).zip(&mut self.comes).for_each(|(client, comes)| *comes &= keep(client));
    }

    /// The requests in the order of their arrival, jittered by the seed.
    pub(super) fn requests(&self, seed: u64) -> Vec<Request> {
        let mut requests = self.requests.to_vec();
        if self.jitter > 0.0 {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            for request in &mut requests {
                let moved = request.arrival + self.jitter * (2.0 * rng.random::<f64>() - 1.0);
                request.arrival = moved.max(0.0);
            }
            requests.sort_by(|a, b| a.arrival.total_cmp(&b.arrival));
        }
        requests.retain(|request| self.comes.get(request.client as usize).is_some_and(|comes| *comes));
        requests
    }
}

// === impl Tenants ===

impl Tenants {
    fn shares(self) -> Vec<f64> {
        match self {
            Self::Arena => ARENA.map(f64::from).to_vec(),
            Self::Zipf { tenants, exponent } => {
                (1..=tenants.max(1)).map(|rank| f64::from(rank).powf(-exponent)).collect()
            }
        }
    }
}
