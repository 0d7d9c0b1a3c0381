//! What a way of sharing pods would come to, before anybody has to live with it: requests in scripted time around the real
//! `vtc-core`.
//!
//! ```text
//! workload    who asks for what, and when     streams of the published workloads, or what was recorded
//! simulator   what becomes of it              the core's own queue and router; pods are arithmetic
//! measure     what that comes to              fairness, throughput, times, for all and for each client
//! ```
//!
//! Data flow one way: a [`Workload`](workload::Workload) gives [`Request`](request::Request)s,
//! [`simulate`](simulator::simulate) makes [`Outcome`](request::Outcome)s of them, a [`Recorder`](measure::Recorder) makes
//! figures of those. Nothing here reads a clock or draws without a seed: the same run gives the same digits anywhere.
//!
//! ```
//! use vtc_sim::measure::{Recorder, Setting};
//! use vtc_sim::simulator::{Setup, simulate};
//! use vtc_sim::workload;
//!
//! let workload = workload::by_name("overload")?.lasting(120.0);
//! let mut diffs = Vec::new();
//! for policy in ["fcfs", "vtc-fair"] {
//!     let mut recorder = Recorder::new(Setting::new(workload.duration)?);
//!     let setup = Setup::new(policy.parse()?);
//!     simulate(&setup, &workload.clients, workload.arrivals(1), |outcome| recorder.add(outcome))?;
//!     diffs.push(recorder.finish().avg_diff);
//! }
//! assert!(diffs[1] < diffs[0], "the fair queue serves both alike: {diffs:?}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What the simulator leaves out stands in its documentation: [`simulator`], *Drawbacks first*.
#![forbid(unsafe_code)]

pub mod measure;
pub mod request;
pub mod simulator;
pub mod workload;
