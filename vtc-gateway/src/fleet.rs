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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::settings::BreakerSetting;

    fn backend(name: &str, ready: bool, models: Option<&[&str]>) -> Backend {
        let models = models.map(|ids| ids.iter().map(|id| json!({"id": id, "of": name})).collect());
        let (news, _) = unbounded_channel();
        let breaker = BreakerSetting::default();
        Backend {
            url: format!("http://{name}"),
            authorization: None,
            capacity: Capacity::default(),
            source: Source::Settings,
            ready,
            draining: false,
            breaker: BreakerState::Closed,
            ramp: None,
            report: Report { models, dialect: Dialect::Vllm },
            vitals: Arc::new(Vitals::new(Pod::new(name), breaker, CoarseClock::new(), news)),
        }
    }

    fn names<'a>(service: &Service<'a>) -> Vec<&'a str> {
        service.pods().pods().iter().map(|pod| pod.name()).collect()
    }

    #[test]
    fn a_model_is_served_by_the_ready_pods_that_list_it() {
        let fleet = Fleet::new(vec![
            backend("a", true, Some(&["x", "y"])),
            backend("b", false, Some(&["x", "z"])),
            backend("c", true, Some(&["x"])),
        ]);
        assert_eq!(names(&fleet.serving("x").unwrap()), ["a", "c"]);
        assert_eq!(names(&fleet.serving("y").unwrap()), ["a"]);
        assert_eq!(fleet.serving("z").unwrap_err(), GatewayError::NoPods, "known, and its pod is away");
        let known = vec!["x".into(), "y".into(), "z".into()];
        assert_eq!(fleet.serving("q").unwrap_err(), GatewayError::UnknownModel { model: "q".into(), known });
        assert_eq!(fleet.models(), [&json!({"id": "x", "of": "a"}), &json!({"id": "y", "of": "a"})]);
        assert_eq!(fleet.backend(&Pod::new("b")).unwrap().url, "http://b");
    }

    #[test]
    fn a_pod_that_lists_no_models_may_serve_every_one() {
        let fleet = Fleet::new(vec![backend("a", true, Some(&["x"])), backend("b", true, None)]);
        assert_eq!(names(&fleet.serving("x").unwrap()), ["a", "b"]);
        assert_eq!(names(&fleet.serving("q").unwrap()), ["b"]);
        let pools: Vec<_> = fleet.pools().map(|service| (&**service.name(), names(&service))).collect();
        assert_eq!(pools, [("x", vec!["a", "b"]), ("*", vec!["b"])], "a made-up model makes no pool");
    }

    #[test]
    fn a_request_for_any_pod_waits_where_most_of_them_are() {
        let fleet = Fleet::new(vec![
            backend("a", true, Some(&["x", "y"])),
            backend("b", true, Some(&["y"])),
            backend("c", true, Some(&["z"])),
            backend("d", false, Some(&["z"])),
            backend("e", false, Some(&["z"])),
        ]);
        let service = fleet.serving_any().unwrap();
        assert_eq!((&**service.name(), names(&service)), ("y", vec!["a", "b", "c"]));
        let silent = Fleet::new(vec![backend("a", true, None)]);
        assert_eq!(&**silent.serving_any().unwrap().name(), "*");
        let away = Fleet::new(vec![backend("a", false, Some(&["x"]))]);
        assert_eq!(away.serving_any().unwrap_err(), GatewayError::NoPods);
    }

    #[test]
    fn while_nobody_is_ready_no_model_is_unknown() {
        assert_eq!(Fleet::default().serving("x").unwrap_err(), GatewayError::NoPods);
        let away = Fleet::new(vec![backend("a", false, Some(&["x"]))]);
        assert_eq!(away.serving("q").unwrap_err(), GatewayError::NoPods);
    }

    fn with_breaker(name: &str, breaker: BreakerState) -> Backend {
        Backend { breaker, ..backend(name, true, Some(&["x"])) }
    }

    #[test]
    fn a_pod_that_drains_or_whose_breaker_is_open_gets_nothing() {
        let draining = Backend { draining: true, ..backend("a", true, Some(&["x"])) };
        let fleet = Fleet::new(vec![
            draining,
            with_breaker("b", BreakerState::Open),
            with_breaker("c", BreakerState::Closed),
            with_breaker("d", BreakerState::HalfOpen),
        ]);
        let service = fleet.serving("x").unwrap();
        assert_eq!(names(&service), ["c"]);
        let in_queue: Vec<_> = service.queue_pods(&fleet, Tick::ZERO).collect();
        let in_queue: Vec<_> = in_queue.iter().map(|it| (it.pod.name(), it.capacity.max_running)).collect();
        assert_eq!(in_queue, [("c", None), ("d", Some(1))], "half open it gets one at a time");
    }

    #[test]
    fn a_decision_sees_a_pod_with_the_probability_of_its_share() {
        let ramp = Some(Ramp::new(Tick::ZERO, Duration::from_secs(10)));
        let capacity = Capacity { max_tokens: Some(1000), ..Capacity::of_requests(8) };
        let of = |name, ramp| Backend { ramp, capacity, ..with_breaker(name, BreakerState::Closed) };
        let fleet = Fleet::new(vec![of("a", None), of("b", ramp)]);
        let service = fleet.serving("x").unwrap();
        let seen = |seconds, dice| {
            let pods = service.seen(Tick::after_origin(Duration::from_secs(seconds)), || dice);
            pods.pods().iter().map(|pod| pod.name().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!([seen(0, 0.09), seen(0, 0.11)], [vec!["a", "b"], vec!["a"]]);
        assert_eq!([seen(5, 0.49), seen(5, 0.51)], [vec!["a", "b"], vec!["a"]]);
        assert_eq!(seen(10, 0.999), ["a", "b"]);
        // In the queue it is its capacity that grows.
        let given = |seconds| {
            let pods = service.queue_pods(&fleet, Tick::after_origin(Duration::from_secs(seconds)));
            pods.map(|it| (it.capacity.max_running, it.capacity.max_tokens)).last().unwrap()
        };
        assert_eq!(
            [0, 5, 10].map(given),
            [(Some(1), Some(100)), (Some(4), Some(500)), (Some(8), Some(1000))]
        );

        let alone = Fleet::new(vec![of("b", ramp)]);
        let pods = alone.serving("x").unwrap().seen(Tick::ZERO, || 0.999);
        assert_eq!(pods.pods().len(), 1, "somebody has to be seen");
    }

    #[test]
    fn when_all_breakers_are_open_none_counts() {
        let open = ["a", "b"].map(|name| with_breaker(name, BreakerState::Open));
        let half_open = with_breaker("c", BreakerState::HalfOpen);
        let away = Backend { ready: false, ..with_breaker("d", BreakerState::Closed) };
        let fleet = Fleet::new([&open[..], &[half_open, away]].concat());
        assert_eq!(names(&fleet.serving("x").unwrap()), ["a", "b", "c"]);
    }
}
