//! What the benchmarks compare with, the users they are run with, the stress tool, and the count of instructions.

pub mod aibrix;
pub mod instructions;
pub mod stress;
pub mod users;
