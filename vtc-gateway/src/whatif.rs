//! What would a change do: the requests of the last minutes once more, with another discipline, policy, weight or number of
//! pods, beside what came of them.
//!
//! ```text
//! record    who came when, what each took, how long it waited      what was
//! history   of one pool, in the window that is asked for
//! fit       how long a step of such a pod takes, from the times that were seen
//! rules     what is in force, and the same with the change         -> vtc-sim, twice
//! answer    what was, what the replay makes of it, what it would be; sentences
//! ```
//!
//! # What a replay is not
//!
//! - **Requests come when they came.** A client that asks again when it is answered would ask sooner if it were answered
//!   sooner; a client that left would perhaps have stayed.
//! - **A pod is arithmetic**, with as few terms as can be told from the record, and the same for all pods of the pool.
//! - **It begins with empty pods**, half a minute before what is measured if the record reaches back so far. Whatever has
//!   not ended yet is not in the record.
//!
//! So the unchanged replay stands beside what was measured in every answer. How far these two are apart is how far the
//! third can be trusted.
//!
//! Everything but [`routes`] and [`terminal`] is pure: the record's arrivals and the rules in, an [`Answer`] out.

mod answer;
mod change;
mod fit;
mod history;
mod least_squares;
mod replay;
pub mod routes;
mod rules;
pub mod terminal;
#[cfg(test)]
mod tests;

pub use self::answer::{Agreement, Answer, Figures, Model, UserAnswer};
pub use self::change::{Change, Pods};
pub use self::fit::Fit;
pub use self::history::History;
pub use self::replay::answer;
pub use self::rules::Rules;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WhatIfError {
    /// Something in it is not allowed.
    #[error("{param}: {value:?} is not allowed; give {allowed}")]
    Wrong {
        /// The part.
        param: &'static str,
        /// What it was.
        value: String,
        /// What it could be.
        allowed: String,
    },
    /// There is not enough to say anything from.
    #[error(
        "{served} requests of {pool} were served in the {seconds:.0} s that the record has of the time asked for; it takes {} \
         with more than one token of answer: ask for more minutes, or later",
        fit::FEWEST
    )]
    Thin {
        /// The pool.
        pool: String,
        /// How many could be used.
        served: usize,
        /// The time looked at.
        seconds: f64,
    },
    /// The record is not kept.
    #[error("no arrivals are recorded: record.arrivals is 0")]
    NoRecord,
    /// Another one is being answered.
    #[error("another such question is being answered: ask again in {} s", RETRY_SECONDS)]
    Busy,
    /// The gateway is ending, or a limit of the simulator was passed.
    #[error("it could not be replayed: {0}")]
    Failed(String),
}

/// An answer takes a second or two.
pub(crate) const RETRY_SECONDS: u64 = 2;
