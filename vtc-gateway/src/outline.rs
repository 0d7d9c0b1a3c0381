//! What the gateway would do with its settings, in a few lines: what `check` prints. No hash and no key is in it.

mod warnings;

use std::fmt::{self, Write as _};

use anyhow::Context;

use crate::cli::{ServeArgs, variable};
use crate::settings::{Redis, Settings, SettingsFile, read_pods};
use crate::tenant::{TenantLimits, Terms};

/// The settings in words, and what is allowed but probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// A word for each part of the settings, and what it says.
    pub lines: Vec<(&'static str, String)>,
    /// What is probably not meant.
    pub warnings: Vec<Warning>,
}

/// Something that is allowed and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where, and why.
    pub text: String,
    /// Whether a tenant's name is in it.
    pub names_tenant: bool,
}

/// The word of a line that names a tenant.
const TENANT: &str = "tenant";
/// So wide is the column of the words.
const WORDS: usize = 10;

// === impl Outline ===

impl Outline {
    /// What `serve` would do with these arguments.
    ///
    /// # Errors
    /// What would keep it from starting, as far as files can tell: the settings, or the file of pods.
    pub fn of(arguments: &ServeArgs) -> anyhow::Result<Self> {
        let file = arguments.file()?;
        Self::new(&Settings::new(file.clone(), variable)?, &file)
    }

    /// What it would do with these settings, which that file has made.
    ///
    /// # Errors
    /// The file of pods cannot be read, or is broken.
    pub fn new(settings: &Settings, file: &SettingsFile) -> anyhow::Result<Self> {
        let mut lines = vec![("listen", listen(settings)), ("pods", pods(settings)?)];
        lines.extend(settings.discovery.dns.iter().map(|name| {
            ("pods", format!("of each address of {}:{}, every {:?}", name.name, name.port, name.every))
        }));
        lines.push(("queue", queue(settings)));
        lines.push(("identity", identity(settings)));
        let mut named: Vec<_> = settings.tenants.named.iter().collect();
        named.sort_unstable_by_key(|(name, _)| *name);
        lines.extend(named.into_iter().map(|(name, terms)| {
            let keys = count(settings.identity.keys.count_of(name), "key");
            (TENANT, format!("{name}: {keys}, {}", self::terms(terms)))
        }));
        lines.push(("others", terms(&settings.tenants.others)));
        lines.push(("admin", admin(settings)));
        lines.extend(settings.redis.iter().map(|redis| ("redis", self::redis(redis))));
        lines.extend(settings.aliases.iter().map(|(alias, model)| ("alias", format!("{alias} is {model}"))));
        lines.push(("policy", settings.vtc.policy.clone()));
        Ok(Self { lines, warnings: warnings::of(settings, file) })
    }

    /// Writes it into the log, a line each, but for the tenants: the log names nobody who may be a person.
    pub fn log(&self) {
        for (word, text) in self.lines.iter().filter(|(word, _)| *word != TENANT) {
            tracing::info!("{word}: {text}");
        }
        let (naming, others): (Vec<_>, Vec<_>) = self.warnings.iter().partition(|it| it.names_tenant);
        for warning in others {
            tracing::warn!("{}", warning.text);
        }
        if !naming.is_empty() {
            tracing::warn!("of tenants: {}, which `vtc-gateway check` tells", count(naming.len(), "warning"));
        }
    }
}

fn listen(settings: &Settings) -> String {
    let workers = match settings.workers {
        0 => "a worker per core".to_owned(),
        workers => count(workers, "worker"),
    };
    format!("{}, {workers}, {:?} for streams to end", settings.listen, settings.grace)
}

