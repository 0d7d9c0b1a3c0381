//! What the gateway is told to do: one TOML file, the environment and the flags, made into one checked value.

mod admin;
mod discovery;
mod endpoints;
mod estimate;
#[cfg(test)]
mod example;
mod health;
mod identity;
mod log;
mod models;
pub(crate) mod pem;
mod pod;
mod pod_tls;
mod queue;
mod record;
mod reload;
mod secret;
mod shutdown;
mod tenant;
#[cfg(test)]
mod tests;
mod tls;
mod traces;

use std::net::{SocketAddr, ToSocketAddrs};
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
pub use self::log::{LogFormat, LogSetting};
pub use self::models::{Aliases, ModelsSetting};
pub use self::pod::{PodRules, PodSetting};
pub use self::pod_tls::{PodTls, PodTlsSetting};
pub use self::queue::{CostSetting, Queue, QueueSetting};
pub use self::record::RecordSetting;
pub use self::reload::ReloadSetting;
pub use self::secret::Secret;
pub use self::shutdown::ShutdownSetting;
pub use self::tenant::{TenantDefaults, TenantSetting};
pub use self::tls::{Tls, TlsSetting};
pub use self::traces::TracesSetting;
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

/// What a client may send, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The longest body, in bytes. Default 32 MiB.
    pub body_bytes: usize,
    /// How long a body may take to arrive. Default 30 s.
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    /// The longest head of a request, in bytes of its target and its headers. Default 32 KiB. Above 128 KiB, or 96 headers,
    /// the HTTP library itself refuses, with 431 and an empty body.
    pub header_bytes: usize,
    /// The most connections of clients at the same time, rounded up to a multiple of the workers; further ones wait to be
    /// accepted. Default 25,000 per worker.
    pub connections: Option<usize>,
    /// The most connections of one client; what comes over further ones is refused. Trusted proxies are not counted.
    /// Default: no limit.
    pub connections_per_client: Option<usize>,
}

/// How pods are spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamSettings {
    /// How long it may take to reach a pod, and to agree on TLS with it. Default 3 s.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How long it may take until a pod's answer begins. An answer that is no stream begins when all of it was
    /// generated. Default 10 min.
    #[serde(with = "humantime_serde")]
    pub first_byte_timeout: Duration,
    /// How long a pod's answer may stand still once it has begun. A stream may begin while its prompt waits in the
    /// pod. Default 5 min.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// How long a request may take from when it is sent to a pod, or the first of several, to the last byte of its
    /// answer. Default 1 h.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// How many other pods are tried when one fails before it answers. Default 2.
    pub retries: usize,
    /// The longest answer that is no stream, in bytes. Default 64 MiB.
    pub answer_bytes: usize,
    /// How often each pod is asked for its models, and so whether it is there. Default 2 s.
    #[serde(with = "humantime_serde")]
    pub poll_interval: Duration,
    /// The key that pods want to see which have none of their own.
    pub api_key: Option<Secret>,
    /// The variable of the environment that holds this key.
    pub api_key_env: Option<String>,
    /// TLS to pods with `https://`.
    pub tls: PodTlsSetting,
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
    /// The file is not what is expected, with the place and what would be.
    #[error("the configuration file cannot be read: {0}")]
    File(#[from] toml::de::Error),
    /// The file of pods cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
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

// === impl Limits ===

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        at_least_one("limits.body_bytes", self.body_bytes)?;
        above_zero("limits.body_timeout", self.body_timeout)?;
        at_least_one("limits.header_bytes", self.header_bytes)?;
        at_least_one("limits.connections", self.connections.unwrap_or(1))?;
        at_least_one("limits.connections_per_client", self.connections_per_client.unwrap_or(1))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 32 << 20,
            body_timeout: Duration::from_secs(30),
            header_bytes: 32 << 10,
            connections: None,
            connections_per_client: None,
        }
    }
}

// === impl UpstreamSettings ===

impl UpstreamSettings {
    fn check(&self) -> Result<(), ConfigError> {
        above_zero("upstream.connect_timeout", self.connect_timeout)?;
        above_zero("upstream.first_byte_timeout", self.first_byte_timeout)?;
        above_zero("upstream.idle_timeout", self.idle_timeout)?;
        above_zero("upstream.request_timeout", self.request_timeout)?;
        at_least_one("upstream.answer_bytes", self.answer_bytes)?;
        above_zero("upstream.poll_interval", self.poll_interval)
    }
}

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            first_byte_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(300),
            request_timeout: Duration::from_secs(3600),
            retries: 2,
            answer_bytes: 64 << 20,
            poll_interval: Duration::from_secs(2),
            api_key: None,
            api_key_env: None,
            tls: PodTlsSetting::default(),
        }
    }
}

// === impl SettingsFile ===

impl SettingsFile {
    /// Reads the TOML text of a file.
    ///
    /// # Errors
    /// Where it is wrong, and what is expected there.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        Ok(toml::from_str(text)?)
    }

    /// Puts these pods beside those of the file, or in the place of those with their names.
    pub fn put_pods(&mut self, pods: Vec<PodSetting>) {
        self.pods.retain(|of_file| pods.iter().all(|pod| pod.name != of_file.name));
        self.pods.extend(pods);
    }
}
