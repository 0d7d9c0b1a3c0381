//! All pods, and what each of them runs. A pod may serve several pools: its capacity is one.

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;
use vtc_core::Pod;

use super::capacity::{Capacity, Held, PodReport};
use super::elsewhere::Elsewhere;
use super::news::{News, PodNews};
use super::snapshot::PodStanding;

/// Where a pod's seat is. Good while a pool lists the pod, and while anything runs on it.
pub(super) type SeatKey = usize;

/// A pod, and how much it takes.
#[derive(Clone, Debug)]
pub struct PoolPod {
    /// The pod. Its requests in flight are what policies look at.
    pub pod: Arc<Pod>,
    /// How much it takes. A pod that is in several pools has the capacity that was said last.
    pub capacity: Capacity,
}

#[derive(Debug, Default)]
pub(super) struct Fleet {
    seats: Slab<Seat>,
    by_name: HashMap<Box<str>, SeatKey>,
    elsewhere: Elsewhere,
    /// Pods that have left, of which others were told that something runs there.
    left: Vec<Box<str>>,
}

#[derive(Debug)]
struct Seat {
    pod: Arc<Pod>,
    capacity: Capacity,
    held: Held,
    /// What other replicas run there, as far as they have told.
    elsewhere: Held,
    /// What they were told of what runs there.
    told: Held,
    report: PodReport,
    /// A request had to leave it. It gets nothing new until a pool lists it again.
    suspect: bool,
    /// The pools that list it; one twice, while it sets its pods.
    pools: Vec<usize>,
}

// === impl PoolPod ===

impl PoolPod {
    /// That pod, with that capacity.
    #[must_use]
    pub const fn new(pod: Arc<Pod>, capacity: Capacity) -> Self {
        Self { pod, capacity }
    }
}

// === impl Fleet ===

impl Fleet {
    /// A pool lists a pod, which is thereby cleared of suspicion.
    pub(super) fn list(&mut self, listed: &PoolPod, pool: usize) -> SeatKey {
        let PoolPod { pod, capacity } = listed;
        let key = self.by_name.get(pod.name()).copied().unwrap_or_else(|| {
            let (held, report, pools) = (Held::default(), PodReport::default(), Vec::new());
            let (elsewhere, told, suspect) = (self.elsewhere.on(pod.name()), held, false);
            let (pod, capacity) = (Arc::clone(pod), *capacity);
            let seat = Seat { pod, capacity, held, elsewhere, told, report, suspect, pools };
            let key = self.seats.insert(seat);
            self.by_name.insert(listed.pod.name().into(), key);
            key
        });
        if let Some(seat) = self.seats.get_mut(key) {
            seat.pod = Arc::clone(pod);
            seat.pod.set_elsewhere(seat.elsewhere.running as u64);
            seat.capacity = *capacity;
            seat.suspect = false;
            seat.pools.push(pool);
        }
        key
    }

    /// A pool lists it no more.
    pub(super) fn unlist(&mut self, key: SeatKey, pool: usize) {
        self.change(key, |seat| {
            if let Some(at) = seat.pools.iter().position(|lister| *lister == pool) {
                seat.pools.swap_remove(at);
            }
        });
    }

    /// The pools that list it.
    pub(super) fn pools(&self, key: SeatKey) -> &[usize] {
        self.seats.get(key).map_or(&[], |seat| &seat.pools)
    }

    /// Whether a request of so many tokens has room there.
    pub(super) fn has_room(&self, key: SeatKey, tokens: u64) -> bool {
        let has_room = |seat: &Seat| !seat.suspect && seat.capacity.admits(seat.all(), seat.report, tokens);
        self.seats.get(key).is_some_and(has_room)
    }

    /// How many more requests it takes; `None`: any number, or nobody knows.
    pub(super) fn places(&self, key: SeatKey) -> Option<usize> {
        match self.seats.get(key) {
            Some(seat) if !seat.suspect => seat.capacity.places(seat.all(), seat.report),
            _ => Some(0),
        }
    }

