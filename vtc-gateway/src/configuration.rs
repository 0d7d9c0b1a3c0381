//! What can change while the gateway runs, as one value: a request loads it once, and sees no other to its end.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;

use crate::admin::Admin;
use crate::error::GatewayError;
use crate::estimate::Estimators;
use crate::identity::key::WrongKey;
use crate::identity::{self, Identity, Rules};
use crate::metrics;
use crate::settings::{self, Aliases, EndpointsSetting, Limits, Settings};
use crate::tenant::Tenants;
use crate::upstream::Manners;

/// The settings in force that a request asks for.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// How it is decided who asks.
    pub identity: Rules,
    /// What each account may.
    pub tenants: Tenants,
    /// Who may look into the gateway.
    pub admin: Admin,
    /// Other names for models.
    pub aliases: Aliases,
    /// How the cost of requests is guessed.
    pub estimators: Estimators,
    /// Which paths there are.
    pub endpoints: EndpointsSetting,
    /// What a client may send, and how long.
    pub limits: Limits,
    /// How many other pods are tried when one fails before it answers.
    pub retries: usize,
    /// The queue's rules, if there is one.
    pub queue: Option<settings::Queue>,
    /// How pods are spoken to.
    pub(crate) manners: Arc<Manners>,
}

// === impl Configuration ===

impl Configuration {
    /// That part of the settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            identity: settings.identity.clone(),
            tenants: settings.tenants.clone(),
            admin: settings.admin.clone(),
            aliases: settings.aliases.clone(),
            estimators: settings.estimators.clone(),
            endpoints: settings.endpoints,
            limits: settings.limits,
            retries: settings.upstream.retries,
            queue: settings.queue.clone(),
            manners: Arc::new(Manners::new(&settings.upstream, &settings.pod_tls)),
        }
    }

    /// How long a request may wait in the queue, if there is one and it has a limit.
    #[must_use]
    pub fn longest_wait(&self) -> Option<Duration> {
        self.queue.as_ref().and_then(|queue| queue.dispatcher.longest_wait)
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
            Err(GatewayError::Unauthorized(_)) => metrics::identity("refused"),
            Err(_) => {}
        }
        let is_admins = || identity::keys(client.headers()).any(|key| self.admin.is_opened_by(key));
        identity.map_err(|error| match error {
            GatewayError::Unauthorized(WrongKey::Unknown) if is_admins() => WrongKey::Admins.into(),
            other => other,
        })
    }

    /// Whether a request may look into the gateway, or change it.
    ///
    /// # Errors
    /// Those of [`Admin::check`].
    pub fn may_look(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), GatewayError> {
        let is_tenants = || identity::keys(headers).any(|key| self.identity.keys.owner(key).is_some());
        self.admin.check(method, path, headers).map_err(|error| match error {
            GatewayError::Unauthorized(WrongKey::Unknown) if is_tenants() => WrongKey::Tenants.into(),
            other => other,
        })
    }
}
