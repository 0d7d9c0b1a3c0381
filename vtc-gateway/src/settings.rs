//! What the gateway is told to do: one TOML file, the environment and the flags, made into one checked value.

mod admin;
mod discovery;
mod endpoints;
mod estimate;
#[cfg(test)]
mod example;
mod health;
mod identity;
mod limits;
mod log;
mod models;
pub(crate) mod pem;
mod pod;
mod pod_tls;
mod queue;
mod record;
mod redis;
mod reload;
mod secret;
mod shutdown;
mod tenant;
#[cfg(test)]
mod tests;
mod tls;
mod traces;
mod upstream;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use vtc_core::{ConfigError, ScoringConfig, TrackerConfig, VtcConfig};

pub use self::admin::{AdminSetting, KeyHashes};
pub(crate) use self::discovery::read_pods;
pub use self::discovery::{DiscoverySetting, DnsSetting};
pub use self::endpoints::EndpointsSetting;
pub use self::estimate::{EstimateSetting, EstimatorSetting, ModelSetting, OutputSetting};
pub use self::health::{BreakerSetting, HealthSetting, RetryBudgetSetting};
pub use self::identity::{IdentitySetting, Network};
pub use self::limits::Limits;
pub use self::log::{LogFormat, LogSetting};
pub use self::models::{Aliases, ModelsSetting};
pub use self::pod::{PodRules, PodSetting};
pub use self::pod_tls::{PodTls, PodTlsSetting};
pub use self::queue::{CostSetting, Queue, QueueSetting};
pub use self::record::RecordSetting;
pub use self::redis::{Redis, RedisSetting};
pub use self::reload::ReloadSetting;
pub use self::secret::Secret;
pub use self::shutdown::ShutdownSetting;
pub use self::tenant::{TenantDefaults, TenantSetting};
pub use self::tls::{Tls, TlsSetting};
pub use self::traces::TracesSetting;
pub use self::upstream::UpstreamSettings;
use crate::admin::Admin;
use crate::estimate::Estimators;
use crate::identity::Rules;
use crate::tenant::Tenants;

/// Everything the gateway is told, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How it speaks TLS there; `None`: it does not.
    pub tls: Option<Tls>,
    /// The pods that are always there, ordered by name: at least one, unless others may be discovered.
    pub pods: Vec<PodSetting>,
    /// Where further pods come from.
    pub discovery: DiscoverySetting,
    /// What holds for all of them.
    pub pod_rules: PodRules,
    /// When they are trusted.
    pub health: HealthSetting,
    /// How requests wait for a pod with room; `None`: they do not, and go to a pod at once.
    pub queue: Option<Queue>,
    /// How it is decided who asks.
    pub identity: Rules,
    /// What each account may.
    pub tenants: Tenants,
    /// Who may look into the gateway.
    pub admin: Admin,
    /// The core's configuration, with the policy for requests that name none.
    pub vtc: VtcConfig,
    /// Which paths there are.
    pub endpoints: EndpointsSetting,
    /// Other names for models.
    pub aliases: Aliases,
    /// How the cost of requests is guessed.
    pub estimators: Estimators,
    /// How long answers are guessed to be, where there is no queue.
    pub output: OutputSetting,
    /// How much is remembered of requests.
    pub record: RecordSetting,
    /// Through which Redis it shares what it counts; `None`: it does not.
    pub redis: Option<Redis>,
    /// What a client may send, and how long.
    pub limits: Limits,
    /// How pods are spoken to.
    pub upstream: UpstreamSettings,
    /// Whom of the pods with `https://` it trusts, and who it says it is.
    pub pod_tls: PodTls,
    /// Threads that serve requests; 0 is one per core.
    pub workers: usize,
    /// How long streams may go on after SIGTERM.
    pub grace: Duration,
    /// How it ends.
    pub shutdown: ShutdownSetting,
    /// What is logged.
    pub log: LogSetting,
    /// Where traces go.
    pub traces: TracesSetting,
    /// When the settings are read again.
    pub reload: ReloadSetting,
}

