//! What several gateways share, and through which Redis.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use vtc_actor::{RedisServers, ReplicaConfig};
use vtc_core::ConfigError;

use super::Secret;
use super::pem::{half, unfit};

/// `[redis]`. Without `urls` the gateway shares nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisSetting {
    /// `redis://host:port/db`, with TLS `rediss://`, or `unix:///path`: one, or all of which one is the master at a time.
    pub urls: Vec<Secret>,
    /// The user of Redis's access lists; absent: what the URL says, or the default one.
    pub username: Option<String>,
    /// Its password; absent: what the URL says, or none.
    pub password: Option<Secret>,
    /// The variable of the environment that holds the password.
    pub password_env: Option<String>,
    /// Authorities, in PEM, that are trusted instead of the usual ones.
    pub ca_file: Option<PathBuf>,
    /// The gateway's own certificate, in PEM.
    pub cert_file: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    pub key_file: Option<PathBuf>,
    /// What the names of all keys begin with: gateways that share have the same. Default `vtc`.
    pub prefix: String,
    /// What people call this gateway; need not be unique. Default `gateway`.
    pub name: String,
    /// How long to wait between two exchanges. Default 100 ms.
    #[serde(with = "humantime_serde")]
    pub interval: Duration,
    /// How long to wait for Redis. Nothing but the exchange waits. Default 1 s.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// After how long without a word the others take a gateway for gone. Default 5 s.
    #[serde(with = "humantime_serde")]
    pub longest_silence: Duration,
}

/// The same, read and checked.
#[derive(Clone, Debug)]
pub struct Redis {
    /// Where it is.
    pub servers: RedisServers,
    /// How to take part.
    pub config: ReplicaConfig,
}

// === impl RedisSetting ===

impl RedisSetting {
    /// Reads the files, and the password, which `env` may hold. `None`: nothing is shared.
    pub(super) fn read(&self, env: impl Fn(&str) -> Option<String>) -> Result<Option<Redis>, ConfigError> {
        if self.urls.is_empty() {
            return Ok(None);
        }
        let named = |error: ConfigError| ConfigError { field: format!("redis.{}", error.field), ..error };
        let config = ReplicaConfig {
            name: self.name.clone(),
            prefix: self.prefix.clone(),
            interval: self.interval,
            timeout: self.timeout,
            longest_silence: self.longest_silence,
        };
        config.validate().map_err(named)?;
        let certificate = match (&self.cert_file, &self.key_file) {
            (None, None) => None,
            (Some(cert_file), Some(key_file)) => {
                Some((pem("redis.cert_file", cert_file)?, pem("redis.key_file", key_file)?))
            }
            (Some(_), None) => return Err(half("redis.key_file", "the key of `cert_file`")),
            (None, Some(_)) => return Err(half("redis.cert_file", "the certificate of `key_file`")),
        };
        let servers = RedisServers {
            urls: self.urls.iter().map(|url| url.reveal().to_owned()).collect(),
            username: self.username.clone(),
            password: self.password(env)?,
            ca: self.ca_file.as_deref().map(|file| pem("redis.ca_file", file)).transpose()?,
            certificate,
        };
        // Whatever would be wrong with an address is wrong now.
        servers.clients().map_err(named)?;
        Ok(Some(Redis { servers, config }))
    }

    fn password(&self, env: impl Fn(&str) -> Option<String>) -> Result<Option<String>, ConfigError> {
        match (&self.password, &self.password_env) {
            (Some(_), Some(_)) => {
                Err(ConfigError::new("redis.password", "..", "this or password_env, not both"))
            }
            (None, Some(variable)) => {
                let unset = || ConfigError::new("redis.password_env", variable, "a variable that is set");
                env(variable).ok_or_else(unset).map(Some)
            }
            (password, None) => Ok(password.as_ref().map(|password| password.reveal().to_owned())),
        }
    }
}

impl Default for RedisSetting {
    fn default() -> Self {
        let ReplicaConfig { prefix, interval, timeout, longest_silence, .. } = ReplicaConfig::default();
        Self {
            urls: Vec::new(),
            username: None,
            password: None,
            password_env: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            prefix,
            name: "gateway".to_owned(),
            interval,
            timeout,
            longest_silence,
        }
    }
}

impl Redis {
    /// All of it as text, secrets included: to be compared, not to be shown.
    pub(crate) fn compared(&self) -> String {
        let RedisServers { urls, username, password, ca, certificate } = &self.servers;
        format!("{urls:?} {username:?} {password:?} {ca:?} {certificate:?} {:?}", self.config)
    }
}

fn pem(field: &str, file: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(file).map_err(|error| unfit(field, file, &error, "a file in PEM"))
}
