//! The laws, and what became of them.

use serde::Serialize;

/// Something that must hold, whatever the threads do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// See [`Law::sentence`], here and below.
    NothingLostNothingTwice,
    /// Of the sum.
    TheSumIsRight,
    /// Of every read.
    NeverMoreThanCharged,
    /// Of every read of a private account.
    ReadYourWrites,
    /// Of names and accounts.
    TheRightAccount,
    /// After the window.
    EverythingExpires,
    /// Of forgetting.
    IdleAccountsClose,
    /// Of [`max_users`](vtc_core::TrackerConfig::max_users).
    TheCapHolds,
    /// Of snapshots.
    ExtremesAreInOrder,
    /// Of the upkeep.
    ExtremesAreExact,
    /// Of pods, at every read.
    InFlightIsBounded,
    /// Of pods, when quiet.
    InFlightIsExact,
    /// Of tickets.
    OneEnding,
    /// Of decisions.
    OneTable,
    /// Of bad input.
    BadInputIsRefused,
}

/// What became of one law.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How often it was checked.
    pub checked: u64,
    /// How often it did not hold.
    pub broken: u64,
    /// The first time that it did not.
    pub example: Option<String>,
}

/// What became of each law.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts([Verdict; Law::ALL.len()]);

// === impl Law ===

impl Law {
    /// Every law there is.
    pub const ALL: [Self; 15] = [
        Self::NothingLostNothingTwice,
        Self::TheSumIsRight,
        Self::NeverMoreThanCharged,
        Self::ReadYourWrites,
        Self::TheRightAccount,
        Self::EverythingExpires,
        Self::IdleAccountsClose,
        Self::TheCapHolds,
        Self::ExtremesAreInOrder,
        Self::ExtremesAreExact,
        Self::InFlightIsBounded,
        Self::InFlightIsExact,
        Self::OneEnding,
        Self::OneTable,
        Self::BadInputIsRefused,
    ];

    /// Its name and what it says.
    const fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::NothingLostNothingTwice => (
                "nothing lost, nothing twice",
                "when quiet, each account counts what was charged to it and is in the window, to the thousandth of a token",
            ),
            Self::TheSumIsRight => {
                ("the sum is right", "when quiet, all accounts together count what was charged to anybody")
            }
            Self::NeverMoreThanCharged => (
                "never more than charged",
                "no read shows a negative count, or more than was charged until then",
            ),
            Self::ReadYourWrites => (
                "read your writes",
                "a thread that alone charges an account reads what it charged, whatever the others do",
            ),
            Self::TheRightAccount => (
                "the right account",
                "handles and tickets are on their user's account, or on the shared one if there is a cap; nobody's on none",
            ),
            Self::EverythingExpires => ("everything expires", "after the window nobody has tokens"),
            Self::IdleAccountsClose => (
                "idle accounts close",
                "after two windows only those accounts are open to which somebody holds a handle or a ticket",
            ),
            Self::TheCapHolds => ("the cap holds", "there are never more accounts than the cap says"),
            Self::ExtremesAreInOrder => (
                "extremes are in order",
                "no snapshot has a minimum above its maximum or above what was charged, a bucket that does not follow \
                 from them, or is followed by an older one",
            ),
            Self::ExtremesAreExact => (
                "extremes are exact",
                "when quiet, the upkeep's minimum, maximum and number are those of the users' counts; with a staleness \
                 of 0 every read's",
            ),
            Self::InFlightIsBounded => {
                ("in-flight is bounded", "no pod ever shows more requests in flight than tickets are open")
            }
            Self::InFlightIsExact => (
                "in-flight is exact",
                "when quiet, each pod shows as many requests in flight as open tickets name it; 0 in the end",
            ),
            Self::OneEnding => (
                "one ending",
                "of the endings of a ticket, also of those that race, exactly one says that it was it",
            ),
            Self::OneTable => ("one table", "a decision chooses from the table of pods that it was given"),
            Self::BadInputIsRefused => (
                "bad input is refused",
                "no name, no number, no pod: an error (that it charged nothing shows in the sum); anything else is accepted",
            ),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.text().0
    }

    /// What it says.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        self.text().1
    }
}

// === impl Verdicts ===

impl Verdicts {
    /// Remembers that the law was checked, and whether it held; `example` says how it did not.
    #[inline]
    pub fn check(&mut self, law: Law, holds: bool, example: impl FnOnce() -> String) {
        let verdict = &mut self.0[law as usize];
        verdict.checked += 1;
        if !holds {
            verdict.broken += 1;
            verdict.example.get_or_insert_with(example);
        }
    }

    /// Adds what another thread, or another round, found.
    pub fn merge(&mut self, other: Self) {
        for (verdict, other) in self.0.iter_mut().zip(other.0) {
            verdict.checked += other.checked;
            verdict.broken += other.broken;
            verdict.example = verdict.example.take().or(other.example);
        }
    }

    /// What became of that law.
    #[must_use]
    pub fn of(&self, law: Law) -> &Verdict {
        &self.0[law as usize]
    }

    /// The laws that were broken at least once.
    #[must_use]
    pub fn broken(&self) -> Vec<Law> {
        Law::ALL.into_iter().filter(|law| self.of(*law).broken > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_law_has_its_place() {
        for (place, law) in Law::ALL.into_iter().enumerate() {
            assert_eq!(law as usize, place);
        }
    }

    #[test]
    fn what_several_threads_found_adds_up_and_the_first_example_stays() {
        let found = |holds, example: &str| {
            let mut verdicts = Verdicts::default();
            verdicts.check(Law::OneEnding, holds, || example.to_owned());
            verdicts
        };
        let mut verdicts = found(true, "none");
        verdicts.merge(found(false, "first"));
        verdicts.merge(found(false, "second"));
        let expected = Verdict { checked: 3, broken: 2, example: Some("first".to_owned()) };
        assert_eq!(verdicts.of(Law::OneEnding), &expected);
        assert_eq!(verdicts.broken(), [Law::OneEnding]);
    }
}
