//! What each account may: the tables `[[tenants]]` and `[tenant_defaults]`.

use std::collections::BTreeSet;

use serde::Deserialize;
use vtc_core::ConfigError;
use vtc_core::queue::Weight;

use super::KeyHashes;
use crate::tenant::{TenantLimits, Terms};

/// One of `[[tenants]]`, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantSetting {
    /// Its name: its account, and how users whom a trusted header names get terms of their own. `@anonymous` are all who
    /// are nobody else.
    pub name: String,
    /// The hashes of its keys.
    #[serde(default)]
    pub key_sha256: KeyHashes,
    /// Its share, where others have 1.
    pub weight: Option<f64>,
    /// The models that there are for it. Default: all.
    #[serde(default)]
    pub models: BTreeSet<String>,
    /// The most of its requests that are in flight at the same time, those that wait in the queue included.
    pub max_in_flight: Option<usize>,
    /// The most requests per minute; as many may come at once.
    pub requests_per_minute: Option<u32>,
    /// The most tokens per minute, read and written; as many may come at once.
    pub tokens_per_minute: Option<u32>,
}

/// `[tenant_defaults]`, as it is written: the terms of each account that is no tenant, and of tenants where they say nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantDefaults {
    /// The share of each.
    pub weight: Option<f64>,
    /// The models that there are for them. Default: all.
    pub models: BTreeSet<String>,
    /// The most requests of each that are in flight at the same time.
    pub max_in_flight: Option<usize>,
    /// The most requests of each per minute.
    pub requests_per_minute: Option<u32>,
    /// The most tokens of each per minute.
    pub tokens_per_minute: Option<u32>,
}

/// The most tokens or requests per minute that may be configured: above that a limit is none.
const MOST_PER_MINUTE: u32 = 1_000_000_000;

// === impl TenantSetting ===

impl TenantSetting {
    pub(super) fn terms(&self, others: &Terms) -> Result<Terms, ConfigError> {
        let named = |error: ConfigError| ConfigError {
            field: format!("{} of tenant {}", error.field, self.name),
            ..error
        };
        let weight = self.weight.map(Weight::new).transpose().map_err(named)?;
        let limits = TenantLimits {
            max_in_flight: self.max_in_flight.or(others.limits.max_in_flight),
            requests_per_minute: self.requests_per_minute.or(others.limits.requests_per_minute),
            tokens_per_minute: self.tokens_per_minute.or(others.limits.tokens_per_minute),
        };
        check(limits).map_err(named)?;
        let models = Some(self.models.clone()).filter(|models| !models.is_empty());
        Ok(Terms {
            weight: weight.unwrap_or(others.weight),
            models: models.or_else(|| others.models.clone()),
            limits,
        })
    }
}

// === impl TenantDefaults ===

impl TenantDefaults {
    pub(super) fn terms(self) -> Result<Terms, ConfigError> {
        let named =
            |error: ConfigError| ConfigError { field: format!("tenant_defaults.{}", error.field), ..error };
        let weight = self.weight.map(Weight::new).transpose().map_err(named)?.unwrap_or(Weight::ONE);
        let limits = TenantLimits {
            max_in_flight: self.max_in_flight,
            requests_per_minute: self.requests_per_minute,
            tokens_per_minute: self.tokens_per_minute,
        };
        check(limits).map_err(named)?;
        Ok(Terms { weight, models: Some(self.models).filter(|models| !models.is_empty()), limits })
    }
}

fn check(limits: TenantLimits) -> Result<(), ConfigError> {
    if limits.max_in_flight == Some(0) {
        return Err(ConfigError::new("max_in_flight", 0, "at least 1"));
    }
    for (field, limit) in
        [("requests_per_minute", limits.requests_per_minute), ("tokens_per_minute", limits.tokens_per_minute)]
    {
        if let Some(limit) = limit.filter(|limit| !(1..=MOST_PER_MINUTE).contains(limit)) {
            return Err(ConfigError::new(field, limit, format!("1 to {MOST_PER_MINUTE}")));
        }
    }
    Ok(())
}
