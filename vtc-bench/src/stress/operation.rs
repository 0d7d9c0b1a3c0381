//! What a thread can do, how often it does it, and how long it took.

use hdrhistogram::Histogram;
use vtc_core::{Clock, PreciseClock};

/// Something that is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `update_token_count`.
    ChargeByName,
    /// `UserHandle::charge`.
    ChargeByHandle,
    /// `user`, and the drop of an older handle.
    TakeHandle,
    /// `token_count`.
    CountByName,
    /// `UserHandle::token_count`.
    CountByHandle,
    /// `route`, `route_among` and `assign`, with every policy.
    Route,
    /// `Ticket::progress`.
    Progress,
    /// `Ticket::settle`.
    Settle,
    /// `Ticket::close`.
    Close,
    /// The drop of an open ticket.
    Abandon,
    /// `choose` and `Ticket::move_to`.
    Move,
    /// `extremes`.
    Extremes,
    /// `last_extremes`.
    LastExtremes,
    /// `users`: visits every user.
    Users,
    /// `upkeep`: visits every user.
    Upkeep,
    /// `Pods::set`.
    SetPods,
    /// `Pods::table`, and `Pod::in_flight` of each.
    LookAtPods,
    /// Nothing: what the measuring itself takes.
    Nothing,
}

/// What a thread decides to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A charge by name.
    ChargeByName,
    /// A charge through a handle that it has.
    ChargeByHandle,
    /// A new handle, instead of an older one.
    TakeHandle,
    /// A read by name.
    CountByName,
    /// A read through a handle.
    CountByHandle,
    /// A charge to the account that it has to itself, and a read of that.
    ReadYourWrites,
    /// A route.
    Route,
    /// Progress of a ticket.
    Progress,
    /// The end of a ticket, one way or another.
    End,
    /// Another pod for a ticket.
    Move,
    /// Both reads of the extremes.
    Extremes,
    /// A look at the pods.
    LookAtPods,
    /// Something that must be refused.
    BadInput,
    /// How long nothing takes.
    Nothing,
    /// All users.
    Users,
    /// The upkeep.
    Upkeep,
    /// New pods.
    SetPods,
}

/// Draws actions.
#[derive(Clone, Debug)]
pub struct Mix {
    common: Vec<Action>,
    /// One in so many is one of those that visit every user.
    heavy: u32,
}

/// How many there were of each kind, and how long a sample of them took.
#[derive(Clone, Debug)]
pub struct Pace {
    clock: PreciseClock,
    kinds: [OfKind; Kind::ALL.len()],
}

/// The same, of one kind.
#[derive(Clone, Debug)]
pub struct OfKind {
    /// All of them.
    pub count: u64,
    /// Nanoseconds, of the sample.
    pub latencies: Histogram<u64>,
}

/// One in so many is timed, of those that take nanoseconds.
const SAMPLE: u64 = 32;

// === impl Kind ===

impl Kind {
    /// Every kind there is.
    pub const ALL: [Self; 18] = [
        Self::ChargeByName,
        Self::ChargeByHandle,
        Self::TakeHandle,
        Self::CountByName,
        Self::CountByHandle,
        Self::Route,
        Self::Progress,
        Self::Settle,
        Self::Close,
        Self::Abandon,
        Self::Move,
        Self::Extremes,
        Self::LastExtremes,
        Self::Users,
        Self::Upkeep,
        Self::SetPods,
        Self::LookAtPods,
        Self::Nothing,
    ];

    /// Its name in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChargeByName => "charge by name",
            Self::ChargeByHandle => "charge by handle",
            Self::TakeHandle => "take a handle",
            Self::CountByName => "count by name",
            Self::CountByHandle => "count by handle",
            Self::Route => "route",
            Self::Progress => "progress",
            Self::Settle => "settle",
            Self::Close => "close",
            Self::Abandon => "abandon",
            Self::Move => "move",
            Self::Extremes => "extremes",
            Self::LastExtremes => "last extremes",
            Self::Users => "users",
            Self::Upkeep => "upkeep",
            Self::SetPods => "set pods",
            Self::LookAtPods => "look at pods",
            Self::Nothing => "(nothing)",
        }
    }

    const fn sample(self) -> u64 {
        match self {
            Self::Users | Self::Upkeep | Self::SetPods => 1,
            _ => SAMPLE,
        }
    }
}

