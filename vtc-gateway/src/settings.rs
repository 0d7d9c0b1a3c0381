//! What the gateway is told to do: one TOML file, the environment and the flags, made into one checked value.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use actix_web::http::Uri;
use serde::Deserialize;
use vtc_core::{ConfigError, ScoringConfig, TrackerConfig, VtcConfig};

/// Everything the gateway is told, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The pods: at least one, ordered by name.
    pub pods: Vec<PodSetting>,
    /// The core's configuration, with the policy for requests that name none.
    pub vtc: VtcConfig,
    /// What a client may send, and how long.
    pub limits: Limits,
    /// How pods are spoken to.
    pub upstream: UpstreamSettings,
    /// Threads that serve requests; 0 is one per core.
    pub workers: usize,
    /// How long streams may go on after SIGTERM.
    pub grace: Duration,
}

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodSetting {
    /// Its name: in the header `target-pod`, in metrics, and the order of the pods.
    pub name: String,
    /// Where it is, without a path: `http://10.0.0.1:8000`.
    pub url: String,
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
}

/// How pods are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamSettings {
    /// How long it may take to reach a pod. Default 3 s.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// How many other pods are tried when one fails before it answers. Default 2.
    pub retries: usize,
    /// The longest answer that is no stream, in bytes. Default 64 MiB.
    pub answer_bytes: usize,
    /// How often each pod is asked for its models, and so whether it is there. Default 2 s.
    #[serde(with = "humantime_serde")]
    pub poll_interval: Duration,
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
    /// The pods.
    pub pods: Vec<PodSetting>,
    /// The window, the weights of tokens, the bounds.
    pub tracker: TrackerConfig,
    /// The weights of `vtc-basic`'s score.
    pub scoring: ScoringConfig,
    /// What a client may send.
    pub limits: Limits,
    /// How pods are spoken to.
    pub upstream: UpstreamSettings,
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
}

/// Where the gateway listens unless it is told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

// === impl Settings ===

impl Settings {
    /// Makes the settings of a file and an environment: AIBrix's variables override the file, but
    /// `ROUTING_ALGORITHM` counts only if the file configures no policy. Flags are put into the file before.
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
        if file.upstream.poll_interval.is_zero() {
            return Err(ConfigError::new("upstream.poll_interval", "0s", "a time above 0").into());
        }
        Ok(Self {
            listen: address(file.listen.as_deref().unwrap_or(DEFAULT_LISTEN))?,
            pods: pods(file.pods)?,
            vtc,
            limits: file.limits,
            upstream: file.upstream,
            workers: file.workers.unwrap_or(0),
            grace: file.grace.unwrap_or(Duration::from_secs(30)),
        })
    }
}

fn address(listen: &str) -> Result<SocketAddr, ConfigError> {
    let first = listen.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    first.ok_or_else(|| ConfigError::new("listen", listen, "an address and a port, as 127.0.0.1:8080"))
}

/// Checked and ordered by name; of two with one name, the later: so that a flag overrides the file.
fn pods(pods: Vec<PodSetting>) -> Result<Vec<PodSetting>, ConfigError> {
    let mut by_name = BTreeMap::new();
    for pod in pods {
        let pod = PodSetting { url: pod.url.trim_end_matches('/').to_owned(), ..pod };
        pod.check()?;
        by_name.insert(pod.name.clone(), pod);
    }
    if by_name.is_empty() {
        return Err(ConfigError::new("pods", "none", "at least one, as --pod NAME=http://HOST:PORT"));
    }
    Ok(by_name.into_values().collect())
}

// === impl PodSetting ===

impl PodSetting {
    /// Reads `NAME=URL`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let (name, url) = text
            .split_once('=')
            .ok_or_else(|| ConfigError::new("--pod", text, "NAME=URL, as a=http://127.0.0.1:8000"))?;
        let pod = Self { name: name.trim().to_owned(), url: url.trim().trim_end_matches('/').to_owned() };
        pod.check()?;
        Ok(pod)
    }

    fn check(&self) -> Result<(), ConfigError> {
        // The name stands in a header of every answer.
        if self.name.is_empty() || !self.name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::new("pod name", &self.name, "visible ASCII characters without spaces"));
        }
        let uri = self.url.parse::<Uri>().ok().filter(|uri| uri.scheme_str() == Some("http"));
        let is_bare = |uri: &Uri| uri.authority().is_some() && uri.path() == "/" && uri.query().is_none();
        match uri {
            Some(uri) if is_bare(&uri) => Ok(()),
            _ => Err(ConfigError::new(
                format!("URL of pod {}", self.name),
                &self.url,
                "http://HOST:PORT without a path",
            )),
        }
    }
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 32 << 20, body_timeout: Duration::from_secs(30) }
    }
}

