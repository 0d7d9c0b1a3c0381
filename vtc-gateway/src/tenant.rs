//! What an account may: its share, its models, its limits.

use std::collections::{BTreeSet, HashMap};

use vtc_core::queue::Weight;

use crate::error::GatewayError;
use crate::fleet::{Fleet, Service};

/// What every account may.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tenants {
    /// Those that have terms of their own, by account.
    pub named: HashMap<String, Terms>,
    /// The terms of each other account.
    pub others: Terms,
}

/// What an account may.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// Its share, where others have 1.
    pub weight: Weight,
    /// The models that there are for it; `None`: all.
    pub models: Option<BTreeSet<String>>,
    /// How much at a time.
    pub limits: TenantLimits,
}

/// How much at a time. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantLimits {
    /// Requests that the gateway has of it, those that wait in the queue included.
    pub max_in_flight: Option<usize>,
    /// Requests per minute; as many may come at once.
    pub requests_per_minute: Option<u32>,
    /// Tokens per minute, read and written; as many may come at once.
    pub tokens_per_minute: Option<u32>,
}

// === impl Tenants ===

impl Tenants {
    /// What that account may.
    #[must_use]
    pub fn of(&self, account: &str) -> &Terms {
        self.named.get(account).unwrap_or(&self.others)
    }
}

// === impl Terms ===

impl Terms {
    /// Whether there is that model for it.
    #[must_use]
    pub fn allows(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.contains(model))
    }

    /// The pods that serve a model. A model that it may not use is unknown to it, whether there is one or not, and so are
    /// all others that it may not use.
    ///
    /// # Errors
    /// Those of [`Fleet::serving`].
    pub fn serving<'a>(&self, fleet: &'a Fleet, model: &str) -> Result<Service<'a>, GatewayError> {
        if !self.allows(model) {
            let known = fleet.model_names().filter(|known| self.allows(known)).map(str::to_owned).collect();
            return Err(GatewayError::UnknownModel { model: model.to_owned(), known });
        }
        fleet.serving(model).map_err(|error| match error {
            GatewayError::UnknownModel { model, mut known } => {
                known.retain(|known| self.allows(known));
                GatewayError::UnknownModel { model, known }
            }
            other => other,
        })
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self { weight: Weight::ONE, models: None, limits: TenantLimits::default() }
    }
}

// === impl TenantLimits ===

impl TenantLimits {
    /// Whether there is no limit at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
