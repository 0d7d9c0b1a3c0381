//! Where a request goes: a policy looks at plain numbers and chooses. It changes nothing.
//!
//! A new policy is one file in this folder and one line in the list below.

mod least_request;
mod power_of_two;
mod random;
mod round_robin;
mod vtc_basic;

use std::fmt;

pub use self::least_request::LeastRequest;
pub use self::power_of_two::PowerOfTwo;
pub use self::random::Random;
pub use self::round_robin::RoundRobin;
pub use self::vtc_basic::{Polarity, ScoringConfig, VtcBasic};
use crate::extremes::Extremes;
use crate::noise::Noise;
use crate::setting::ConfigError;

/// Chooses a pod.
pub trait Policy: fmt::Debug + Send + Sync {
    /// The name in configuration and in headers.
    fn name(&self) -> &'static str;

    /// The position of the chosen pod in the view; `None` exactly if there is no pod.
    fn choose(&self, view: &View<'_>) -> Option<usize>;
}

/// What a decision is made from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The ready pods, in a stable order.
    pub pods: &'a dyn Loads,
    /// The user's count before this request; `None` if the request names no user.
    pub user_tokens: Option<f64>,
    /// The range of all users' counts.
    pub extremes: Extremes,
    /// This decision's random numbers.
    pub noise: Noise,
}

/// The load of each pod, by position.
pub trait Loads: fmt::Debug {
    /// How many pods there are.
    fn len(&self) -> usize;

    /// How many requests that pod is running. What is no number (NaN) or negative counts as 0.
    fn running(&self, pod: usize) -> f64;

    /// Whether there is no pod.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// No policy has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no policy is called {name:?}; there are {}", NAMES.join(", "))]
pub struct UnknownPolicy {
    /// The name asked for.
    pub name: String,
}

/// Every policy there is, ready to be asked by name.
#[derive(Debug)]
pub struct Policies([Box<dyn Policy>; ALL.len()]);

/// A policy's name and how it is made.
type Entry = (&'static str, fn(&ScoringConfig) -> Box<dyn Policy>);

/// Every policy there is.
const ALL: [Entry; 5] = [
    (VtcBasic::NAME, |scoring| Box::new(VtcBasic::new(*scoring))),
    (Random::NAME, |_| Box::new(Random)),
    (RoundRobin::NAME, |_| Box::new(RoundRobin::default())),
    (LeastRequest::NAME, |_| Box::new(LeastRequest)),
    (PowerOfTwo::NAME, |_| Box::new(PowerOfTwo)),
];

/// The names of the policies, as they are written in configuration and headers.
pub const NAMES: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut i = 0;
    while i < ALL.len() {
        names[i] = ALL[i].0;
        i += 1;
    }
    names
};

/// Whether a policy has that name.
pub(crate) fn check_name(name: &str) -> Result<(), UnknownPolicy> {
    if NAMES.contains(&name) { Ok(()) } else { Err(UnknownPolicy { name: name.to_owned() }) }
}

// === impl UnknownPolicy ===

impl UnknownPolicy {
    /// The same, of a setting.
    pub(crate) fn of_field(self, field: &str) -> ConfigError {
        ConfigError::new(field, self.name, format!("one of {}", NAMES.join(", ")))
    }
}

// === impl Policies ===

impl Policies {
    /// All policies, with these weights for those that score.
    #[must_use]
    pub fn new(scoring: &ScoringConfig) -> Self {
        Self(ALL.map(|(_, make)| make(scoring)))
    }

    /// The policy of that name.
    ///
    /// # Errors
    /// [`UnknownPolicy`], which lists the names there are.
    pub fn get(&self, name: &str) -> Result<&dyn Policy, UnknownPolicy> {
        let position = self.position(name)?;
        self.at(position).ok_or_else(|| UnknownPolicy { name: name.to_owned() })
    }

    /// Where the policy of that name stands, for whoever asks for it often.
    pub(crate) fn position(&self, name: &str) -> Result<usize, UnknownPolicy> {
        let position = self.0.iter().position(|policy| policy.name() == name);
        position.ok_or_else(|| UnknownPolicy { name: name.to_owned() })
    }

    pub(crate) fn at(&self, position: usize) -> Option<&dyn Policy> {
        self.0.get(position).map(AsRef::as_ref)
    }
}

// === impl Loads ===

/// Plain numbers: for tests and simulations.
impl<const N: usize> Loads for [f64; N] {
    fn len(&self) -> usize {
        N
    }

    fn running(&self, pod: usize) -> f64 {
        self.get(pod).copied().unwrap_or(0.0)
    }
}

impl Loads for Vec<f64> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn running(&self, pod: usize) -> f64 {
        self.get(pod).copied().unwrap_or(0.0)
    }
}

impl View<'_> {
    /// What that pod runs, as a number: what cannot be read counts as 0.
    pub(crate) fn running(&self, pod: usize) -> f64 {
        // `max` gives the other operand for NaN.
        self.pods.running(pod).max(0.0)
    }

    /// Some pod, each equally likely.
    pub(crate) fn any_pod(&self) -> Option<usize> {
        (!self.pods.is_empty()).then(|| self.noise.below(self.pods.len(), 0))
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
