//! The simulator: its laws, a naive one that agrees with it.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod laws;
mod naive;
