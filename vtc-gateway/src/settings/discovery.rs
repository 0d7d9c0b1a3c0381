//! Where pods come from besides the list in the settings.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use vtc_core::ConfigError;

use super::pod::{PodRules, PodSetting};
use super::{SettingsError, above_zero, pod};
use crate::cli::variable;

/// The table `[discovery]`. All sources count at once; of pods with one name the one counts that comes first here: those
/// added by an admin, those of the settings, those of the file, those of DNS.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscoverySetting {
    /// A TOML file with `[[pods]]`, as in the settings. It is read again at every poll; while it is broken, what it said
    /// before counts. A path that is not absolute starts in the working directory.
    pub file: Option<PathBuf>,
    /// Names with an address per pod.
    pub dns: Vec<DnsSetting>,
    /// Whether the gateway may start without any pods, to be told of them later. With a file or names it may anyway.
    pub start_empty: bool,
}

/// One of `[[discovery.dns]]`: a name with an address per pod, as a headless service has. Each pod is called by its
/// address, as `10.0.0.7:8000`, and so keeps its name for as long as it has the address.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsSetting {
    /// The name.
    pub name: String,
    /// The port that pods listen on.
    pub port: u16,
    /// How often it is resolved, whatever its records say of how long they hold. Default 5 s.
    #[serde(with = "humantime_serde", default = "every")]
    pub every: Duration,
    /// How long the last answer counts if there is no other. Default 5 min.
    #[serde(with = "humantime_serde", default = "keep")]
    pub keep: Duration,
    /// The most requests that the queue lets run on each of them; absent: what the queue says of every pod.
    #[serde(default)]
    pub max_running: Option<usize>,
    /// The most tokens that requests which run on one of them hold together; absent: what the queue says of every pod.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

/// A file of pods.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PodsFile {
    pods: Vec<PodSetting>,
}

const fn every() -> Duration {
    Duration::from_secs(5)
}

const fn keep() -> Duration {
    Duration::from_secs(300)
}

/// The pods that the text of a file lists, checked and ordered by name.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn read_pods(text: &str, rules: &PodRules) -> Result<Vec<PodSetting>, SettingsError> {
    let file: PodsFile = toml::from_str(text).map_err(|error| SettingsError::of_file(text, &error))?;
    let pods = pod::checked(file.pods)?;
    Ok(pods.into_iter().map(|pod| rules.complete(pod, variable)).collect::<Result<_, _>>()?)
}

// === impl DiscoverySetting ===

impl DiscoverySetting {
    pub(super) fn check(&self, rules: &PodRules) -> Result<(), ConfigError> {
        self.dns.iter().try_for_each(|name| name.check(rules))
    }

    /// Whether there may be no pods at the start.
    pub(super) fn allows_none(&self) -> bool {
        self.start_empty || self.file.is_some() || !self.dns.is_empty()
    }
}

// === impl DnsSetting ===

impl DnsSetting {
    /// The pod at that address.
    pub(crate) fn pod(&self, address: std::net::SocketAddr) -> PodSetting {
        PodSetting {
            max_running: self.max_running,
            max_tokens: self.max_tokens,
            ..PodSetting::new(address.to_string(), format!("http://{address}"))
        }
    }

    fn check(&self, rules: &PodRules) -> Result<(), ConfigError> {
        let is_name = !self.name.is_empty() && self.name.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_name || self.name.contains(['/', ':', '@']) {
            return Err(ConfigError::new("discovery.dns.name", &self.name, "a name, as vllm.default.svc"));
        }
        if self.port == 0 {
            return Err(ConfigError::new("discovery.dns.port", 0, "a port, 1 to 65535"));
        }
        above_zero("discovery.dns.every", self.every)?;
        let example = self.pod(([192, 0, 2, 1], self.port).into());
        let of_name =
            |error: ConfigError| ConfigError { field: format!("{} ({})", error.field, self.name), ..error };
        example.check().map_err(of_name)?;
        rules.complete(example, variable).map(drop).map_err(of_name)
    }
}
