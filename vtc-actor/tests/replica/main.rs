//! Replicas that share what they count through a real Redis, and what becomes of it when that breaks.
//!
//! Every test starts servers of its own, with nothing on disk. It needs `redis-server`, and fails without it.
#![cfg(feature = "redis")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod access;
mod authority;
mod expiry;
mod faults;
mod members;
mod node;
mod proxy;
mod queues;
mod server;
mod traffic;
