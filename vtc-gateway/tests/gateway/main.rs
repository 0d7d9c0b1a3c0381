//! The gateway through real sockets: clients before it, pods behind it that do what a test says.
//!
//! One program with a module per surface, so that all of them share `common` and it is linked once.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod answers;
mod apis;
mod bad_answers;
mod common;
mod connections;
mod demo;
mod departures;
mod deploy;
mod discovery;
mod endpoints;
mod failures;
mod headers;
mod identity;
mod live;
mod logs;
mod models;
mod passing;
mod pod_tls;
mod policy;
mod process;
mod queue;
mod queue_limits;
mod queue_sight;
mod readiness;
mod record;
mod refusals;
mod reload;
mod sharing;
mod status;
mod streams;
mod tenants;
mod timeouts;
mod tls;
mod top;
mod traces;
mod trust;
mod whatif;