// === impl Mix ===

impl Mix {
    /// The usual one: charges most of all, and as many ends of tickets as routes.
    #[must_use]
    pub fn new(users: u32) -> Self {
        let weights = [
            (Action::ChargeByName, 24),
            (Action::ChargeByHandle, 16),
            (Action::TakeHandle, 4),
            (Action::CountByName, 8),
            (Action::CountByHandle, 8),
            (Action::ReadYourWrites, 4),
            (Action::Route, 16),
            (Action::Progress, 8),
            (Action::End, 18),
            (Action::Move, 2),
            (Action::Extremes, 4),
            (Action::LookAtPods, 2),
            (Action::BadInput, 1),
            (Action::Nothing, 1),
        ];
        let common =
            weights.iter().flat_map(|(action, weight)| std::iter::repeat_n(*action, *weight)).collect();
        // So that visiting every user takes a part of the time that does not depend on how many there are.
        Self { common, heavy: 2_000 + users }
    }

    /// The next thing to do.
    #[inline]
    pub fn draw(&self, rng: &mut fastrand::Rng) -> Action {
        if rng.u32(..self.heavy) == 0 {
            return [Action::Users, Action::Upkeep][rng.usize(..2)];
        }
        // Often enough that decisions meet a change, and seldom enough that tables live for a while.
        if rng.u32(..4_000) == 0 {
            return Action::SetPods;
        }
        self.common[rng.usize(..self.common.len())]
    }
}

// === impl Pace ===

impl Pace {
    /// Nothing yet.
    ///
    /// # Panics
    /// Never: two significant digits are allowed.
    #[must_use]
    #[expect(clippy::expect_used, reason = "two significant digits are allowed")]
    pub fn new() -> Self {
        let of_kind = || OfKind { count: 0, latencies: Histogram::new(2).expect("two digits") };
        Self { clock: PreciseClock::new(), kinds: std::array::from_fn(|_| of_kind()) }
    }

    /// Does it, and counts it; times a sample.
    #[inline]
    pub fn time<R>(&mut self, kind: Kind, operate: impl FnOnce() -> R) -> R {
        let of_kind = &mut self.kinds[kind as usize];
        of_kind.count += 1;
        if !of_kind.count.is_multiple_of(kind.sample()) {
            return operate();
        }
        let begin = self.clock.now();
        let result = operate();
        let took = self.clock.now().since(begin);
        // It grows as needed, so it takes everything.
        let _ = of_kind.latencies.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        result
    }

    /// Adds what another thread did.
    pub fn merge(&mut self, other: &Self) {
        for (of_kind, other) in self.kinds.iter_mut().zip(&other.kinds) {
            of_kind.count += other.count;
            // As in `time`.
            let _ = of_kind.latencies.add(&other.latencies);
        }
    }

    /// Of that kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> &OfKind {
        &self.kinds[kind as usize]
    }

    /// How many operations there were in all.
    #[must_use]
    pub fn operations(&self) -> u64 {
        Kind::ALL.into_iter().filter(|kind| *kind != Kind::Nothing).map(|kind| self.of(kind).count).sum()
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_place() {
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
    }

    #[test]
    fn everything_is_counted_and_a_sample_timed() {
        let mut pace = Pace::new();
        (0..2 * SAMPLE).for_each(|_| pace.time(Kind::Settle, || ()));
        pace.time(Kind::Upkeep, || ());
        let mut all = Pace::new();
        all.merge(&pace);
        all.merge(&pace);
        assert_eq!((all.of(Kind::Settle).count, all.of(Kind::Settle).latencies.len()), (4 * SAMPLE, 4));
        assert_eq!((all.of(Kind::Upkeep).latencies.len(), all.operations()), (2, 4 * SAMPLE + 2));
    }
}