fn pods(settings: &Settings) -> anyhow::Result<String> {
    let listed = settings.pods.iter().map(|pod| format!("{} at {}", pod.name, pod.url));
    let mut all: Vec<_> = listed.collect();
    if let Some(path) = &settings.discovery.file {
        let wrong = || format!("the file of pods {}", path.display());
        let text = std::fs::read_to_string(path).with_context(wrong)?;
        let found = read_pods(&text, &settings.pod_rules).with_context(wrong)?;
        all.push(format!("{} now in {}", found.len(), path.display()));
    }
    if settings.discovery.start_empty {
        all.push("those that an admin adds".to_owned());
    }
    Ok(if all.is_empty() { "none listed".to_owned() } else { all.join(", ") })
}

fn redis(redis: &Redis) -> String {
    let (servers, config) = (redis.servers.urls.len(), &redis.config);
    let among = if servers > 1 { format!(", the master among {servers}") } else { String::new() };
    format!("shared under {:?} every {:?} as {:?}{among}", config.prefix, config.interval, config.name)
}

fn queue(settings: &Settings) -> String {
    let Some(queue) = &settings.queue else {
        return "none: each request goes to a pod at once".to_owned();
    };
    let queue = &queue.dispatcher;
    let mut text = format!(
        "{}, at most {} of {} bytes together, {} of one user",
        queue.discipline,
        count(queue.limits.requests, "request"),
        queue.limits.bytes,
        queue.limits.per_user
    );
    if let Some(wait) = queue.longest_wait {
        let _ = write!(text, ", for at most {wait:?}");
    }
    let capacity = settings.pod_rules.capacity;
    if let Some(running) = capacity.max_running {
        let _ = write!(text, "; at most {} run on a pod", count(running, "request"));
    }
    if let Some(tokens) = capacity.max_tokens {
        let _ = write!(text, "; at most {tokens} tokens on a pod");
    }
    text
}

fn identity(settings: &Settings) -> String {
    let rules = &settings.identity;
    let mut who = Vec::new();
    if !rules.keys.is_empty() {
        let needed = if rules.require_key { "needed" } else { "not needed" };
        who.push(format!("{}, {needed}", count(rules.keys.len(), "key")));
    }
    if !rules.trusted.networks.is_empty() && !rules.require_key {
        let networks: Vec<_> = rules.trusted.networks.iter().map(ToString::to_string).collect();
        let names: Vec<_> = rules.user_headers.iter().map(|name| name.as_str()).collect();
        who.push(format!("headers {} from {}", names.join(", "), networks.join(", ")));
    }
    if rules.by_address {
        who.push("the client's address".to_owned());
    }
    if !rules.require_key && !rules.by_address {
        who.push("all others are @anonymous".to_owned());
    }
    if rules.sub_users {
        who.push("`user` in the body is a sub-user".to_owned());
    }
    who.join("; ")
}

fn terms(terms: &Terms) -> String {
    let mut text = format!("weight {}", terms.weight.as_f64());
    if let Some(models) = &terms.models {
        let models: Vec<_> = models.iter().map(String::as_str).collect();
        let _ = write!(text, ", only {}", models.join(", "));
    }
    let TenantLimits { max_in_flight, requests_per_minute, tokens_per_minute } = terms.limits;
    for (limit, what) in [
        (max_in_flight.map(|limit| limit as u64), "requests in flight"),
        (requests_per_minute.map(u64::from), "requests a minute"),
        (tokens_per_minute.map(u64::from), "tokens a minute"),
    ] {
        if let Some(limit) = limit {
            let _ = write!(text, ", {limit} {what}");
        }
    }
    text
}

fn admin(settings: &Settings) -> String {
    match (settings.admin.keys.len(), settings.admin.open_metrics) {
        (0, _) => "no key: whoever reaches the gateway may look, nobody may change".to_owned(),
        (keys, true) => format!("{}, /metrics is open", count(keys, "key")),
        (keys, false) => format!("{}, also for /metrics", count(keys, "key")),
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

impl fmt::Display for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, text) in &self.lines {
            writeln!(f, "{word:WORDS$}{text}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "{:WORDS$}{}", "warning", warning.text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
