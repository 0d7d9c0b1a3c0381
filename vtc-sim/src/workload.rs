//! Who asks for what, and when: the workloads that policies are judged on.
//!
//! A workload is a set of streams, each of one client: a rate over time, how arrivals are spaced, and how long requests
//! and answers are. Or it is a trace, with its tenants, its load and its jitter: [`Replay`].
//!
//! Arrivals come as an iterator, merged by time from a heap of one request per stream: memory in proportion to the
//! streams, whatever the duration. Each stream has a generator of its own, seeded by the run's seed and the stream's
//! number, so one stream more changes nothing for the others.
//!
//! ```
//! use vtc_sim::workload;
//!
//! let workload = workload::by_name("overload")?;
//! let requests = workload.arrivals(7).count();
//! assert!((1619..=1621).contains(&requests), "1.5 and 3 a second for 360 s: {requests}");
//! # Ok::<(), workload::UnknownWorkload>(())
//! ```

mod arrivals;
mod paper;
mod rate;
mod replay;
mod stream;
mod tenants;

use std::sync::Arc;

use vtc_core::queue::Weight;

pub use self::arrivals::Arrivals;
pub use self::rate::{Rate, Segment};
pub use self::replay::{Replay, ReplayError, Tenants};
pub use self::stream::{Lengths, Spacing, Stream};

/// Somebody who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its name, unique in a run.
    pub name: Arc<str>,
    /// Its weight: of two that always want more, one with twice the weight is to be served twice as much.
    pub weight: Weight,
}

/// Clients, and what they ask for.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// Who asks. A request's [`client`](crate::request::Request::client) is an index into these.
    pub clients: Vec<Client>,
    /// How long requests come, in seconds.
    pub duration: f64,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    /// Each with its number, which its generator is seeded with.
    Streams(Vec<(u64, Stream)>),
    Trace(Replay),
}

/// No workload has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no workload is called {name:?}; there are {}", names().collect::<Vec<_>>().join(", "))]
pub struct UnknownWorkload {
    /// The name asked for.
    pub name: String,
}

/// A workload's name, one line about it, and how it is made.
type Entry = (&'static str, &'static str, fn() -> Parts);

/// What makes a workload: the weights of its clients, how long it lasts, its streams.
struct Parts {
    weights: Vec<f64>,
    duration: f64,
    streams: Vec<Stream>,
}

/// The names of the workloads.
pub fn names() -> impl Iterator<Item = &'static str> {
    entries().map(|(name, ..)| *name)
}

/// The workloads and one line about each.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    entries().map(|(name, about, _)| (*name, *about))
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    paper::ALL.iter().chain(&tenants::ALL)
}

/// The workload of that name.
///
/// # Errors
/// [`UnknownWorkload`], which lists the names there are.
pub fn by_name(name: &str) -> Result<Workload, UnknownWorkload> {
    let entry = entries().find(|(known, ..)| *known == name);
    let (name, about, make) = entry.ok_or_else(|| UnknownWorkload { name: name.to_owned() })?;
    let Parts { weights, duration, streams } = make();
    let client = |(number, weight): (usize, f64)| Client {
        name: format!("client-{number}").into(),
        weight: Weight::new(weight).unwrap_or_default(),
    };
    Ok(Workload {
        name: (*name).to_owned(),
        about: (*about).to_owned(),
        clients: weights.into_iter().enumerate().map(client).collect(),
        duration,
        source: Source::Streams((0..).zip(streams).collect()),
    })
}

// === impl Client ===

impl Client {
    /// A client of weight 1.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), weight: Weight::ONE }
    }
}

// === impl Workload ===

impl Workload {
    /// A trace as a workload.
    #[must_use]
    pub fn of_trace(name: impl Into<String>, replay: Replay) -> Self {
        Self {
            name: name.into(),
            about: replay.about(),
            clients: replay.clients().to_vec(),
            duration: replay.duration(),
            source: Source::Trace(replay),
        }
    }

    /// The same for another number of seconds: streams stop earlier or go on as they were, a trace is cut off
    /// behind what comes at that moment.
    #[must_use]
    pub fn lasting(self, duration: f64) -> Self {
        Self { duration, ..self }
    }

    /// The same with so many times as many requests a second; a trace is over so much sooner.
    ///
    /// # Errors
    /// What is not a finite number above 0.
    pub fn at_load(self, factor: f64) -> Result<Self, ReplayError> {
        let source = match self.source {
            _ if !(factor.is_finite() && factor > 0.0) => return Err(ReplayError::Load(factor)),
            Source::Streams(streams) => {
                let scaled = |(number, stream): (u64, Stream)| (number, stream.at_load(factor));
                Source::Streams(streams.into_iter().map(scaled).collect())
            }
            Source::Trace(replay) => {
                let replay = replay.at_load(factor)?;
                return Ok(Self { duration: self.duration / factor, source: Source::Trace(replay), ..self });
            }
        };
        Ok(Self { source, ..self })
    }

    /// The same with only these clients asking: who is alone is measured by what it gets alone.
    #[must_use]
    pub fn only(mut self, keep: impl Fn(u32) -> bool) -> Self {
        match &mut self.source {
            Source::Streams(streams) => streams.retain(|(_, stream)| keep(stream.client)),
            Source::Trace(replay) => replay.retain(keep),
        }
        self
    }

    /// The requests, in the order of their arrival; the same for the same seed.
    #[must_use]
    pub fn arrivals(&self, seed: u64) -> Arrivals {
        match &self.source {
            Source::Streams(streams) => Arrivals::of_streams(streams, self.duration, seed),
            Source::Trace(replay) => Arrivals::of_trace(replay.requests(seed), self.duration),
        }
    }

    /// Whether any client's weight is not that of the first.
    #[must_use]
    pub fn is_weighted(&self) -> bool {
        self.clients.windows(2).any(|pair| pair[0].weight != pair[1].weight)
    }
}

#[cfg(test)]
mod tests;
