//! What the queues of several replicas tell each other: plain rows of absolute values.
//!
//! A row says how things stand and not how they have changed. So a row that comes twice does no harm, and one that is lost
//! is made up for by the next. Whoever carries rows may keep the last of each in a table, keyed by user, and read the whole
//! table to whoever has missed something.

use super::counter::Counter;

/// What one replica tells of its queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QueueNews {
    /// The number of these news: those that come later have a greater one, and what comes after them is not read.
    pub revision: u64,
    /// Whether this is everything: who is not in it, is not known there.
    pub whole: bool,
    /// Whether it knows of no other replica. Its counters are then on a scale of their own, until it has heard of one.
    pub alone: bool,
    /// The level at which users come in there; `None` before anybody left the order.
    pub level: Option<Counter>,
    /// How many requests it has dispatched.
    pub dispatched: u64,
    /// The users of whom something has changed; if this is everything, all of whom there is anything to say.
    pub users: Vec<UserNews>,
    /// The users whose rows are to be thrown away, before those of `users` are read.
    pub forgotten: Vec<Box<str>>,
}

/// What one replica has to say of one user.
///
/// The user's counter is `start`, and what all replicas charged in this era. An era begins when the user is lifted, at
/// the counter that it is lifted to: what was charged before does not matter any more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UserNews {
    /// Its name.
    pub user: Box<str>,
    /// The era. The latest that anybody knows is in force, and what belongs to another does not count.
    pub era: u64,
    /// The counter at the beginning of the era. If replicas differ, the largest is in force.
    pub start: Counter,
    /// What this replica alone has charged in this era, in a counter's units, less what it took back. Less than nothing
    /// if what it took back was charged in an era before.
    pub charged: i128,
    /// How much of its charges, of whatever era, it may still take back.
    pub held: u128,
    /// Requests that wait there; 0 if none of them may go.
    pub waiting: u32,
    /// Whether anything of the user waits or runs there.
    pub present: bool,
}
