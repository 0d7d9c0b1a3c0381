//! The pods as the gateway knows them: where they are, whether they are ready, which models they serve.

mod ask;
mod breaker;
mod dns;
mod health;
mod load;
mod news;
mod poller;
mod retry_budget;
mod roster;
mod service;
mod sliding;
mod slow_start;
mod sources;
#[cfg(test)]
mod tests;
mod vitals;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use arc_swap::{ArcSwap, Guard};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use vtc_actor::Capacity;
use vtc_core::{Clock, CoarseClock, Pod, Tick};

pub use self::breaker::BreakerState;
pub use self::load::PodLoad;
pub use self::news::{Order, OrderError};
pub use self::poller::Poller;
pub use self::service::Service;
pub use self::sources::Source;
pub(crate) use self::vitals::Probe;
pub use self::vitals::Vitals;

use self::news::{Following, News};
use self::retry_budget::RetryBudget;
use self::service::Pool;
use self::slow_start::Ramp;
use crate::dialect::Dialect;
use crate::error::GatewayError;
use crate::lock::Lock;
use crate::reload::ReloadError;
use crate::settings::{RetryBudgetSetting, Settings};
use crate::upstream::Manners;

/// The name of the pool of the pods that list no models.
pub(crate) const ANY_MODEL: &str = "*";

/// All pods at one moment.
#[derive(Debug, Default)]
pub struct Fleet {
    backends: Vec<Backend>,
    /// The pool of the pods that serve any model, as far as is known: they list none.
    open: (Arc<str>, Pool),
    /// Every model that one of the pods ever listed, with the pods that serve it.
    by_model: BTreeMap<Arc<str>, Pool>,
    /// All pods that take requests.
    all: Pool,
    /// What does not work about finding pods, in words.
    troubles: Vec<String>,
}

/// One pod.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Where it is: `http://HOST:PORT`.
    pub url: String,
    /// What it is shown of the gateway: its own key, as a header whose value no log shows.
    pub authorization: Option<HeaderValue>,
    /// How much the queue gives it at the same time.
    pub capacity: Capacity,
    /// Where the gateway has it from.
    pub source: Source,
    /// Whether it answers when it is asked.
    pub ready: bool,
    /// Whether it gets no new requests because an admin said so.
    pub draining: bool,
    /// How its breaker stands.
    pub breaker: BreakerState,
    /// Its way up to its full share, if it is on it.
    pub(crate) ramp: Option<Ramp>,
    /// What it last said of itself.
    pub report: Report,
    /// The pod, and what requests find out about it.
    pub vitals: Arc<Vitals>,
}

/// What a pod says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The entries of its `/v1/models`; `None` if it lists none.
    pub models: Option<Vec<Value>>,
    /// How it reports usage.
    pub dialect: Dialect,
}

/// The fleet in force, for all workers: replaced whole by the [`Poller`].
#[derive(Debug)]
pub struct FleetCell {
    current: ArcSwap<Fleet>,
    clock: CoarseClock,
    news: UnboundedSender<News>,
    retries: Lock<RetryBudget>,
}

// === impl Fleet ===

impl Fleet {
    /// The fleet of these pods.
    #[must_use]
    pub fn new(backends: Vec<Backend>) -> Self {
        let serving = |model: Option<&str>| {
            Pool::of(backends.iter().filter(|backend| backend.takes_requests() && backend.serves(model)))
        };
        let listed = backends.iter().flat_map(Backend::model_ids);
        let by_model = listed.map(|id| (id.into(), serving(Some(id)))).collect();
        let all = Pool::of(backends.iter().filter(|backend| backend.takes_requests()));
        Self { open: (ANY_MODEL.into(), serving(None)), by_model, all, backends, troubles: Vec::new() }
    }

    /// The same, with what does not work about finding pods.
    fn with_troubles(self, troubles: Vec<String>) -> Self {
        Self { troubles, ..self }
    }

    /// What does not work about finding pods, in words.
    #[must_use]
    pub fn troubles(&self) -> &[String] {
        &self.troubles
    }