/// The TOML file. Every field may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsFile {
    /// Where to listen, `ADDR:PORT`.
    pub listen: Option<String>,
    /// The policy for requests that name none.
    pub policy: Option<String>,
    /// Threads that serve requests.
    pub workers: Option<usize>,
    /// How long streams may go on after SIGTERM.
    #[serde(with = "humantime_serde")]
    pub grace: Option<Duration>,
    /// What else happens at SIGTERM.
    pub shutdown: ShutdownSetting,
    /// TLS to clients.
    pub tls: TlsSetting,
    /// What is logged, and how.
    pub log: LogSetting,
    /// Where traces go.
    pub traces: TracesSetting,
    /// The pods.
    pub pods: Vec<PodSetting>,
    /// Where further pods come from.
    pub discovery: DiscoverySetting,
    /// When pods are trusted.
    pub health: HealthSetting,
    /// Whether and how requests wait for a pod with room.
    pub queue: QueueSetting,
    /// Who asks.
    pub identity: IdentitySetting,
    /// Who is known by a key, or has terms of its own.
    pub tenants: Vec<TenantSetting>,
    /// What all others may.
    pub tenant_defaults: TenantDefaults,
    /// Who may look into the gateway.
    pub admin: AdminSetting,
    /// The window, the weights of tokens, the bounds.
    pub tracker: TrackerConfig,
    /// The weights of `vtc-basic`'s score.
    pub scoring: ScoringConfig,
    /// Which paths there are.
    pub endpoints: EndpointsSetting,
    /// Other names for models, and what is said of single ones.
    pub models: ModelsSetting,
    /// How the cost of requests is guessed.
    pub estimate: EstimateSetting,
    /// How much is remembered of requests.
    pub record: RecordSetting,
    /// What it shares with other gateways.
    pub redis: RedisSetting,
    /// What a client may send.
    pub limits: Limits,
    /// How pods are spoken to.
    pub upstream: UpstreamSettings,
    /// When all this is read again.
    pub reload: ReloadSetting,
}

/// What is wrong with the settings; the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A value that is not allowed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file is not what is expected: the place, and what would be. The line itself is not told, as there may be a secret in
    /// it.
    #[error("{0}")]
    File(String),
    /// The file of pods cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

// === impl SettingsError ===

impl SettingsError {
    /// What is wrong with that text of a file.
    fn of_file(text: &str, error: &toml::de::Error) -> Self {
        // Its first line says where, those below show what stands there.
        let whole = error.to_string();
        let place = whole.lines().next().unwrap_or_default();
        let before = error.span().and_then(|span| text.get(..span.start));
        let key =
            before.and_then(|before| before.rsplit('\n').next()?.split_once('=')).map(|(key, _)| key.trim());
        let is_key = |key: &&str| key.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let key = key.filter(is_key).map_or(String::new(), |key| format!("{key}: "));
        Self::File(format!("{place}: {key}{}", error.message()))
    }
}

/// Where the gateway listens unless it is told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

// === impl Settings ===

