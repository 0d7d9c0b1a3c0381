//! One queue over several replicas: what they tell each other, and how it is one.
//!
//! Whoever runs several gateways in front of the same pods wants one queue, whichever of them a request enters. Each
//! replica keeps its own, chooses on its own, and waits for nobody; now and then they tell each other what has changed:
//! [`export`](super::FairQueue::export), [`import`](super::FairQueue::import). It begins with the first export; before,
//! nothing of it costs anything.
//!
//! Drawbacks first:
//!
//! - **News are late.** Users are served alike up to what is served while news are on their way:
//!   [`bounds`](super::bounds).
//! - **Room is idle on its way** to another replica, for up to two exchanges, and where it goes to one that is dead,
//!   for four. It goes only as far as shares have to move; where they are settled, each replica fills its own.
//! - **A pod can get too many.** Replicas that see the same free place at the same time may all fill it: at most as
//!   many more as were free, for each other replica. [`deal`](super::FairQueue::deal) divides what is free as one queue
//!   would, so that it happens only where requests come that the others had not heard of.
//! - **Limits, ties and the order of arrival are each replica's own,** and so are the floor of `vtc-max-fair` and the
//!   one line of `fcfs`. Users beyond [`QueueLimits::users`](super::QueueLimits::users) are not told of: each replica
//!   has one account for all of them.
//!
//! ```text
//! counter[u] = start[u] + what each replica has charged u in this era
//! a lift of u to a level     a new era of u: its number is one more than any that is known, start = the level
//! of two eras                the later is in force; of two starts of one era the higher
//! u comes in                 level = the least counter of those who wait anywhere; no lift if u waits elsewhere
//! is it our turn?            k, the least here, goes if it is at most `slack` ahead of the least who waits elsewhere;
//!                            else its place is left to the others, for four exchanges at most
//! slack                      what was charged by all in one exchange of late
//! ```
//!
//! A row holds absolute values and has one writer, so it may come twice, and what comes late is made up for. A sum of
//! rows and a maximum do not depend on the order in which they are heard: when all news have flowed, counters are the
//! same everywhere, to the unit. (To take the greater of two counters would not do: an old one would undo each refund.)
//! Who hears of an era has charged something in the one before, perhaps, that whoever lifted did not know: what was
//! charged since the news before the last goes along. It may be charged twice then; but it is not lost, and that would
//! add up.
//!
//! *A replica that is gone* leaves its charges: the users it had served and who are present begin an era at the counter
//! they have.
//! *One that was alone*, new or cut off, takes the scale of the fleet when it hears of it: all its counters move by as
//! much as its level has to. Of two that were alone the lower one rises. So nobody waits until others have caught up
//! with what happened meanwhile; whoever was served more than others of its own replica stays ahead of those.
//! *A replica that does not take* what is left to it does not count until it dispatches again.
//!
//! The [proof](super#who-is-forgotten) that nobody is forgotten who matters goes on: an era begins at a level or at the
//! counter, so bases do not fall where they are known, and a user who waits or runs elsewhere is not idle. What is new
//! is that others' levels come late and may be lower. So whoever comes in has at least the highest counter that was
//! ever forgotten; and an idle user is forgotten only when nothing was heard of it for sixteen exchanges, as more may
//! be on its way. If news take longer than half of that, a user may be known with less than it was charged, until its
//! next era.
//!
//! # Rows
//!
//! A row says how things stand and not how they have changed. So a row that comes twice does no harm, and one that is
//! lost is made up for by the next. Whoever carries rows may keep the last of each in a table, keyed by user, and read
//! the whole table to whoever has missed something.

use super::counter::Counter;

/// What one replica tells of its queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QueueNews {
    /// The number of these news: a greater one for each that is told. News that come after some with a greater number are
    /// not read.
    pub revision: u64,
    /// Whether this is everything: who is not in it, is not known there.
    pub whole: bool,
    /// Whether it knows of no other replica. Its counters are then on a scale of their own, and only who is alone too reads
    /// of its users, until it has heard of another; then it tells everything.
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
