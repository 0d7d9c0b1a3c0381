//! What the benchmarks compare with, the users they are run with, and the stress tool.

pub mod aibrix;
pub mod stress;
pub mod users;