// === impl UpstreamSettings ===

impl Default for UpstreamSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            retries: 2,
            answer_bytes: 64 << 20,
            poll_interval: Duration::from_secs(2),
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        listen = "0.0.0.0:9000"
        policy = "least-request"
        workers = 2
        grace = "5s"

        [[pods]]
        name = "b"
        url = "http://10.0.0.2:8000/"

        [[pods]]
        name = "a"
        url = "http://10.0.0.1:8000"

        [tracker]
        window_size = 10
        time_unit = "seconds"
        staleness = "50ms"
        weights = { input = 1.0, output = 4.0 }

        [scoring]
        max_pod_load = 32

        [limits]
        body_bytes = 1000
        body_timeout = "1s"

        [upstream]
        connect_timeout = "500ms"
        retries = 1
    "#;

    fn settings(toml: &str, env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let lookup =
            |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::new(SettingsFile::parse(toml)?, lookup)
    }

    #[test]
    fn a_file_reaches_every_setting_and_orders_its_pods() {
        let settings = settings(FILE, &[]).unwrap();
        assert_eq!(settings.listen.to_string(), "0.0.0.0:9000");
        assert_eq!(settings.pods.iter().map(|pod| pod.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(settings.pods[1].url, "http://10.0.0.2:8000");
        assert_eq!(settings.vtc.policy, "least-request");
        assert_eq!(settings.vtc.tracker.span(), Duration::from_secs(10));
        assert_eq!(settings.vtc.tracker.weights.output, 4.0);
        assert_eq!(settings.vtc.scoring.max_pod_load, 32.0);
        assert_eq!(
            (settings.limits.body_bytes, settings.limits.body_timeout),
            (1000, Duration::from_secs(1))
        );
        assert_eq!((settings.upstream.retries, settings.upstream.answer_bytes), (1, 64 << 20));
        assert_eq!((settings.workers, settings.grace), (2, Duration::from_secs(5)));
    }

    #[test]
    fn the_configured_policy_goes_before_routing_algorithm_and_variables_before_the_rest_of_the_file() {
        let env = [("ROUTING_ALGORITHM", "random"), ("AIBRIX_ROUTER_VTC_TOKEN_TRACKER_WINDOW_SIZE", "20")];
        let from_file = settings(FILE, &env).unwrap();
        assert_eq!(from_file.vtc.policy, "least-request");
        assert_eq!(from_file.vtc.tracker.window_size, 20);
        let without_policy = FILE.replace("policy", "# policy");
        assert_eq!(settings(&without_policy, &env).unwrap().vtc.policy, "random");
        assert_eq!(settings(&without_policy, &[]).unwrap().vtc.policy, "vtc-basic");
    }

    #[test]
    fn every_mistake_is_named() {
        let bad = |from: &str, to: &str| settings(&FILE.replace(from, to), &[]).unwrap_err().to_string();
        assert!(bad("0.0.0.0:9000", "nowhere").contains("listen: \"nowhere\""));
        assert!(bad("least-request", "fastest").contains("one of vtc-basic, random"));
        assert!(bad("http://10.0.0.2:8000/", "https://10.0.0.2").contains("URL of pod b"));
        assert!(bad("http://10.0.0.2:8000/", "http://10.0.0.2/v1").contains("without a path"));
        assert!(bad("name = \"b\"", "name = \"b c\"").contains("pod name: \"b c\""));
        assert!(bad("window_size = 10", "window_size = 0").contains("window_size"));
        assert!(bad("window_size = 10", "window_sice = 10").contains("window_sice"));
        assert!(bad("workers = 2", "poll = 2").contains("unknown field `poll`"));
        assert!(settings("", &[]).unwrap_err().to_string().contains("--pod NAME=http://HOST:PORT"));
    }

    #[test]
    fn a_pod_on_the_command_line_is_a_name_and_a_url() {
        let pod = PodSetting::parse("a=http://127.0.0.1:8000/").unwrap();
        assert_eq!((pod.name.as_str(), pod.url.as_str()), ("a", "http://127.0.0.1:8000"));
        for wrong in ["a", "=http://127.0.0.1", "a=127.0.0.1:8000", "a=https://x"] {
            assert!(PodSetting::parse(wrong).is_err(), "{wrong}");
        }
    }
}
