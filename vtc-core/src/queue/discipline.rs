//! Who goes next: the rules in which one discipline differs from another.
//!
//! All of them are the same machine: a counter per user, an order of the users who wait, a level at which users come
//! in. A discipline answers a few questions of plain numbers; the answers that a new one does not give are those of
//! `vtc-fair`. A new discipline is one file in this folder and one line in the list below.

mod drr;
mod fcfs;
mod lcf;
mod vtc_fair;
mod vtc_max_fair;
mod vtc_pred;

use std::fmt;

pub use self::drr::Drr;
pub use self::fcfs::Fcfs;
pub use self::lcf::Lcf;
pub use self::vtc_fair::VtcFair;
pub use self::vtc_max_fair::VtcMaxFair;
pub use self::vtc_pred::VtcPred;
use super::counter::Counter;
use crate::tokens::Tokens;

/// The rules of one discipline. They are pure: plain numbers in, an answer out.
pub trait Discipline: fmt::Debug + Send + Sync {
    /// The name in configuration.
    fn name(&self) -> &'static str;

    /// What waiting users are ordered by, the least first. Monotone in the counter.
    fn rank(&self, counter: Counter) -> Counter {
        counter
    }

    /// How users of the same rank are ordered.
    fn tie(&self) -> Tie {
        Tie::Head
    }

    /// The level at which users come in, when the one who goes next has this counter: at most that, and monotone. (If
    /// nobody waits, it is the counter of the one who left the order last.)
    fn level(&self, counter: Counter) -> Counter {
        counter
    }

    /// The counter with which a user comes into the order. Monotone in both.
    fn enter(&self, counter: Counter, level: Counter) -> Counter {
        counter.max(level)
    }

    /// Whether a dispatch charges the predicted output in advance.
    fn prepays(&self) -> bool {
        false
    }

    /// What every counter is raised to before somebody is chosen. A discipline that raises ranks by the counter.
    fn floor(&self, _past: &Past) -> Counter {
        Counter::ZERO
    }

    /// Whether an idle user's counter can no longer matter, where no level will ever be below `lowest`: it would come
    /// in with the counter of somebody nobody knows.
    fn forgets(&self, counter: Counter, lowest: Counter) -> bool {
        self.enter(counter, lowest) == self.enter(Counter::ZERO, lowest)
    }
}

/// How users of the same rank are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// Whose request has waited longest.
    Head,
    /// Who came into the order first.
    Entry,
}

/// What a discipline that raises all counters goes by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Past {
    /// How many requests are running.
    pub running: usize,
    /// The largest counter there ever was.
    pub highest: Counter,
    /// The counter of the user dispatched last, before that dispatch was charged.
    pub last: Counter,
}

/// What some disciplines can be told.
#[derive(Clone, Copy, Debug)]
pub struct DisciplineOptions {
    /// The quantum of `drr`: the cost that a user of weight 1 may be served in one round. The paper takes a
    /// twentieth of what the pods hold.
    pub quantum: Tokens,
}

/// No discipline has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no queue discipline is called {name:?}; there are {}", NAMES.join(", "))]
pub struct UnknownDiscipline {
    /// The name asked for.
    pub name: String,
}

/// A discipline's name and how it is made.
type Entry = (&'static str, fn(&DisciplineOptions) -> Box<dyn Discipline>);

/// Every discipline there is.
const ALL: [Entry; 6] = [
    (Fcfs::NAME, |_| Box::new(Fcfs)),
    (VtcFair::NAME, |_| Box::new(VtcFair)),
    (VtcPred::NAME, |_| Box::new(VtcPred)),
    (VtcMaxFair::NAME, |_| Box::new(VtcMaxFair)),
    (Lcf::NAME, |_| Box::new(Lcf)),
    (Drr::NAME, |options| Box::new(Drr::new(options.quantum))),
];

/// The names of the disciplines, as they are written in configuration.
pub const NAMES: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut i = 0;
    while i < ALL.len() {
        names[i] = ALL[i].0;
        i += 1;
    }
    names
};

/// The discipline of that name.
///
/// # Errors
/// [`UnknownDiscipline`], which lists the names there are.
pub fn by_name(name: &str, options: &DisciplineOptions) -> Result<Box<dyn Discipline>, UnknownDiscipline> {
    let entry = ALL.iter().find(|(known, _)| *known == name);
    entry.map(|(_, make)| make(options)).ok_or_else(|| UnknownDiscipline { name: name.to_owned() })
}

// === impl DisciplineOptions ===

impl Default for DisciplineOptions {
    /// A quantum of 500: a twentieth of 10,000 tokens, which is what the paper's pod holds.
    fn default() -> Self {
        Self { quantum: Tokens::from_units(500_000) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_name() {
        for name in NAMES {
            assert_eq!(by_name(name, &DisciplineOptions::default()).unwrap().name(), name);
        }
        let error = by_name("lottery", &DisciplineOptions::default()).unwrap_err();
        assert!(error.to_string().contains("vtc-fair, vtc-pred"), "{error}");
    }
}
