//! One pod: what it is called, where it is, how much it takes.

use std::collections::BTreeMap;

use actix_web::http::Uri;
use actix_web::http::header::HeaderValue;
use actix_web::http::uri::Authority;
use serde::Deserialize;
use vtc_actor::Capacity;
use vtc_core::ConfigError;

use super::Secret;

/// One pod.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodSetting {
    /// Its name: in the header `target-pod`, in metrics, and the order of the pods.
    pub name: String,
    /// Where it is, without a path: `http://10.0.0.1:8000` or `https://pod.example:8000`.
    pub url: String,
    /// The most requests that the queue lets run on it at the same time; absent: what the queue says of every pod.
    #[serde(default)]
    pub max_running: Option<usize>,
    /// The most tokens that requests which run on it may hold together; absent: what the queue says of every pod.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// The key that it wants to see; absent: that of `[upstream]`, if there is one.
    #[serde(default)]
    pub api_key: Option<Secret>,
    /// The variable of the environment that holds this key.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// The key as a header, once the settings are checked.
    #[serde(skip)]
    pub authorization: Option<HeaderValue>,
    /// The most requests that may wait inside it, as it says at `/metrics`: with more the queue gives it nothing new.
    #[serde(default)]
    pub max_waiting: Option<u64>,
    /// The largest part of its cache of keys and values, 0 to 1, that may be in use, as it says at `/metrics`: with more
    /// the queue gives it nothing new.
    #[serde(default)]
    pub max_kv_usage: Option<f64>,
}

/// What holds for every pod, wherever it comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodRules {
    /// What a pod takes that does not say it itself.
    pub capacity: Capacity,
    /// Whether each pod needs a limit: with a queue.
    pub is_limited: bool,
    /// The header that shows the key of pods that have none of their own.
    pub authorization: Option<HeaderValue>,
}

/// Checked and ordered by name.
pub(super) fn checked(pods: Vec<PodSetting>) -> Result<Vec<PodSetting>, ConfigError> {
    let mut by_name = BTreeMap::new();
    for pod in pods {
        let pod = pod.checked()?;
        if let Some(other) = by_name.insert(pod.name.clone(), pod) {
            return Err(ConfigError::new("pod name", other.name, "each pod a name of its own"));
        }
    }
    Ok(by_name.into_values().collect())
}

/// The header that shows a key, from the key itself or from the variable that holds it. `whose`: what the fields are
/// called by in an error; the key itself is never shown.
pub(super) fn authorization(
    whose: &str,
    key: Option<&Secret>,
    variable: Option<&str>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<HeaderValue>, ConfigError> {
    let from_env;
    let key = match (key, variable) {
        (Some(_), Some(_)) => {
            return Err(ConfigError::new(format!("{whose}api_key"), "..", "this or api_key_env, not both"));
        }
        (None, Some(variable)) => {
            let unset =
                || ConfigError::new(format!("{whose}api_key_env"), variable, "a variable that is set");
            from_env = Secret::from(env(variable).ok_or_else(unset)?);
            &from_env
        }
        (Some(key), None) => key,
        (None, None) => return Ok(None),
    };
    let value = HeaderValue::try_from(format!("Bearer {}", key.reveal()));
    let wrong = |_| ConfigError::new(format!("{whose}api_key"), "..", "visible ASCII characters");
    let mut value = value.map_err(wrong)?;
    value.set_sensitive(true);
    Ok(Some(value))
}

// === impl PodRules ===

impl PodRules {
    /// The pod, with what it takes and the key that it wants to see, which `env` may hold.
    ///
    /// # Errors
    /// It needs a limit and has none; its key cannot be had.
    pub(crate) fn complete(
        &self,
        pod: PodSetting,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<PodSetting, ConfigError> {
        let whose = format!("pod {}: ", pod.name);
        let own = authorization(&whose, pod.api_key.as_ref(), pod.api_key_env.as_deref(), env)?;
        let pod = PodSetting {
            authorization: own.or_else(|| self.authorization.clone()),
            max_running: pod.max_running.or(self.capacity.max_running),
            max_tokens: pod.max_tokens.or(self.capacity.max_tokens),
            ..pod
        };
        if self.is_limited && pod.capacity() == Capacity::default() {
            return Err(ConfigError::new(
                "queue.pod_max_running",
                format!("none, and pod {} has none of its own", pod.name),
                "with a queue the most requests that run on a pod, as --pod-max-running 32: \
                 without it nobody would ever wait",
            ));
        }
        Ok(pod)
    }
}

// === impl PodSetting ===

impl PodSetting {
    /// A pod of that name, there.
    #[must_use]
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self { name: name.into(), url: url.into(), ..Self::default() }
    }

    /// Reads `NAME=URL`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let (name, url) = text
            .split_once('=')
            .ok_or_else(|| ConfigError::new("--pod", text, "NAME=URL, as a=http://127.0.0.1:8000"))?;
        let pod = Self::new(name.trim(), url.trim().trim_end_matches('/'));
        pod.check()?;
        Ok(pod)
    }

    /// How much the queue gives it at the same time.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        Capacity {
            max_running: self.max_running,
            max_tokens: self.max_tokens,
            max_waiting: self.max_waiting,
            max_kv_usage: self.max_kv_usage,
        }
    }

    /// The same, written as it is compared.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn checked(self) -> Result<Self, ConfigError> {
        let pod = Self { url: self.url.trim_end_matches('/').to_owned(), ..self };
        pod.check()?;
        Ok(pod)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        // The name stands in a header of every answer.
        if self.name.is_empty() || !self.name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigError::new("pod name", &self.name, "visible ASCII characters without spaces"));
        }
        let uri =
            self.url.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        // A port that is no port would be taken for the usual one, and a password would not be sent.
        let is_address = |it: &Authority| match it.port_u16() {
            Some(_) => !it.as_str().contains('@'),
            None => it.as_str() == it.host(),
        };
        let is_bare =
            |uri: &Uri| uri.authority().is_some_and(is_address) && uri.path() == "/" && uri.query().is_none();
        if !uri.is_some_and(|uri| is_bare(&uri)) {
            let field = format!("URL of pod {}", self.name);
            return Err(ConfigError::new(
                field,
                &self.url,
                "http://HOST:PORT or https://HOST:PORT without a path",
            ));
        }
        self.capacity().validate().map_err(|error| {
            let field = format!("{} of pod {}", error.field, self.name);
            ConfigError { field, ..error }
        })
    }
}
