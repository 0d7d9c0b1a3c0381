//! What the benchmarks compare with, the users they are run with, and what else they have in common.

pub mod aibrix;
pub mod core_wait;
pub mod users;