    /// The pods that serve a model.
    ///
    /// # Errors
    /// [`GatewayError::UnknownModel`] if no pod lists it, and every pod that is ready lists what it has;
    /// [`GatewayError::NoPods`] if those who might serve it are not ready.
    pub fn serving(&self, model: &str) -> Result<Service<'_>, GatewayError> {
        let (name, pool) = match self.by_model.get_key_value(model) {
            Some(entry) => entry,
            None if self.open.1.is_empty() && self.backends.iter().any(|backend| backend.ready) => {
                let known = self.by_model.keys().map(|id| id.to_string()).collect();
                return Err(GatewayError::UnknownModel { model: model.to_owned(), known });
            }
            None => (&self.open.0, &self.open.1),
        };
        if pool.is_empty() { Err(GatewayError::NoPods) } else { Ok(Service::new(name, pool)) }
    }

    /// All ready pods, for a request that may go to any. In a queue it waits with those for the model that most of
    /// them serve.
    ///
    /// # Errors
    /// [`GatewayError::NoPods`] if none is ready.
    pub fn serving_any(&self) -> Result<Service<'_>, GatewayError> {
        let count = |pool: &Service<'_>| pool.pods().pods().len();
        // The first of those with the most, so that all such requests wait together.
        let widest = self.pools().reduce(|most, pool| if count(&pool) > count(&most) { pool } else { most });
        let widest = widest.filter(|_| !self.all.is_empty()).ok_or(GatewayError::NoPods)?;
        Ok(Service::new(widest.name(), &self.all))
    }

    /// Every model that a pod ever listed, ordered by name.
    pub fn model_names(&self) -> impl Iterator<Item = &str> {
        self.by_model.keys().map(|name| &**name)
    }

    /// Every pool: that of each model, and that of the pods that list none, if there are any.
    pub fn pools(&self) -> impl Iterator<Item = Service<'_>> {
        let (name, pool) = &self.open;
        let open = (!pool.is_empty()).then_some(Service::new(name, pool));
        self.by_model.iter().map(|(name, pool)| Service::new(name, pool)).chain(open)
    }

    /// What the gateway knows of that pod.
    #[must_use]
    pub fn backend(&self, pod: &Pod) -> Option<&Backend> {
        let at = self.backends.binary_search_by(|backend| backend.pod().name().cmp(pod.name())).ok()?;
        self.backends.get(at)
    }

    /// All pods, ordered by name.
    #[must_use]
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// The models of all pods that take requests, each once, as the first pod that has it describes it; ordered by name.
    #[must_use]
    pub fn models(&self) -> Vec<&Value> {
        let mut models = BTreeMap::new();
        for backend in self.backends.iter().filter(|backend| backend.takes_requests()) {
            for model in backend.report.models.iter().flatten() {
                models.entry(model["id"].as_str()).or_insert(model);
            }
        }
        models.into_values().collect()
    }
}

// === impl Backend ===

impl Backend {
    /// The pod: its name, and the requests in flight to it.
    #[must_use]
    pub fn pod(&self) -> &Arc<Pod> {
        self.vitals.pod()
    }

    /// Whether it is to get requests, as far as its breaker lets them through.
    #[must_use]
    pub const fn takes_requests(&self) -> bool {
        self.ready && !self.draining
    }

    /// The share of its capacity that it is given, from 0 to 1: less while it is on its way up.
    #[must_use]
    pub fn share(&self, now: Tick) -> f64 {
        self.ramp.map_or(1.0, |ramp| ramp.share(now))
    }

    fn model_ids(&self) -> impl Iterator<Item = &str> {
        self.report.models.iter().flatten().filter_map(|model| model["id"].as_str())
    }

    /// Whether it serves that model, or any (`None`). A pod that lists no models may serve every one.
    fn serves(&self, model: Option<&str>) -> bool {
        self.report.models.is_none() || model.is_some_and(|model| self.model_ids().any(|id| id == model))
    }
}

// === impl FleetCell ===

impl FleetCell {
    /// No pods yet, and the news for the [`Poller`] that will find some.
    #[must_use]
    pub(crate) fn new(clock: CoarseClock, budget: RetryBudgetSetting) -> (Self, UnboundedReceiver<News>) {
        let (news, receiver) = unbounded_channel();
        let retries = Lock::new(RetryBudget::new(budget));
        (Self { current: ArcSwap::default(), clock, news, retries }, receiver)
    }

    /// The fleet in force.
    #[must_use]
    pub fn load(&self) -> Arc<Fleet> {
        self.current.load_full()
    }

    /// The fleet in force, for a short look.
    #[must_use]
    pub fn look(&self) -> Guard<Arc<Fleet>> {
        self.current.load()
    }

    /// A request goes to a pod for the first time.
    pub(crate) fn count_request(&self) {
        let now = self.clock.now();
        self.retries.with(|budget| budget.request(now));
    }

    /// A request wants to go to another pod, after one has failed: whether the budget has room for that.
    pub(crate) fn may_retry(&self) -> bool {
        let now = self.clock.now();
        self.retries.with(|budget| budget.retry(now))
    }

    /// Has the pods of these settings in force, instead of those before. When this returns, requests go accordingly, but to
    /// a pod that is new only once it has answered.
    ///
    /// # Errors
    /// They cannot be; nothing has changed.
    pub(crate) async fn follow(
        &self,
        settings: &Settings,
        manners: &Arc<Manners>,
    ) -> Result<(), ReloadError> {
        let file = match &settings.discovery.file {
            Some(path) => Some(poller::read(path.clone()).await),
            None => None,
        };
        let new = Following { settings: settings.clone(), manners: Arc::clone(manners), file };
        let (reply, done) = oneshot::channel();
        self.news.send(News::Settings(Box::new(new), reply)).map_err(|_| OrderError::Ending)?;
        Ok(done.await.map_err(|_| OrderError::Ending)??)
    }

    /// Has an admin's order done. When this returns, requests go accordingly.
    ///
    /// # Errors
    /// Why it is not done.
    pub async fn order(&self, order: Order) -> Result<(), OrderError> {
        let (reply, done) = oneshot::channel();
        self.news.send(News::Order(order, reply)).map_err(|_| OrderError::Ending)?;
        done.await.unwrap_or(Err(OrderError::Ending))
    }
}
