//! What the benchmarks compare with, and the users they are run with.

pub mod aibrix;
pub mod users;
