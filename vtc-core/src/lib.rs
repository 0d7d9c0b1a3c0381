//! Fair sharing of large language models among many users: who has been served how much, and where a request goes.
//!
//! A *virtual token counter* charges each user for the tokens served, weighted by what they cost: by default 1 for
//! a token that is read and 2 for one that is written. This crate keeps those counters over a sliding window, for
//! any number of threads without a lock on the way, and routes requests to pods by them: AIBrix's `vtc-basic` and
//! some classic policies. It has no runtime, no thread, no I/O and no `unsafe`.
//!
//! Source: Sheng et al., *Fairness in Serving Large Language Models*, OSDI'24; the package
//! `pkg/plugins/gateway/algorithms/vtc` of AIBrix.
//!
//! # Drawbacks first
//!
//! - **Routing spreads, it does not queue.** `vtc-basic` moves users with much service and users with little to
//!   different pods. It holds nobody back: if all pods are full, everybody waits in them. For shares that are
//!   guaranteed, let requests wait in a [`FairQueue`]: [`queue`].
//! - **The window is in buckets.** A charge counts for the window and up to one bucket more (by default five
//!   minutes and five seconds). Narrower buckets cost 8 bytes each per user.
//! - **Estimates rule until the truth is known.** A request is charged its estimate when it is routed; how good a
//!   decision is between then and its settlement depends on the estimator.
//! - **Somebody has to refresh the extremes**, every [`staleness`](TrackerConfig::staleness) (100 ms), in proportion to
//!   the users who changed since. Without a timer that calls [`upkeep`](SlidingWindowTracker::upkeep) it is the
//!   reader who finds them too old: nothing to notice with thousands of active users, milliseconds with a million
//!   (`vtc-bench/BENCHMARKS.md`).
//! - **Names are not free.** Up to 24 bytes of one lie in the account, whatever is beyond is an allocation of its
//!   own. Nothing bounds a name's length but whoever passes it in.
//! - **A thread keeps the last snapshots it saw** alive while it lives: a table of pods and a few numbers.
//!
//! # How it works
//!
//! ```text
//! request -> Router::route            look: the user's count, the extremes, the pods
//!              policy.choose(&View)   decide: plain numbers in, a position out
//!              Ticket                 remember: the estimate on the account, a place on the pod
//! response -> Ticket::settle          replace the estimate by the usage, leave the place: once
//! ```
//!
//! A user's account is a ring of atomic buckets with a running total. Accounts are found by name through a map of
//! sharded locks; a [`UserHandle`] skips it. The smallest and the largest count of all users are an immutable
//! snapshot that one writer at a time replaces ([`Extremes`]), and so is the table of pods ([`PodTable`]). That writer
//! keeps a copy of all counts side by side: an account that changes raises a flag, a bit among those of its neighbours,
//! and a calendar says whose buckets expire when, so a refresh costs what has changed and not how many users
//! there are. A [`Ticket`] is what a decision took, and gives it back exactly once, whichever of its endings comes first.
//!
//! A [`FairQueue`] stands beside all that: plain data, owned by one thread, with virtual counters of its own that never
//! expire. It decides *when* a request goes, the router where.
//!
//! Users who have no tokens left are forgotten with the refresh that sees their last ones expire; those to whom
//! somebody holds a handle or a ticket, within a window after it is let go. Beyond
//! [`max_users`](TrackerConfig::max_users) newcomers share one account. A user costs 0.6 kB with the default window.
//!
//! # How to use it
//!
//! ```
//! use vtc_core::{RouteRequest, Router, SimpleTokenEstimator, VtcConfig};
//!
//! let router = Router::new(VtcConfig::from_env()?)?;
//! router.pods().set(["pod-0", "pod-1", "pod-2"]);
//!
//! let prompt = "Why is the sky blue?";
//! let request = RouteRequest::from_text(Some("alice"), prompt, &SimpleTokenEstimator::default());
//! let ticket = router.route(&request)?;
//! println!("send it to {}", ticket.pod().name());
//!
//! // Its stream: what passes the reservation is charged as it goes.
//! ticket.progress(5.0, 100.0)?;
//! // Its end: the usage that the pod reports.
//! ticket.settle(6.0, 120.0)?;
//!
//! let extremes = router.tracker().extremes();
//! println!("{} users have between {} and {} tokens", extremes.users, extremes.min, extremes.max);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Tests and simulations script the time with a [`ManualClock`]: [`Router::with_clock`].
//!
//! # What a concurrent reader may see
//!
//! | read | what it shows | how old |
//! | --- | --- | --- |
//! | a user's count | every charge whose call had returned, nothing that expired; a charge or an expiry that another thread is in the middle of may show or not. Never negative, never more than was charged | not at all |
//! | [`extremes`](SlidingWindowTracker::extremes) | the range of such counts, each read once, one after the other: every charge that had returned when the refresh began, nothing that had expired by [`as_of`](Extremes::as_of) | at most [`staleness`](TrackerConfig::staleness), and the time that the one reader who renews it takes; with 0, not at all |
//! | [`last_extremes`](SlidingWindowTracker::last_extremes) | the same | since the last renewal |
//! | [`users`](SlidingWindowTracker::users) | every user that is there throughout; one that comes or goes meanwhile maybe | not at all |
//! | [`account_count`](SlidingWindowTracker::account_count) | a number that was right at some moment during the call; never above the cap | not at all; idle users are in it until the next refresh |
//! | the table of pods | one whole table | since the last [`set`](Pods::set) |
//! | a pod's requests in flight | a number that was right at some moment during the call | not at all |
//!
//! Where trackers of several processes [tell each other](SlidingWindowTracker::export_changes) what they charged, counts,
//! extremes and totals are of all of them together; what others charged is as old as it was when it was
//! [said](SlidingWindowTracker::set_elsewhere).
//!
//! Several reads are several moments: nothing holds the world still between them. A reader waits for nobody, with one
//! exception: with a staleness of 0 each makes its own extremes, and they take turns.
//!
//! # Features
//!
//! - `serde`: configuration and snapshots can be serialized; durations as text (`"100ms"`).
//! - `loom`: for the models, together with `--cfg loom`; does nothing alone.
//!
//! Metrics go through the `metrics` facade: the gauge `vtc_bucket_size_active`.
#![forbid(unsafe_code)]
// Clippy knows a type through every re-export, so it would object to the facade's names too. That only
// `sync.rs` names `std`'s is held by `tests/facade.rs` instead.
#![cfg_attr(
    not(all(loom, feature = "loom")),
    expect(clippy::disallowed_types, reason = "atomics and locks, by way of the sync facade")
)]