impl Settings {
    /// Makes the settings of a file and an environment: AIBrix's variables override the file, but
    /// `ROUTING_ALGORITHM` counts only if the file configures no policy. Flags are put into the file before, see
    /// [`SettingsFile::put_pods`].
    ///
    /// # Errors
    /// The first value that is not allowed, by its name.
    pub fn new(file: SettingsFile, env: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let has_policy = file.policy.is_some();
        let mut vtc = VtcConfig { tracker: file.tracker, scoring: file.scoring, ..VtcConfig::default() };
        if let Some(policy) = file.policy {
            vtc.policy = policy;
        }
        let vtc =
            vtc.overridden_by(|name| env(name).filter(|_| !(has_policy && name == "ROUTING_ALGORITHM")))?;
        file.limits.check()?;
        file.log.check()?;
        file.traces.check()?;
        file.record.check()?;
        file.upstream.check()?;
        file.reload.check()?;
        let pods = pod::checked(file.pods)?;
        let weights = file.queue.weights.clone();
        let (identity, tenants) = identity::read(file.identity, file.tenants, file.tenant_defaults, weights)?;
        if pods.is_empty() && !file.discovery.allows_none() {
            let allowed = "at least one, as --pod NAME=http://HOST:PORT";
            return Err(ConfigError::new("pods", "none", allowed).into());
        }
        file.health.check()?;
        let (queue, capacity) = file.queue.read(vtc.tracker.weights)?;
        let authorization = pod::authorization(
            "upstream.",
            file.upstream.api_key.as_ref(),
            file.upstream.api_key_env.as_deref(),
            &env,
        )?;
        let pod_rules = PodRules { authorization, ..capacity };
        let pods = pods.into_iter().map(|pod| pod_rules.complete(pod, &env)).collect::<Result<_, _>>()?;
        file.discovery.check(&pod_rules)?;
        let (aliases, estimators) = file.models.read(&file.estimate)?;
        Ok(Self {
            endpoints: file.endpoints,
            aliases,
            estimators,
            output: file.estimate.output,
            listen: address(file.listen.as_deref().unwrap_or(DEFAULT_LISTEN))?,
            tls: file.tls.read()?,
            pods,
            discovery: file.discovery,
            pod_rules,
            health: file.health,
            queue,
            identity,
            tenants,
            admin: file.admin.read()?,
            vtc,
            record: file.record,
            redis: file.redis.read(&env)?,
            limits: file.limits,
            pod_tls: file.upstream.tls.read()?,
            upstream: file.upstream,
            workers: file.workers.unwrap_or(0),
            grace: file.grace.unwrap_or(Duration::from_secs(30)),
            shutdown: file.shutdown,
            log: file.log,
            traces: file.traces,
            reload: file.reload,
        })
    }
}

fn address(listen: &str) -> Result<SocketAddr, ConfigError> {
    let first = listen.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    first.ok_or_else(|| ConfigError::new("listen", listen, "an address and a port, as 127.0.0.1:8080"))
}

fn above_zero(field: &str, time: Duration) -> Result<(), ConfigError> {
    if time.is_zero() { Err(ConfigError::new(field, "0s", "a time above 0")) } else { Ok(()) }
}

fn at_least_one(field: &str, bytes: usize) -> Result<(), ConfigError> {
    if bytes == 0 { Err(ConfigError::new(field, 0, "at least 1")) } else { Ok(()) }
}

// === impl SettingsFile ===

impl SettingsFile {
    /// Reads the TOML text of a file.
    ///
    /// # Errors
    /// Where it is wrong, and what is expected there.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        toml::from_str(text).map_err(|error| SettingsError::of_file(text, &error))
    }

    /// Has the relative paths in it start from this directory, which is that of the file.
    pub fn starts_from(&mut self, directory: &Path) {
        let (tls, pod_tls) = (&mut self.tls, &mut self.upstream.tls);
        let paths = [
            &mut self.identity.keys_file,
            &mut self.discovery.file,
            &mut tls.cert_file,
            &mut tls.key_file,
            &mut tls.client_ca_file,
            &mut pod_tls.ca_file,
            &mut pod_tls.cert_file,
            &mut pod_tls.key_file,
            &mut self.redis.ca_file,
            &mut self.redis.cert_file,
            &mut self.redis.key_file,
        ];
        for path in paths.into_iter().flatten() {
            *path = directory.join(&path);
        }
    }

    /// Puts these pods beside those of the file, or in the place of those with their names.
    pub fn put_pods(&mut self, pods: Vec<PodSetting>) {
        self.pods.retain(|of_file| pods.iter().all(|pod| pod.name != of_file.name));
        self.pods.extend(pods);
    }
}
