//! The simulator: its laws, a naive one that agrees with it, the published figures.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod anchors;
mod laws;
mod naive;
