//! Fair sharing of large language models among many users.
#![forbid(unsafe_code)]
// Clippy knows a type through every re-export, so it would object to the facade's names too. That only
// `sync.rs` names `std`'s is held by `tests/facade.rs` instead.
#![expect(clippy::disallowed_types, reason = "atomics and locks, by way of the sync facade")]

mod clock;
mod config;
mod estimator;
mod extremes;
mod noise;
mod pods;
pub mod policy;
mod ring;
mod router;
mod sync;
mod ticket;
mod tokens;
mod tracker;
mod window;

pub use self::clock::{Clock, CoarseClock, ManualClock, PreciseClock, Tick};
pub use self::config::{ConfigError, ScoringConfig, TimeUnit, TrackerConfig, VtcConfig};
pub use self::estimator::{SimpleTokenEstimator, TokenEstimator};
pub use self::extremes::Extremes;
pub use self::noise::Noise;
pub use self::pods::{Pod, PodTable, Pods};
pub use self::policy::{Policies, Policy, UnknownPolicy};
pub use self::router::{RouteError, RouteRequest, Router};
pub use self::ticket::Ticket;
pub use self::tokens::{InvalidTokens, TokenWeights, Tokens};
pub use self::tracker::{
    EmptyUser, SlidingWindowTracker, TokenTracker, TrackerBuilder, UpdateError, UserHandle,
};

/// What the models in `loom-tests` need to see. Not part of the interface; absent from every other build.
#[cfg(all(loom, feature = "loom"))]
#[doc(hidden)]
pub mod __loom {
    pub use crate::ring::Ring;
    pub use crate::sync::{Publisher, Snapshot, snapshot};
}
