//! Laws of the fair queue. Time is scripted: a step of the pods is a step of a loop.
#![expect(clippy::unwrap_used, reason = "a test")]

mod bounds;
mod fleet;
mod fleet_laws;
mod housekeeping;
mod limits;
mod model;
mod order;
mod pods;
mod scenarios;
mod settling;
