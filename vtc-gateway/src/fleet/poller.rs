//! Asks every pod for its models, again and again: who answers is ready.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::Value;
use vtc_core::Pod;

use super::{Backend, Fleet, FleetCell, Report};
use crate::admission::Admission;
use crate::dialect::Dialect;
use crate::settings::PodSetting;
use crate::upstream::Upstream;

/// Keeps a [`FleetCell`] up to date, and the queue. There is one per gateway.
#[derive(Debug)]
pub struct Poller {
    cell: Arc<FleetCell>,
    admission: Arc<Admission>,
    backends: Vec<Backend>,
    /// Whether the pods have been asked before: the first answers are news, whatever they say.
    has_asked: bool,
    interval: Duration,
}

/// How long a pod may take to list its models.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest list of models that is read, in bytes.
const LONGEST_LIST: usize = 4 << 20;

#[derive(Deserialize)]
struct ModelList {
    data: Vec<Value>,
}

// === impl Poller ===

impl Poller {
    /// A poller of these pods, which counts none of them as ready yet.
    #[must_use]
    pub fn new(
        pods: &[PodSetting],
        interval: Duration,
        cell: Arc<FleetCell>,
        admission: Arc<Admission>,
    ) -> Self {
        let backend = |pod: &PodSetting| Backend {
            pod: Pod::new(&pod.name),
            url: pod.url.clone(),
            authorization: pod.authorization.clone(),
            capacity: pod.capacity(),
            ready: false,
            report: Report::default(),
        };
        let backends = pods.iter().map(backend).collect();
        Self { cell, admission, backends, has_asked: false, interval }
    }

    /// Asks all pods at the same time and publishes what they say.
    pub(crate) async fn poll(&mut self, upstream: &Upstream) {
        let reports = join_all(self.backends.iter().map(|backend| ask(upstream, backend))).await;
        for (backend, report) in self.backends.iter_mut().zip(reports) {
            let is_news = !self.has_asked || backend.ready != report.is_ok();
            backend.ready = report.is_ok();
            match report {
                Ok(report) => {
                    backend.report = report;
                    if is_news {
                        tracing::info!(pod = backend.pod.name(), "a pod is ready");
                    }
                }
                // It keeps what it last said: its models are known, though nobody serves them.
                Err(reason) if is_news => {
                    tracing::warn!(pod = backend.pod.name(), url = backend.url, %reason, "a pod is not ready");
                }
                Err(_) => {}
            }
        }
        self.has_asked = true;
        let fleet = Fleet::new(self.backends.clone());
        // The queue first: whoever finds a model in the fleet shall find its pool.
        self.admission.follow(&self.cell.load(), &fleet).await;
        self.cell.current.store(Arc::new(fleet));
    }

    /// Polls at every interval, and at once when a pod is suspected; runs until it is dropped.
    pub(crate) async fn run(mut self, upstream: Upstream) {
        loop {
            let suspicion = self.cell.suspicion.notified();
            // Either way it is time to ask again.
            let _ = tokio::time::timeout(self.interval, suspicion).await;
            self.poll(&upstream).await;
        }
    }
}

/// What that pod says; why it is not ready, if it is not.
async fn ask(upstream: &Upstream, backend: &Backend) -> Result<Report, String> {
    let key = backend.authorization.as_ref();
    let answer = upstream.get(&backend.url, "/v1/models", key, PATIENCE, LONGEST_LIST).await;
    let (status, body) = answer.map_err(|error| error.to_string())?;
    match status {
        StatusCode::OK => {
            let list: ModelList = serde_json::from_slice(&body)
                .map_err(|error| format!("what it says at /v1/models is no list of models: {error}"))?;
            let owner = list.data.first().and_then(|model| model["owned_by"].as_str()).unwrap_or_default();
            Ok(Report { dialect: Dialect::from_owned_by(owner), models: Some(list.data) })
        }
        // It is there, but does not list its models, or not to us.
        status if status.is_client_error() => Ok(Report::default()),
        status => Err(format!("it answers {status} at /v1/models")),
    }
}