    /// What is to be told of the pods: what has changed since the last time, or with `whole` everything. O(pods).
    pub(super) fn news(&mut self, whole: bool) -> Vec<PodNews> {
        let row = |pod: &str, held: Held| PodNews {
            pod: pod.into(),
            running: held.running as u64,
            tokens: held.tokens,
        };
        let left = std::mem::take(&mut self.left).into_iter();
        let left = left.filter(|pod| !self.by_name.contains_key(pod));
        let mut news: Vec<_> = left.map(|pod| row(&pod, Held::default())).collect();
        for (_, seat) in &mut self.seats {
            if seat.held != seat.told || (whole && seat.held.running > 0) {
                news.push(row(seat.pod.name(), seat.held));
                seat.told = seat.held;
            }
        }
        news
    }

    /// The replicas that are known.
    pub(super) fn replicas(&self) -> impl Iterator<Item = &Arc<str>> {
        self.elsewhere.replicas()
    }

    pub(super) fn knows(&self, replica: &Arc<str>) -> bool {
        self.replicas().any(|known| known == replica)
    }

    /// Takes in what a replica tells of its pods. Says whether its news are to be read: they may be old, or lack what
    /// went before.
    pub(super) fn hear(&mut self, from: &Arc<str>, news: &News) -> bool {
        let changed = self.elsewhere.hear(from, news);
        let is_read = changed.is_some();
        self.set_elsewhere(changed.unwrap_or_default());
        is_read
    }

    /// A replica is gone, and what it ran.
    pub(super) fn lose(&mut self, replica: &str) {
        let changed = self.elsewhere.lose(replica);
        self.set_elsewhere(changed);
    }

    fn set_elsewhere(&mut self, pods: Vec<Box<str>>) {
        for pod in pods {
            if let Some(seat) = self.by_name.get(&pod).and_then(|key| self.seats.get_mut(*key)) {
                seat.elsewhere = self.elsewhere.on(&pod);
                seat.pod.set_elsewhere(seat.elsewhere.running as u64);
            }
        }
    }

    /// A request of so many tokens begins to run there.
    pub(super) fn take(&mut self, key: SeatKey, tokens: u64) {
        self.change(key, |Seat { held, .. }| {
            *held = Held { running: held.running + 1, tokens: held.tokens.saturating_add(tokens) };
        });
    }

    /// A request that runs there holds so many tokens more.
    pub(super) fn grow(&mut self, key: SeatKey, tokens: u64) {
        self.change(key, |Seat { held, .. }| held.tokens = held.tokens.saturating_add(tokens));
    }

    /// A request of so many tokens runs there no more.
    pub(super) fn give_back(&mut self, key: SeatKey, tokens: u64) {
        self.change(key, |Seat { held, .. }| {
            *held = Held { running: held.running - 1, tokens: held.tokens.saturating_sub(tokens) };
        });
    }

    /// A request had to leave it.
    pub(super) fn suspect(&mut self, key: SeatKey) {
        self.change(key, |seat| seat.suspect = true);
    }

    /// What the pod of that name says of itself: which it is. A pod that is not known says nothing.
    pub(super) fn report(&mut self, name: &str, report: PodReport) -> Option<SeatKey> {
        let key = self.by_name.get(name).copied()?;
        self.change(key, |seat| seat.report = report);
        Some(key)
    }

    /// All pods, ordered by name.
    pub(super) fn standings(&self) -> Vec<PodStanding> {
        let mut standings: Vec<_> = self.seats.iter().map(|(_, seat)| seat.standing()).collect();
        standings.sort_by(|a, b| a.name.cmp(&b.name));
        standings
    }

    /// Changes a seat, and takes it away if nothing needs it any more.
    fn change(&mut self, key: SeatKey, change: impl FnOnce(&mut Seat)) {
        let Some(seat) = self.seats.get_mut(key) else { return };
        change(seat);
        if seat.pools.is_empty() && seat.held.running == 0 {
            let seat = self.seats.remove(key);
            self.by_name.remove(seat.pod.name());
            if seat.told.running > 0 {
                self.left.push(seat.pod.name().into());
            }
        }
    }
}

// === impl Seat ===

impl Seat {
    /// What all replicas run there.
    const fn all(&self) -> Held {
        self.held.and(self.elsewhere)
    }

    fn standing(&self) -> PodStanding {
        PodStanding {
            name: self.pod.name().into(),
            running: self.held.running,
            tokens: self.held.tokens,
            running_elsewhere: self.elsewhere.running,
            tokens_elsewhere: self.elsewhere.tokens,
            capacity: self.capacity,
            report: self.report,
            listed: !self.pools.is_empty(),
            suspect: self.suspect,
        }
    }
}
