//! loom models of `vtc-core`: every interleaving of two or three threads, within a bound on preemptions.
//!
//! Run them with
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test -p loom-tests
//! ```
//!
//! In an ordinary build this crate is empty and depends on nothing: `--cfg loom` reaches every crate of a
//! build, so it must be a build of its own.
//!
//! What the models run is the very source that ships, with loom's atomics behind the core's sync facade. What
//! they do *not* prove:
//! - loom sees neither inside `arc-swap` nor inside the map and its locks; both are a mutex here. The reference count of
//!   an account, `triomphe`'s, is modelled by one with the same orderings. What is modelled is our protocol on top of
//!   them.
//! - loom does not model the total order of `SeqCst`; the core uses acquire, release and relaxed only.
//! - loom lets a load return an old value, but carries out read-modify-writes in the order in which it runs them.
//!   That the total is raised before a bucket's word is released, as other threads see it, is argued in the ring's
//!   comments and not found by a model.
//! - Executions with more preemptions than the bound are not explored.
#![cfg(loom)]
#![expect(clippy::unwrap_used, reason = "models are tests")]

pub mod marks;
pub mod ring_models;
pub mod weakened;

use std::time::Duration;

use vtc_core::{ManualClock, RouteRequest, Router, Ticket, TimeUnit, VtcConfig};

/// The smallest window there is: the bucket of now and one before it, a millisecond each. Exact extremes.
#[must_use]
pub fn tiny_config() -> VtcConfig {
    let mut config = VtcConfig::default();
    config.tracker.window_size = 1;
    config.tracker.time_unit = TimeUnit::Milliseconds;
    config.tracker.staleness = Duration::ZERO;
    config
}

/// A router over one pod, so that a decision is the same in every execution.
#[must_use]
pub fn tiny_router(clock: &ManualClock) -> Router<ManualClock> {
    let router = Router::with_clock(tiny_config(), clock.clone()).unwrap();
    router.pods().set(["pod"]);
    router
}

/// Reserves 10 for alice.
pub fn route(router: &Router<ManualClock>) -> Ticket<ManualClock> {
    router.route(&RouteRequest { user: Some("alice"), input_tokens: 10.0, output_tokens: 0.0 }).unwrap()
}

/// How many requests are in flight on the one pod.
#[must_use]
pub fn in_flight(router: &Router<ManualClock>) -> u64 {
    router.pods().table().pods()[0].in_flight()
}
