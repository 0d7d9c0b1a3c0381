//! The pods that can serve a request, and how much each of them is to be given.

use std::sync::Arc;

use vtc_actor::PoolPod;
use vtc_core::{Pod, PodTable, Tick};

use super::breaker::BreakerState;
use super::slow_start::{Ramp, part_of};
use super::vitals::{Probe, Vitals};
use super::{Backend, Fleet};

/// The pods of one pool at one moment.
///
/// When the breakers of all pods are open none of them counts: to refuse everything would be worse than to try, and who is
/// not there at all is found out by other means. So one bad model, or one client whose requests make pods fail, does not
/// take down what still answers others.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// Those that get requests.
    pods: PodTable,
    /// Those that get one.
    half_open: Vec<Arc<Vitals>>,
    /// Those of the first that do not get their full share yet.
    ramping: Vec<(Arc<Pod>, Ramp)>,
}

/// The pods that can serve a request.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    name: &'a Arc<str>,
    pool: &'a Pool,
}

// === impl Pool ===

impl Pool {
    /// The pool of these pods, all of which take requests.
    pub(super) fn of<'a>(backends: impl Iterator<Item = &'a Backend> + Clone) -> Self {
        let those = |state| backends.clone().filter(move |backend| backend.breaker == state);
        let pod = |backend: &Backend| Arc::clone(backend.pod());
        let ramp = |backend: &Backend| Some((pod(backend), backend.ramp?));
        if those(BreakerState::Closed).next().is_none() {
            let pods = PodTable::new(backends.map(pod));
            return Self { pods, half_open: Vec::new(), ramping: Vec::new() };
        }
        Self {
            pods: PodTable::new(those(BreakerState::Closed).map(pod)),
            half_open: those(BreakerState::HalfOpen).map(|backend| Arc::clone(&backend.vitals)).collect(),
            ramping: those(BreakerState::Closed).filter_map(ramp).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }
}

// === impl Service ===

impl<'a> Service<'a> {
    pub(super) const fn new(name: &'a Arc<str>, pool: &'a Pool) -> Self {
        Self { name, pool }
    }

    /// The name that the pods have in common: the model's, or `*` for pods that list no models. Clients do not choose it.
    #[must_use]
    pub const fn name(&self) -> &'a Arc<str> {
        self.name
    }

    /// All of them, but those whose breaker is not closed.
    #[must_use]
    pub const fn pods(&self) -> &'a PodTable {
        &self.pool.pods
    }

    /// The place of the one request that shows whether a pod can be trusted again, if one of them waits for it.
    pub(crate) fn claim(&self) -> Option<Probe> {
        self.pool.half_open.iter().find_map(Vitals::claim)
    }

    /// The pods that a decision of now sees: each that has not its full share yet with the probability of its share. `dice`
    /// gives numbers from 0 to 1. While all have their share that is a reference count.
    pub(crate) fn seen(&self, now: Tick, mut dice: impl FnMut() -> f64) -> PodTable {
        let all = self.pods();
        let unseen = self.pool.ramping.iter().filter(|(_, ramp)| dice() >= ramp.share(now));
        let seen = unseen.fold(all.clone(), |seen, (pod, _)| seen.without(pod));
        // One of them has to be.
        if seen.is_empty() { all.clone() } else { seen }
    }

    /// The pods as the queue is to know them: with what they are given now.
    pub(crate) fn queue_pods(&self, fleet: &'a Fleet, now: Tick) -> impl Iterator<Item = PoolPod> + use<'a> {
        let closed = self.pool.pods.pods().iter().filter_map(move |pod| {
            let backend = fleet.backend(pod)?;
            Some(PoolPod::new(Arc::clone(pod), part_of(backend.capacity, backend.share(now))))
        });
        let half_open = self.pool.half_open.iter().filter_map(move |vitals| {
            let mut capacity = fleet.backend(vitals.pod())?.capacity;
            capacity.max_running = Some(1);
            Some(PoolPod::new(Arc::clone(vitals.pod()), capacity))
        });
        closed.chain(half_open)
    }
}
