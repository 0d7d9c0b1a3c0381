//! `GET /v1/vtc/queues`: who waits for what.

use actix_web::web::{Data, Query};
use actix_web::{Error, HttpResponse};
use serde::Serialize;
use vtc_actor::dispatcher::{DispatcherSnapshot, Outcomes, PodStanding, PoolSnapshot, UserStanding};

use super::{UsersQuery, wrong_limit};
use crate::gateway::Gateway;

/// All of it. Without a queue both are empty.
#[derive(Debug, Default, Serialize)]
struct Queues<'a> {
    pools: Vec<Pool<'a>>,
    pods: Vec<Pod<'a>>,
}

#[derive(Debug, Serialize)]
struct Pool<'a> {
    /// The model, or `*` for pods that list none.
    pool: &'a str,
    discipline: &'a str,
    /// Requests that wait, and the bytes of their bodies.
    waiting: usize,
    bytes: u64,
    running: usize,
    /// Users with something that waits or runs.
    present_users: usize,
    /// Dispatches per second of late, while somebody waited.
    drain_rate: f64,
    /// Of the users who wait: the largest virtual counter less the least.
    gap: f64,
    /// Of the users who wait: Jain's index of their tokens in the window divided by their weights.
    jain_index: f64,
    outcomes: Counts,
    /// Those with the most requests that wait first.
    users: Vec<User<'a>>,
}

/// What became of requests, as in [`Outcomes`].
#[derive(Debug, Serialize)]
struct Counts {
    taken: u64,
    refused: u64,
    dispatched: u64,
    cancelled: u64,
    expired: u64,
    settled: u64,
    closed: u64,
    abandoned: u64,
    voided: u64,
}

#[derive(Debug, Serialize)]
struct User<'a> {
    /// Its account.
    user: &'a str,
    weight: f64,
    /// The virtual counter, in weighted tokens divided by the weight.
    counter: f64,
    waiting: usize,
    running: usize,
}

#[derive(Debug, Serialize)]
struct Pod<'a> {
    pod: &'a str,
    running: usize,
    max_running: Option<usize>,
    /// Tokens that what runs on it holds, and may hold.
    tokens: u64,
    max_tokens: Option<u64>,
    /// Whether it gets nothing new because a request had to leave it.
    suspect: bool,
}

/// `GET /v1/vtc/queues?limit=N`: how the queues stand, with at most so many users of each.
pub async fn queues(gateway: Data<Gateway>, query: Result<Query<UsersQuery>, Error>) -> HttpResponse {
    let Ok(query) = query else { return wrong_limit() };
    let snapshot = gateway.admission().snapshot(query.limit).await;
    HttpResponse::Ok().json(snapshot.as_ref().map(Queues::from).unwrap_or_default())
}

// === impl Queues ===

impl<'a> From<&'a DispatcherSnapshot> for Queues<'a> {
    fn from(snapshot: &'a DispatcherSnapshot) -> Self {
        Self {
            pools: snapshot.pools.iter().map(Pool::from).collect(),
            pods: snapshot.pods.iter().map(Pod::from).collect(),
        }
    }
}

impl<'a> From<&'a PoolSnapshot> for Pool<'a> {
    fn from(pool: &'a PoolSnapshot) -> Self {
        Self {
            pool: &pool.name,
            discipline: pool.discipline,
            waiting: pool.waiting,
            bytes: pool.bytes,
            running: pool.running,
            present_users: pool.present_users,
            drain_rate: pool.drain_rate,
            gap: pool.gap,
            jain_index: pool.jain,
            outcomes: pool.outcomes.into(),
            users: pool.users.iter().map(User::from).collect(),
        }
    }
}

impl From<Outcomes> for Counts {
    fn from(outcomes: Outcomes) -> Self {
        let Outcomes { taken, refused, dispatched, cancelled, expired, settled, closed, abandoned, voided } =
            outcomes;
        Self { taken, refused, dispatched, cancelled, expired, settled, closed, abandoned, voided }
    }
}

impl<'a> From<&'a UserStanding> for User<'a> {
    fn from(standing: &'a UserStanding) -> Self {
        Self {
            user: &standing.user,
            weight: standing.weight.as_f64(),
            counter: standing.counter.as_f64(),
            waiting: standing.waiting,
            running: standing.running,
        }
    }
}

impl<'a> From<&'a PodStanding> for Pod<'a> {
    fn from(standing: &'a PodStanding) -> Self {
        Self {
            pod: &standing.name,
            running: standing.running,
            max_running: standing.capacity.max_running,
            tokens: standing.tokens,
            max_tokens: standing.capacity.max_tokens,
            suspect: standing.suspect,
        }
    }
}