mod clock;
mod config;
pub mod cost;
mod estimator;
mod extremes;
mod fairness;
mod flag;
mod meter;
mod noise;
mod pods;
pub mod policy;
pub mod predict;
pub mod queue;
mod ring;
mod router;
mod setting;
mod sync;
mod ticket;
mod tokens;
mod tracker;
mod window;

pub use self::clock::{Clock, CoarseClock, ManualClock, PreciseClock, Tick};
pub use self::config::{TimeUnit, TrackerConfig, VtcConfig};
pub use self::cost::{ServiceCost, Usage};
pub use self::estimator::{SimpleTokenEstimator, TokenEstimator};
pub use self::extremes::Extremes;
pub use self::fairness::jain_index;
pub use self::meter::{Meter, MeterReader, meter};
pub use self::noise::Noise;
pub use self::pods::{Pod, PodTable, Pods};
pub use self::policy::{Policies, Policy, ScoringConfig, UnknownPolicy};
pub use self::predict::OutputPredictor;
pub use self::queue::{Arrival, FairQueue};
pub use self::router::{RouteError, RouteRequest, Router};
pub use self::setting::ConfigError;
pub use self::ticket::Ticket;
pub use self::tokens::{InvalidTokens, TokenWeights, Tokens};
pub use self::tracker::{
    Charged, EmptyUser, SlidingWindowTracker, TokenTracker, TrackerBuilder, UpdateError, UserHandle,
};

/// The README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

/// What the models in `loom-tests` need to see. Not part of the interface; absent from every other build.
#[cfg(all(loom, feature = "loom"))]
#[doc(hidden)]
pub mod __loom {
    pub use crate::ring::StandaloneRing as Ring;
    pub use crate::sync::{Publisher, Snapshot, snapshot};
}
