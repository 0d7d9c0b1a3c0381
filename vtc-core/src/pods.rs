//! The pods: an immutable table, ordered by name, and how many requests each is running, here and elsewhere.

use std::fmt;

use crossbeam_utils::CachePadded;

use crate::policy::Loads;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, Publisher, Snapshot, snapshot};

/// One pod: a name, and the number of requests in flight to it.
///
/// A pod is the same pod in every table that names it, so its count survives a change of tables.
pub struct Pod {
    name: Box<str>,
    /// On a cache line of its own: pods are counted from all threads.
    in_flight: CachePadded<InFlight>,
}

/// Requests in flight to a pod.
#[derive(Debug)]
struct InFlight {
    /// How many tickets hold a place on it.
    here: AtomicU64,
    /// How many there are by other replicas, as far as is known: set by whoever exchanges news with them.
    elsewhere: AtomicU64,
}

/// The pods of one moment, ordered by name. The order is part of the contract: a user's position means
/// the same pod in every decision.
#[derive(Clone, Debug, Default)]
pub struct PodTable(std::sync::Arc<[Arc<Pod>]>);

/// The table that is in force, for whoever decides and whoever changes it.
#[derive(Debug)]
pub struct Pods {
    current: Snapshot<PodTable>,
    publisher: Mutex<Publisher<PodTable>>,
}

// === impl Pod ===

impl Pod {
    /// A pod of that name with nothing in flight.
    #[must_use]
    pub fn new(name: &str) -> Arc<Self> {
        let in_flight = InFlight { here: AtomicU64::new(0), elsewhere: AtomicU64::new(0) };
        Arc::new(Self { name: name.into(), in_flight: CachePadded::new(in_flight) })
    }

    /// Its name, unique in a table.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many requests are in flight to it: one for each ticket that holds a place on it now, and those
    /// [elsewhere](Pod::elsewhere). What policies look at.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        // Relaxed: a statistic; no data is published through it. The two need not be of one moment, and are
        // too small for their sum to overflow: each is a number of requests.
        self.in_flight.here.load(Ordering::Relaxed).wrapping_add(self.elsewhere())
    }

    /// How many of the requests in flight to it are other replicas', as was last [set](Pod::set_elsewhere); 0 before.
    #[must_use]
    pub fn elsewhere(&self) -> u64 {
        // Relaxed: as above.
        self.in_flight.elsewhere.load(Ordering::Relaxed)
    }

    /// Says how many requests other replicas have in flight to it.
    pub fn set_elsewhere(&self, requests: u64) {
        // Relaxed: as above.
        self.in_flight.elsewhere.store(requests, Ordering::Relaxed);
    }

    /// Takes a place. Whoever does must [`leave`](Pod::leave) once: the ticket.
    pub(crate) fn enter(&self) {
        // Relaxed: as above.
        self.in_flight.here.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn leave(&self) {
        // Relaxed: as above. Never below zero: a ticket leaves after it entered, and the thread on which it
        // ends got it by something that orders the two.
        self.in_flight.here.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Pod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pod").field("name", &self.name).field("in_flight", &self.in_flight()).finish()
    }
}

// === impl PodTable ===

impl PodTable {
    /// A table of these pods: ordered by name, of several with one name the first.
    #[must_use]
    pub fn new(pods: impl IntoIterator<Item = Arc<Pod>>) -> Self {
        let mut pods: Vec<_> = pods.into_iter().collect();
        pods.sort_by(|a, b| a.name.cmp(&b.name));
        pods.dedup_by(|later, first| later.name == first.name);
        Self(pods.into())
    }

    /// The pods, by name.
    #[must_use]
    pub fn pods(&self) -> &[Arc<Pod>] {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pod of that name. O(log pods).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Pod>> {
        let at = self.0.binary_search_by(|pod| pod.name().cmp(name)).ok()?;
        self.0.get(at)
    }

    /// The table without that pod: for a second try elsewhere. O(pods).
    #[must_use]
    pub fn without(&self, pod: &Pod) -> Self {
        Self(self.0.iter().filter(|other| other.name != pod.name).cloned().collect())
    }
}

impl Loads for PodTable {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn running(&self, pod: usize) -> f64 {
        self.0.get(pod).map_or(0.0, |pod| pod.in_flight() as f64)
    }
}

// === impl Pods ===

impl Pods {
    /// No pods.
    #[must_use]
    pub fn new() -> Self {
        let (publisher, current) = snapshot(PodTable::new([]));
        Self { current, publisher: Mutex::new(publisher) }
    }

    /// Puts the pods of these names in force, instead of those before. A name that was there before keeps
    /// its pod, and so its count; decisions under way finish with the table they have.
    pub fn set<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let mut publisher = self.publisher.lock();
        let before = self.table();
        let pods = names.into_iter().map(|name| before.get(name).map_or_else(|| Pod::new(name), Arc::clone));
        let after = PodTable::new(pods);
        publisher.publish(Arc::new(after));
    }

    /// The table in force, to keep for a decision.
    #[must_use]
    pub fn table(&self) -> PodTable {
        self.with(PodTable::clone)
    }

    /// The table in force, for one decision.
    #[inline]
    pub(crate) fn with<R>(&self, decide: impl FnOnce(&PodTable) -> R) -> R {
        self.current.with(decide)
    }
}

impl Default for Pods {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_ordered_by_name_and_names_are_unique() {
        let table = PodTable::new(["b", "c", "a", "b"].map(Pod::new));
        assert_eq!(table.pods().iter().map(|pod| pod.name()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(table.get("c").unwrap().name(), "c");
        assert!(table.get("d").is_none());
        assert_eq!(table.without(&table.pods()[1]).pods().len(), 2);
    }

    #[test]
    fn a_pod_keeps_its_count_over_a_change_of_tables() {
        let pods = Pods::new();
        assert!(pods.table().is_empty());
        pods.set(["a", "b"]);
        let before = pods.table();
        before.get("a").unwrap().enter();
        pods.set(["c", "a"]);
        assert_eq!(pods.table().get("a").unwrap().in_flight(), 1);
        assert!(pods.table().get("b").is_none());
        before.get("a").unwrap().leave();
        assert_eq!(pods.table().running(0), 0.0);
    }
}
