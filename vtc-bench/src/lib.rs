//! What the benchmarks compare with, the users they are run with, the stress tool, the count of instructions, and what
//! else they have in common; traces of real traffic, and reports of simulated runs.

pub mod aibrix;
pub mod core_wait;
pub mod instructions;
pub mod report;
pub mod stress;
pub mod trace;
pub mod users;
