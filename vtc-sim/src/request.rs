//! A request as a simulation knows it: before it is served, and what became of it.

use std::sync::Arc;

/// A request that will come.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// When it comes, in seconds from the beginning of the run.
    pub arrival: f64,
    /// Whose it is: an index into the names and weights of the run's clients.
    pub client: u32,
    /// Tokens of its prompt.
    pub input: u64,
    /// Tokens of its answer. A policy does not know them before the answer has ended, unless it is an oracle.
    pub output: u64,
    /// What its answer is said to take before it is known, by which a gateway reckons whether there is room; `None`: nobody
    /// says, and the core's estimator guesses. A prediction of the queue goes before it.
    pub guess: Option<u64>,
    /// The blocks of its prompt by their content, from the first on, where a trace tells: equal leading blocks are a
    /// prefix that a cache may hold.
    pub blocks: Option<Arc<[u64]>>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// When it came, in seconds from the beginning of the run.
    pub arrival: f64,
    /// Whose it was.
    pub client: u32,
    /// Tokens of its prompt.
    pub input: u64,
    /// Tokens of its answer.
    pub output: u64,
    /// `None`: it was refused.
    pub served: Option<Served>,
}

/// When a request was served, in seconds from the beginning of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Served {
    /// When its first token came.
    pub first_token: f64,
    /// When its last token came.
    pub end: f64,
}
