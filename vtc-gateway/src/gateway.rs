//! What all workers share.

use std::sync::{Arc, OnceLock};

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use metrics_exporter_prometheus::PrometheusHandle;
use vtc_actor::TrackerHandle;
use vtc_core::{Clock, Policy, PreciseClock, Router};

use crate::admin::Admin;
use crate::admission::Admission;
use crate::error::GatewayError;
use crate::estimate::Estimators;
use crate::fleet::FleetCell;
use crate::headers::ROUTING_STRATEGY;
use crate::identity::{self, Identity, Rules};
use crate::journal::Journal;
use crate::metrics;
use crate::quota::Quotas;
use crate::settings::{Aliases, EndpointsSetting, Limits, Settings};
use crate::tenant::Tenants;

/// The state behind every request.
#[derive(Debug)]
pub struct Gateway {
    /// Kept, because the actor that does the periodic duties ends with its last handle.
    tracker: TrackerHandle,
    admission: Arc<Admission>,
    fleet: Arc<FleetCell>,
    aliases: Aliases,
    estimators: Estimators,
    endpoints: EndpointsSetting,
    limits: Limits,
    retries: usize,
    max_pod_load: f64,
    identity: Arc<Rules>,
    tenants: Arc<Tenants>,
    quotas: Arc<Quotas>,
    admin: Admin,
    metrics: PrometheusHandle,
    journal: Journal,
    /// Set once it has been told to end.
    ending: OnceLock<()>,
}

// === impl Gateway ===

impl Gateway {
    pub(crate) fn new(
        settings: &Settings,
        tracker: TrackerHandle,
        admission: Arc<Admission>,
        fleet: Arc<FleetCell>,
        metrics: PrometheusHandle,
        journal: Journal,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(PreciseClock::new());
        let quotas = Quotas::new(&settings.tenants, settings.identity.sub_user_max_in_flight, &clock);
        Self {
            tracker,
            admission,
            fleet,
            aliases: settings.aliases.clone(),
            estimators: settings.estimators.clone(),
            endpoints: settings.endpoints,
            limits: settings.limits,
            retries: settings.upstream.retries,
            max_pod_load: settings.vtc.scoring.max_pod_load,
            identity: Arc::new(settings.identity.clone()),
            tenants: Arc::new(settings.tenants.clone()),
            quotas: Arc::new(quotas),
            admin: settings.admin.clone(),
            metrics,
            journal,
            ending: OnceLock::new(),
        }
    }

    /// Who has used how much, and the policies.
    #[must_use]
    pub fn router(&self) -> &Router {
        self.tracker.router()
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

    /// Other names for models.
    #[must_use]
    pub const fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    pub(crate) const fn estimators(&self) -> &Estimators {
        &self.estimators
    }

    pub(crate) const fn endpoints(&self) -> EndpointsSetting {
        self.endpoints
    }

    /// Who sends that request, and counts it.
    ///
    /// # Errors
    /// Those of [`identity::who`].
    pub fn identify<'a>(&self, client: &'a HttpRequest) -> Result<Identity<'a>, GatewayError> {
        let peer = client.peer_addr().map(|address| address.ip());
        let identity = identity::who(&self.identity, client.headers(), peer);
        match &identity {
            Ok(identity) => {
                metrics::identity(identity.source.name());
                if identity.forged {
                    metrics::forged();
                }
            }
            Err(GatewayError::Unauthorized { .. }) => metrics::identity("refused"),
            Err(_) => {}
        }
        identity
    }

    /// How it is decided who asks.
    #[must_use]
    pub fn identity(&self) -> &Rules {
        &self.identity
    }

    /// What each account may.
    #[must_use]
    pub fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    /// How much each account has left of what it may.
    #[must_use]
    pub fn quotas(&self) -> &Arc<Quotas> {
        &self.quotas
    }

    /// Who may look into the gateway.
    #[must_use]
    pub const fn admin(&self) -> &Admin {
        &self.admin
    }

    /// From now on it tells load balancers to send no more.
    pub(crate) fn begin_ending(&self) {
        // A second time changes nothing.
        let _ = self.ending.set(());
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get().is_some()
    }

    /// What is told of requests.
    pub(crate) const fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) const fn retries(&self) -> usize {
        self.retries
    }

    /// Running requests at which a pod counts as fully loaded.
    pub(crate) const fn max_pod_load(&self) -> f64 {
        self.max_pod_load
    }

    pub(crate) const fn metrics(&self) -> &PrometheusHandle {
        &self.metrics
    }
}
