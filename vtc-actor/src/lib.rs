//! Fair sharing of large language models, as messages: [actix] actors around [`vtc_core::Router`] and
//! [`vtc_core::FairQueue`].
//!
//! The core counts what each user is served and chooses pods, without a thread of its own. An app gains two
//! things from an actor in front of it: somebody who keeps the timers (publishing the range of all counts,
//! closing the accounts of idle users), and the router's operations as messages, for apps that are made of
//! actors.
//!
//! # Drawbacks first
//!
//! - **A message costs several times the call.** It takes a trip through a mailbox and back, and from one thread to
//!   another two wake-ups; the call in the core is some dozens of instructions and a few atomics.
//! - **An actor is one thread.** Calls into the core scale with the cores, messages do not.
//! - **The upkeep holds the actor's thread**, in proportion to the users who changed since the last one. With hundreds
//!   of thousands of active ones give the actor [an arbiter of its own](TrackerHandle::start_in).
//! - **No priority.** Messages are served in the order in which they come.
//!
//! # When to use which
//!
//! The core is lock-free, so nothing has to go through the actor to be safe: several actors may share one
//! `Arc<Router>`, and calls and messages mix freely.
//!
//! | you want to | use |
//! | --- | --- |
//! | route and settle in a request handler of the same process | the router itself: [`TrackerHandle::router`] |
//! | have the extremes kept fresh and idle users forgotten | just [start the actor](TrackerHandle::start) and keep a handle |
//! | route, charge or look from code that is made of messages | [`TrackerHandle`], or the messages and an [`actix::Addr`] |
//! | end a request that has a ticket | the ticket: [`settle`](vtc_core::Ticket::settle), [`close`](vtc_core::Ticket::close), or drop it |
//! | charge usage that has no ticket | [`Update`], or the tracker from code that cannot wait (a `Drop`) |
//! | do the same many times at once | [`Batch`]: one trip for all |
//! | have requests wait until a pod has room, the least served user first | the [`dispatcher`] |
//! | share all that with other processes | a `ReplicaActor`: the module `replica`, with the feature `redis` |
//! | serve something that has no message here | a struct with `impl` [`Request`]: the actor serves it too |
//!
//! # How it works
//!
//! [`TrackerActor`] has one handler for everything that is a [`Request`]; a request names its reply and says
//! how a router serves it. At its start, and then each half of the configured staleness, it calls
//! [`upkeep`](vtc_core::SlidingWindowTracker::upkeep), so that no request has to refresh the extremes. With a
//! staleness of 0 each reader makes its own extremes, and the upkeep comes about once per window, for the
//! idle accounts.
//!
//! [`TrackerHandle`] is what makes the mailbox safe under load. actix's own bound is soft (`Addr::send` puts
//! the message into a full mailbox too), and the timeout of its request does not run while it waits for room.
//! So the handle counts what is in the mailbox, times the whole wait, and *sheds*:
//!
//! - a request beyond [`max_in_flight`](HandleConfig::max_in_flight) is [`HandleError::Overloaded`] and never
//!   enters the mailbox; a place is free when its message has left the mailbox, not when its caller has;
//! - a caller who has waited for [`timeout`](HandleConfig::timeout) gets [`HandleError::Timeout`]; the actor
//!   skips the message, and if it was served just then, the ticket in the unread reply abandons itself;
//! - what *settles* ([`Update`]) is neither shed nor skipped. It reports what has been consumed, and there is
//!   at most as much of it as was admitted before. Tickets settle in the core, without a message at all.
//!
//! # How to use it
//!
//! A reply has two layers: outside whether there is an answer ([`HandleError`]), inside what the router says.
//!
//! ```
//! use std::sync::Arc;
//!
//! use vtc_actor::{Batch, HandleConfig, HandleError, Route, RouteRefusal, TrackerHandle, Update};
//! use vtc_core::{RouteError, Router, VtcConfig};
//!
//! # actix::System::new().block_on(async {
//! // The actor starts on this thread. The handle is cheap to clone and may go to others.
//! let router = Arc::new(Router::new(VtcConfig::default())?);
//! let handle = TrackerHandle::start(router, HandleConfig::default())?;
//! handle.set_pods(["pod-0", "pod-1"]).await?;
//!
//! let ticket = match handle.route(Route::new("alice", 10.0, 15.0)).await {
//!     Ok(Ok(ticket)) => ticket,
//!     Ok(Err(RouteRefusal::Route(RouteError::NoPods))) => panic!("503: no pod is ready"),
//!     Ok(Err(refusal)) => panic!("400: {refusal}"),
//!     Err(HandleError::Overloaded { retry_after }) => panic!("503, Retry-After: {retry_after:?}"),
//!     Err(failure) => panic!("500: {failure}"),
//! };
//! assert_eq!(handle.token_count("alice").await?, 40.0); // the estimate: 10 + 2 * 15
//! // ... the request is served by ticket.pod().name(), and the response's usage says:
//! ticket.settle(12.0, 100.0)?; // no message: the ticket knows its account
//! assert_eq!(handle.token_count("alice").await?, 212.0);
//!
//! // Many at once share one trip, and each has its own reply.
//! let replies = handle.send(Batch(vec![Update::new("bob", 1.0, 0.0), Update::new("", 1.0, 0.0)])).await?;
//! assert!(replies[0].is_ok());
//! assert!(replies[1].is_err(), "the empty name names nobody");
//!
//! // The direct way, in the same process.
//! let extremes = handle.router().tracker().extremes();
//! assert!(extremes.min <= extremes.max);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/embed.rs` is a whole actix-web app around it.
//!
//! # Features
//!
//! - `redis`: several processes share what they know: the module `replica`; and a tracker that lives in Redis: the module
//!   `redis_tracker`.
//! - `serde`: what dispatchers tell each other can be serialized.
//!
//! [actix]: https://docs.rs/actix
#![forbid(unsafe_code)]

pub mod dispatcher;
mod error;
mod handle;
mod messages;
#[cfg(feature = "redis")]
pub mod redis_tracker;
#[cfg(feature = "redis")]
pub mod replica;
mod tracker_actor;

pub use vtc_core;

pub use self::dispatcher::{
    Acquire, Capacity, DispatcherActor, DispatcherConfig, DispatcherHandle, Permit, PoolPod, Refusal,
};
pub use self::error::{HandleError, RouteRefusal};
pub use self::handle::{Answer, HandleConfig, TrackerHandle};
pub use self::messages::{Batch, GetExtremes, GetTokenCount, Request, Route, SetPods, Update};
#[cfg(feature = "redis")]
pub use self::redis_tracker::{RedisTracker, RedisTrackerConfig};
#[cfg(feature = "redis")]
pub use self::replica::{RedisServers, ReplicaActor, ReplicaConfig, ReplicaHandle, ReplicaStatus};
pub use self::tracker_actor::TrackerActor;
