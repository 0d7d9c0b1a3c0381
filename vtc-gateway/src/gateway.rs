//! What all workers share.

use std::sync::{Arc, OnceLock};

use actix_web::http::header::HeaderMap;
use arc_swap::ArcSwap;
use metrics_exporter_prometheus::PrometheusHandle;
use vtc_actor::{ReplicaHandle, ReplicaStatus, TrackerHandle};
use vtc_core::{Clock, Policy, PreciseClock, Router, ScoringConfig};

use crate::admission::Admission;
use crate::configuration::Configuration;
use crate::error::GatewayError;
use crate::fleet::{FleetCell, OrderError};
use crate::headers::ROUTING_STRATEGY;
use crate::journal::Journal;
use crate::live::Live;
use crate::quota::Quotas;
use crate::record::Record;
use crate::reload::{Fixed, ReloadError, Reloads};
use crate::settings::Settings;
use crate::whatif::routes::Replays;

/// The state behind every request.
#[derive(Debug)]
pub struct Gateway {
    /// Kept, because the actor that does the periodic duties ends with its last handle.
    tracker: TrackerHandle,
    /// Kept, as above: it shares with other gateways what this one counts.
    replica: Option<ReplicaHandle>,
    admission: Arc<Admission>,
    fleet: Arc<FleetCell>,
    configuration: ArcSwap<Configuration>,
    fixed: Fixed,
    reloads: Reloads,
    max_pod_load: f64,
    quotas: Arc<Quotas>,
    record: Arc<Record>,
    live: Live,
    replays: Replays,
    /// Whether virtual counters count weighted tokens.
    counts_tokens: bool,
    scoring: ScoringConfig,
    metrics: PrometheusHandle,
    /// Set once it has been told to end.
    ending: OnceLock<()>,
}

// === impl Gateway ===

impl Gateway {
    pub(crate) fn new(
        settings: &Settings,
        tracker: TrackerHandle,
        replica: Option<ReplicaHandle>,
        admission: Arc<Admission>,
        fleet: Arc<FleetCell>,
        metrics: PrometheusHandle,
        journal: Journal,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(PreciseClock::new());
        let quotas = Quotas::new(&settings.tenants, settings.identity.sub_user_max_in_flight, &clock);
        Self {
            tracker,
            replica,
            admission,
            fleet,
            configuration: ArcSwap::from_pointee(Configuration::new(settings)),
            fixed: Fixed::of(settings),
            reloads: Reloads::new(),
            max_pod_load: settings.vtc.scoring.max_pod_load,
            quotas: Arc::new(quotas),
            record: Arc::new(Record::new(clock, settings.record, journal)),
            live: Live::new(),
            replays: Replays::new(),
            counts_tokens: settings.queue.as_ref().is_some_and(|queue| queue.counts_tokens),
            scoring: settings.vtc.scoring,
            metrics,
            ending: OnceLock::new(),
        }
    }

    /// Puts these settings in force: all that can change while the gateway runs, or nothing. When this returns, the next
    /// request sees them; those under way go on as they began. One at a time.
    ///
    /// # Errors
    /// They change what needs a restart; the file of pods that they name is broken; the gateway is ending.
    pub async fn reload(&self, settings: &Settings) -> Result<(), ReloadError> {
        self.fixed.allows(&Fixed::of(settings))?;
        // It may take a moment to unpack a vocabulary, and no request should wait for that.
        let estimators = settings.estimators.clone();
        let loaded = tokio::task::spawn_blocking(move || estimators.load()).await;
        loaded.map_err(|_| ReloadError::Pods(OrderError::Ending))?;
        let configuration = Configuration::new(settings);
        self.fleet.follow(settings, &configuration.manners).await?;
        self.admission.set_limits(settings.queue.as_ref()).await;
        self.quotas.set(&settings.tenants, settings.identity.sub_user_max_in_flight);
        self.configuration.store(Arc::new(configuration));
        Ok(())
    }

    /// The settings in force, for one request.
    #[must_use]
    pub fn configuration(&self) -> Arc<Configuration> {
        self.configuration.load_full()
    }

    /// How often settings were read again, and what came of it.
    #[must_use]
    pub const fn reloads(&self) -> &Reloads {
        &self.reloads
    }

    /// Who has used how much, and the policies.
    #[must_use]
    pub fn router(&self) -> &Router {
        self.tracker.router()
    }

    /// How it stands with the other gateways; `None` if it shares nothing.
    #[must_use]
    pub fn replica(&self) -> Option<ReplicaStatus> {
        self.replica.as_ref().map(ReplicaHandle::status)
    }

    /// The way in.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The pods.
    #[must_use]
    pub fn fleet(&self) -> &FleetCell {
        &self.fleet
    }

    /// The policy for a request: the one that its header names, else the configured one.
    ///
    /// # Errors
    /// [`GatewayError::Policy`] if the header names none that there is.
    pub fn policy(&self, headers: &HeaderMap) -> Result<&dyn Policy, GatewayError> {
        match headers.get(&ROUTING_STRATEGY) {
            Some(name) => Ok(self.router().policy(&String::from_utf8_lossy(name.as_bytes()))?),
            None => Ok(self.router().default_policy()),
        }
    }

    /// How much each account has left of what it may.
    #[must_use]
    pub fn quotas(&self) -> &Arc<Quotas> {
        &self.quotas
    }

    /// What became of requests, and who was served what.
    #[must_use]
    pub const fn record(&self) -> &Arc<Record> {
        &self.record
    }

    /// From now on it tells load balancers to send no more.
    pub(crate) fn begin_ending(&self) {
        // A second time changes nothing.
        let _ = self.ending.set(());
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get().is_some()
    }

    /// Where watchers wait.
    pub(crate) const fn live(&self) -> &Live {
        &self.live
    }

    /// What holds back a second replay while there is one.
    pub(crate) const fn replays(&self) -> &Replays {
        &self.replays
    }

    /// Whether virtual counters count weighted tokens.
    pub(crate) const fn counts_tokens(&self) -> bool {
        self.counts_tokens
    }

    /// The weights of `vtc-basic`'s score.
    pub(crate) const fn scoring(&self) -> ScoringConfig {
        self.scoring
    }

    /// Running requests at which a pod counts as fully loaded.
    pub(crate) const fn max_pod_load(&self) -> f64 {
        self.max_pod_load
    }

    pub(crate) const fn metrics(&self) -> &PrometheusHandle {
        &self.metrics
    }
}
