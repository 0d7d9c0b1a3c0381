//! `GET /v1/vtc/whatif`.

use std::sync::Arc;

use actix_web::web::{self, Data, Query};
use actix_web::{Error, HttpResponse, ResponseError};
use tokio::sync::Semaphore;
use vtc_core::VtcConfig;

use super::change::Change;
use super::history::History;
use super::rules::Rules;
use super::{Answer, WhatIfError, answer};
use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::record::Recorded;

/// Replays take a core for as long as they last: one at a time.
#[derive(Clone, Debug)]
pub struct Replays(Arc<Semaphore>);

/// What each pod of each pool is given.
type Capacities = Vec<(Arc<str>, Vec<[Option<u64>; 2]>)>;

/// `GET /v1/vtc/whatif?queue=NAME&policy=NAME&weight=ACCOUNT=W&pods=N&minutes=N&pool=MODEL`: see [`Change::parse`]. The answer
/// is reckoned beside the requests, in a thread of its own.
pub async fn whatif(
    gateway: Data<Gateway>,
    query: Result<Query<Vec<(String, String)>>, Error>,
) -> HttpResponse {
    match reckon(&gateway, query).await {
        Ok(answer) => HttpResponse::Ok().json(answer),
        Err(error) => GatewayError::WhatIf(error).error_response(),
    }
}

async fn reckon(
    gateway: &Gateway,
    query: Result<Query<Vec<(String, String)>>, Error>,
) -> Result<Answer, WhatIfError> {
    let parts = query.map_err(|error| WhatIfError::Wrong {
        param: "query",
        value: error.to_string(),
        allowed: "NAME=VALUE&…".to_owned(),
    })?;
    let change = Change::parse(parts.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
    let permit = Arc::clone(&gateway.replays().0).try_acquire_owned().map_err(|_| WhatIfError::Busy)?;
    let record = gateway.record();
    if !record.keeps_arrivals() {
        return Err(WhatIfError::NoRecord);
    }
    let (recorded, now) = (record.recorded(), record.now());
    let (rules, capacities) = (in_force(gateway), capacities(gateway).await);
    let reckoned = web::block(move || {
        // Held to the end, also if whoever asked has left.
        let _permit = permit;
        look(&recorded, now, &change, rules, capacities)
    });
    reckoned.await.map_err(|error| WhatIfError::Failed(error.to_string()))?
}

fn look(
    recorded: &Recorded,
    now: vtc_core::Tick,
    change: &Change,
    rules: Rules,
    capacities: Capacities,
) -> Result<Answer, WhatIfError> {
    let history = History::of(recorded, now, change.span, change.pool.as_deref())?;
    let of_pool = capacities.into_iter().find(|(name, _)| *name == history.pool);
    let capacities = of_pool.map(|(_, capacities)| capacities).unwrap_or_default();
    answer(&history, &Rules { capacities, ..rules }, change)
}

/// The rules in force, but for what pods are given.
fn in_force(gateway: &Gateway) -> Rules {
    let configuration = gateway.configuration();
    let router = gateway.router();
    let policy = router.default_policy().name();
    let queue = configuration.queue.as_ref();
    Rules {
        queue: queue.map(|queue| queue.dispatcher.discipline.to_string()),
        policy: policy.to_owned(),
        vtc: VtcConfig {
            policy: policy.to_owned(),
            tracker: router.tracker().config().clone(),
            scoring: gateway.scoring(),
        },
        limits: queue.map(|queue| queue.dispatcher.limits).unwrap_or_default(),
        longest_wait: configuration.longest_wait(),
        cached_input: queue.map_or(1.0, |queue| queue.cached_input),
        quantum: queue.map(|queue| queue.dispatcher.options).unwrap_or_default().quantum.as_f64(),
        capacities: Vec::new(),
    }
}

async fn capacities(gateway: &Gateway) -> Capacities {
    let fleet = gateway.fleet().load();
    let queue = gateway.admission().snapshot(0).await;
    let of_pod = |name: &str| {
        let standing = queue.iter().flat_map(|it| &it.pods).find(|pod| *pod.name == *name);
        standing.map_or([None; 2], |pod| {
            [pod.capacity.max_running.map(|most| most as u64), pod.capacity.max_tokens]
        })
    };
    let of_pool = |pool: crate::fleet::Service<'_>| {
        let pods = pool.pods().pods().iter().map(|pod| of_pod(pod.name())).collect();
        (Arc::clone(pool.name()), pods)
    };
    fleet.pools().map(of_pool).collect()
}

// === impl Replays ===

impl Replays {
    /// None is under way.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}
