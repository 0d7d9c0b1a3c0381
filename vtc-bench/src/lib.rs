//! What the benchmarks compare with, the users they are run with, the stress tool, the count of instructions, and what
//! else they have in common; the simulator of pods and its workloads.

pub mod aibrix;
pub mod core_wait;
pub mod instructions;
pub mod measure;
pub mod report;
pub mod request;
pub mod simulator;
pub mod stress;
pub mod trace;
pub mod users;
pub mod workload;
