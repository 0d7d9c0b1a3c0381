//! What is shared of one user.

use crate::queue::counter::Counter;

/// What is shared of a user. Its counter is `start + own + others`.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::queue) struct Account {
    pub(in crate::queue) era: u64,
    /// The counter at the beginning of the era.
    pub(in crate::queue) start: Counter,
    /// What was charged here in this era.
    pub(in crate::queue) own: i128,
    /// What is known to have been charged elsewhere in this era.
    pub(super) others: i128,
    /// How much of its charges elsewhere may be taken back.
    pub(in crate::queue) held: u128,
    /// Requests that wait elsewhere.
    pub(super) waiting: u64,
    /// At how many other replicas it is present.
    pub(super) present: u32,
    /// Whether `others` has charges of which there is no row any more.
    pub(in crate::queue) has_ghosts: bool,
    /// Its key among those who wait elsewhere, if it is there.
    pub(super) away: Option<Counter>,
    pub(super) is_changed: bool,
    /// How many exchanges there had been when anything of it last changed, here or elsewhere.
    pub(super) changed_at: u64,
    /// Whether others have been told of it.
    pub(in crate::queue) is_told: bool,
    /// The last times that others were told of own charges in this era, the latest first.
    told: [Told; 3],
}

/// What others were told of own charges.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// How many exchanges there had been.
    revision: u64,
    own: i128,
}

// === impl Account ===

impl Account {
    /// The counter that follows.
    pub(in crate::queue) fn counter(&self) -> Counter {
        let start = i128::try_from(self.start.units()).unwrap_or(i128::MAX);
        let sum = start.saturating_add(self.others).saturating_add(self.own);
        Counter::from_units(sum.max(0).unsigned_abs())
    }

    /// Whether anything of the user waits or runs elsewhere.
    pub(in crate::queue) const fn is_present(&self) -> bool {
        self.present > 0
    }

    /// Whether anything of the user waits elsewhere.
    pub(in crate::queue) const fn waits(&self) -> bool {
        self.waiting > 0
    }

    /// Another era begins, with what was charged here in it.
    pub(super) fn begin(&mut self, era: u64, start: Counter, own: i128) {
        (self.era, self.start, self.own, self.others) = (era, start, own, 0);
        (self.told, self.has_ghosts) = (Default::default(), false);
    }

    /// Others are told of it in this exchange. Returns what was charged since the last time.
    pub(super) fn tell(&mut self, revision: u64) -> i128 {
        let [last, before, _] = self.told;
        self.told = [Told { revision, own: self.own }, last, before];
        self.is_told = true;
        self.own - last.own
    }

    /// Own charges that somebody who told something in this exchange need not have heard of: what was told in this one and
    /// in the last is on its way, or came after.
    pub(super) fn unheard(&self, revision: u64) -> i128 {
        let heard = self.told.iter().find(|told| told.revision + 2 <= revision);
        (self.own - heard.map_or(0, |told| told.own)).max(0)
    }
}
