//! What the dispatchers of several replicas tell each other, and the messages for whoever carries it.
//!
//! Everything is a row of absolute values: a row that comes twice or late does no harm, and one that is lost is made up for
//! by the next. A row is known by its pool and user, by its pool, or by its pod. Whoever carries them may keep the last of
//! each, and read them all to whoever comes new.

use std::sync::Arc;

use actix::Message;
use vtc_core::queue::QueueNews;

/// What has changed here since the last time? From the first of these on, the dispatcher shares its queues: it is to be
/// sent once in each exchange, as the dispatcher counts by it how long others have had to answer.
///
/// O(users and pods that have changed); with `whole`, O(users known).
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "News")]
pub struct Export {
    /// The name that this replica is known by: of those in an exchange, no two have the same, and whoever starts anew has
    /// a new one.
    pub replica: Arc<str>,
    /// Everything is wanted, and not only what has changed.
    pub whole: bool,
}

/// What was heard from others: once in each exchange, in the order in which it was said, also if it is nothing. Nothing of
/// what this replica said itself.
///
/// The answer names the replicas whose next news have to be whole, as something is missing. News of a replica that is not
/// known, or not any more, are read only if they are.
///
/// O(rows log users), and for the places that are free O(places log users).
#[derive(Clone, Debug, Default, PartialEq, Eq, Message)]
#[rtype(result = "Vec<Arc<str>>")]
pub struct Import(pub Vec<(Arc<str>, Heard)>);

/// What was heard of another replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// What it says.
    News(News),
    /// It is no more, or has not been heard of for so long that it counts as gone. What it was running is no longer held
    /// against its pods; what it has charged stays charged. If it is there after all, it is known again by its next whole news.
    Gone,
}

/// What one dispatcher tells the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct News {
    /// The number of these news: a greater one for each that is told. News that come after some with a greater number are
    /// not read.
    pub revision: u64,
    /// Whether this is everything: what is not in it, is not there.
    pub whole: bool,
    /// The pools of which something has changed.
    pub pools: Vec<PoolNews>,
    /// The pods of which something has changed.
    pub pods: Vec<PodNews>,
}

/// What one dispatcher tells of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PoolNews {
    /// The pool's name.
    pub pool: Box<str>,
    /// Its queue; `None`: the pool is forgotten there, and all its rows go.
    pub queue: Option<QueueNews>,
}

/// What one dispatcher has on a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PodNews {
    /// The pod's name.
    pub pod: Box<str>,
    /// Requests that it runs there. A row of none is as good as no row.
    pub running: u64,
    /// The tokens that they hold.
    pub tokens: u64,
}
