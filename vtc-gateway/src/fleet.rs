//! The pods as the gateway knows them: where they are, whether they are ready, which models they serve.

mod poller;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use arc_swap::{ArcSwap, Guard};
use serde_json::Value;
use tokio::sync::Notify;
use vtc_actor::Capacity;
use vtc_core::{Pod, PodTable};

pub use self::poller::Poller;
use crate::dialect::Dialect;
use crate::error::GatewayError;

/// All pods at one moment.
#[derive(Debug, Default)]
pub struct Fleet {
    backends: Vec<Backend>,
    /// The pool of ready pods that serve any model, as far as is known: they list none.
    open: (Arc<str>, PodTable),
    /// Every model that a pod ever listed, with the ready pods that serve it.
    by_model: BTreeMap<Arc<str>, PodTable>,
    /// All ready pods.
    ready: PodTable,
}

/// The pods that can serve a request.
#[derive(Clone, Copy, Debug)]
pub struct Service<'a> {
    /// The name that they have in common: the model's, or `*` for pods that list no models. Clients do not choose it.
    pub pool: &'a Arc<str>,
    /// Those of them that are ready.
    pub pods: &'a PodTable,
}

/// One pod.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Its name, and the requests in flight to it.
    pub pod: Arc<Pod>,
    /// Where it is: `http://HOST:PORT`.
    pub url: String,
    /// What it is shown of the gateway: its own key, as a header whose value no log shows.
    pub authorization: Option<HeaderValue>,
    /// How much the queue gives it at the same time.
    pub capacity: Capacity,
    /// Whether it answered when it was last asked.
    pub ready: bool,
    /// What it last said of itself.
    pub report: Report,
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
#[derive(Debug, Default)]
pub struct FleetCell {
    current: ArcSwap<Fleet>,
    suspicion: Notify,
}

// === impl Fleet ===

impl Fleet {
    /// The fleet of these pods.
    #[must_use]
    pub fn new(backends: Vec<Backend>) -> Self {
        let serving = |model: Option<&str>| {
            let serves = |backend: &&Backend| backend.ready && backend.serves(model);
            PodTable::new(backends.iter().filter(serves).map(|backend| Arc::clone(&backend.pod)))
        };
        let listed = backends.iter().flat_map(Backend::model_ids);
        let by_model = listed.map(|id| (id.into(), serving(Some(id)))).collect();
        let ready = backends.iter().filter(|backend| backend.ready);
        let ready = PodTable::new(ready.map(|backend| Arc::clone(&backend.pod)));
        Self { open: ("*".into(), serving(None)), by_model, ready, backends }
    }

    /// The ready pods that serve a model.
    ///
    /// # Errors
    /// [`GatewayError::UnknownModel`] if no pod lists it, and every pod that is ready lists what it has;
    /// [`GatewayError::NoPods`] if those who might serve it are not ready.
    pub fn serving(&self, model: &str) -> Result<Service<'_>, GatewayError> {
        let (pool, pods) = match self.by_model.get_key_value(model) {
            Some(entry) => entry,
            None if self.open.1.is_empty() && self.backends.iter().any(|backend| backend.ready) => {
                let known = self.by_model.keys().map(|id| id.to_string()).collect();
                return Err(GatewayError::UnknownModel { model: model.to_owned(), known });
            }
            None => (&self.open.0, &self.open.1),
        };
        if pods.is_empty() { Err(GatewayError::NoPods) } else { Ok(Service { pool, pods }) }
    }

    /// All ready pods, for a request that may go to any. In a queue it waits with those for the model that most of
    /// them serve.
    ///
    /// # Errors
    /// [`GatewayError::NoPods`] if none is ready.
    pub fn serving_any(&self) -> Result<Service<'_>, GatewayError> {
        // The first of those with the most, so that all such requests wait together.
        let widest = self
            .pools()
            .reduce(|most, pool| if pool.pods.pods().len() > most.pods.pods().len() { pool } else { most });
        let pool = widest.filter(|_| !self.ready.is_empty()).ok_or(GatewayError::NoPods)?.pool;
        Ok(Service { pool, pods: &self.ready })
    }

    /// Every model that a pod ever listed, ordered by name.
    pub fn model_names(&self) -> impl Iterator<Item = &str> {
        self.by_model.keys().map(|name| &**name)
    }

    /// Every pool: that of each model, and that of the pods that list none, if there are any.
    pub fn pools(&self) -> impl Iterator<Item = Service<'_>> {
        let (pool, pods) = &self.open;
        let open = (!pods.is_empty()).then_some(Service { pool, pods });
        self.by_model.iter().map(|(pool, pods)| Service { pool, pods }).chain(open)
    }

    /// What the gateway knows of that pod.
    #[must_use]
    pub fn backend(&self, pod: &Pod) -> Option<&Backend> {
        let at = self.backends.binary_search_by(|backend| backend.pod.name().cmp(pod.name())).ok()?;
        self.backends.get(at)
    }

    /// All pods, ordered by name.
    #[must_use]
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// The models of all ready pods, each once, as the first pod that has it describes it; ordered by name.
    #[must_use]
    pub fn models(&self) -> Vec<&Value> {
        let mut models = BTreeMap::new();
        for backend in self.backends.iter().filter(|backend| backend.ready) {
            for model in backend.report.models.iter().flatten() {
                models.entry(model["id"].as_str()).or_insert(model);
            }
        }
        models.into_values().collect()
    }
}

// === impl Backend ===

impl Backend {
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

    /// Has the pods asked again at once: one of them just failed.
    pub fn suspect(&self) {
        self.suspicion.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn backend(name: &str, ready: bool, models: Option<&[&str]>) -> Backend {
        let models = models.map(|ids| ids.iter().map(|id| json!({"id": id, "of": name})).collect());
        Backend {
            pod: Pod::new(name),
            url: format!("http://{name}"),
            authorization: None,
            capacity: Capacity::default(),
            ready,
            report: Report { models, dialect: Dialect::Vllm },
        }
    }

    fn names<'a>(service: &Service<'a>) -> Vec<&'a str> {
        service.pods.pods().iter().map(|pod| pod.name()).collect()
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
        let pools: Vec<_> = fleet.pools().map(|service| (&**service.pool, names(&service))).collect();
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
        assert_eq!((&**service.pool, names(&service)), ("y", vec!["a", "b", "c"]));
        let silent = Fleet::new(vec![backend("a", true, None)]);
        assert_eq!(&**silent.serving_any().unwrap().pool, "*");
        let away = Fleet::new(vec![backend("a", false, Some(&["x"]))]);
        assert_eq!(away.serving_any().unwrap_err(), GatewayError::NoPods);
    }

    #[test]
    fn while_nobody_is_ready_no_model_is_unknown() {
        assert_eq!(Fleet::default().serving("x").unwrap_err(), GatewayError::NoPods);
        let away = Fleet::new(vec![backend("a", false, Some(&["x"]))]);
        assert_eq!(away.serving("q").unwrap_err(), GatewayError::NoPods);
    }
}
