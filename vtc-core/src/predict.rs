//! How long an answer will be: guessed when a request is dispatched, known when it has ended.
//!
//! `vtc-pred` charges the guess in advance, so that a user with many requests in flight is not taken for one who has
//! had little. A wrong guess is no injustice: what passes it is charged as it flows, what it left is refunded.
//!
//! # Drawbacks first
//!
//! - The paper's average knows nothing of a newcomer and guesses 0, which is no protection: give it a fallback.
//! - An average guesses too little for half of the answers. A [`Quantile`] errs on the chosen side.
//! - Memory is bounded by forgetting who was heard of longest ago, about [`RecentUsers`]: more users than it holds, and
//!   some start as newcomers again.
//!
//! # How to use it
//!
//! Predictors are built from each other:
//!
//! ```
//! use vtc_core::predict::{Ask, MovingAverage, OutputPredictor, OverAll, UserName};
//!
//! // The paper's average; for newcomers that over all users; never more than the request allows.
//! let mut predictor = MovingAverage::new(10_000).or(OverAll::default()).capped();
//! let ask = |user, max_output| Ask { user: UserName::new(user), input: 10, max_output };
//! predictor.observe(&ask("alice", None), 100);
//! predictor.observe(&ask("alice", None), 200);
//! assert_eq!(predictor.predict(&ask("alice", None)), Some(120)); // (4 * 100 + 200) / 5
//! assert_eq!(predictor.predict(&ask("alice", Some(50))), Some(50));
//! assert_eq!(predictor.predict(&ask("bob", None)), Some(120));
//! ```
//!
//! A simulator that knows the truth says it as `max_output` and predicts with [`AsAllowed`]: that is the paper's oracle.
//!
//! Source: Sheng et al., *Fairness in Serving Large Language Models*, OSDI'24: VTC with length prediction.

mod combine;
mod moving_average;
mod quantile;
mod recent;
mod user_name;

use std::fmt;

pub use self::combine::{AsAllowed, Capped, Or};
pub use self::moving_average::{MovingAverage, OverAll};
pub use self::quantile::Quantile;
pub use self::recent::RecentUsers;
pub use self::user_name::UserName;

/// Guesses output lengths, and learns from those that came.
pub trait OutputPredictor: fmt::Debug + Send {
    /// How many tokens the answer will have; `None` if there is nothing to go by.
    fn predict(&self, ask: &Ask<'_>) -> Option<u64>;

    /// The answer to this had so many tokens.
    fn observe(&mut self, ask: &Ask<'_>, output: u64);

    /// This one, and where it has nothing to go by, the other.
    fn or<P: OutputPredictor>(self, other: P) -> Or<Self, P>
    where
        Self: Sized,
    {
        Or { first: self, second: other }
    }

    /// This one, but never more than the request allows.
    fn capped(self) -> Capped<Self>
    where
        Self: Sized,
    {
        Capped { inner: self }
    }
}

/// What is known of a request before it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Who asks.
    pub user: UserName<'a>,
    /// Tokens that will be read.
    pub input: u64,
    /// The most tokens that may be written, if the request says so.
    pub max_output: Option<u64>,
}

impl<P: OutputPredictor + ?Sized> OutputPredictor for Box<P> {
    fn predict(&self, ask: &Ask<'_>) -> Option<u64> {
        (**self).predict(ask)
    }

    fn observe(&mut self, ask: &Ask<'_>, output: u64) {
        (**self).observe(ask, output);
    }
}
