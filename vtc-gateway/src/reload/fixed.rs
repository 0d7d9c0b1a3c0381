//! What cannot change while the gateway runs.

use super::ReloadError;
use crate::settings::{Redis, Settings};

/// The settings that need a restart, by name, each as text to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fixed(Vec<(&'static str, String)>);

// === impl Fixed ===

impl Fixed {
    pub(crate) fn of(settings: &Settings) -> Self {
        let queue = settings.queue.as_ref();
        let of_queue = queue.map(|queue| (queue.cost, queue.cached_input, queue.dispatcher.options));
        let limits = &settings.limits;
        // Connections are counted by what was known of proxies when they came.
        let proxies = limits.connections_per_client.map(|_| &settings.identity.proxies);
        Self(vec![
            ("listen", settings.listen.to_string()),
            ("workers", settings.workers.to_string()),
            ("grace", format!("{:?}", settings.grace)),
            ("shutdown", format!("{:?}", settings.shutdown)),
            ("tls", format!("{:?}", settings.tls)),
            ("log", format!("{:?}", settings.log)),
            ("traces", format!("{:?}", settings.traces)),
            ("policy", settings.vtc.policy.clone()),
            ("tracker", format!("{:?}", settings.vtc.tracker)),
            ("scoring", format!("{:?}", settings.vtc.scoring)),
            ("queue.discipline", format!("{:?}", queue.map(|queue| &queue.dispatcher.discipline))),
            ("queue.cost, queue.cached_input or queue.quantum", format!("{of_queue:?}")),
            ("limits.connections", format!("{:?}", limits.connections)),
            ("limits.connections_per_client", format!("{:?}", limits.connections_per_client)),
            ("identity.trusted_proxies (with limits.connections_per_client)", format!("{proxies:?}")),
            ("record.requests", settings.record.requests.to_string()),
            ("record.arrivals", settings.record.arrivals.to_string()),
            ("redis", settings.redis.as_ref().map(Redis::compared).unwrap_or_default()),
            ("estimate.output", format!("{:?}", settings.output)),
        ])
    }

    /// Whether a gateway that was started with these may go on with those.
    ///
    /// # Errors
    /// What is different, by name.
    pub(crate) fn allows(&self, new: &Self) -> Result<(), ReloadError> {
        let pairs = self.0.iter().zip(&new.0);
        let changed: Vec<_> = pairs.filter(|(old, new)| old != new).map(|(old, _)| old.0).collect();
        if changed.is_empty() { Ok(()) } else { Err(ReloadError::NeedsRestart(changed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SettingsFile;

    fn fixed(toml: &str) -> Fixed {
        let (top, tables) = toml.split_once('|').unwrap_or(("", toml));
        let toml =
            format!("{top}\n[[pods]]\nname = \"a\"\nurl = \"http://1.1.1.1\"\nmax_running = 8\n{tables}");
        Fixed::of(&Settings::new(SettingsFile::parse(&toml).unwrap(), |_| None).unwrap())
    }

    #[test]
    fn what_needs_a_restart_is_named() {
        let fair = "[queue]\ndiscipline = \"vtc-fair\"\n";
        for (old, new, changed) in [
            ("", "listen = \"127.0.0.1:1\"|", &["listen"][..]),
            ("", "workers = 3\ngrace = \"1s\"|", &["workers", "grace"]),
            ("", "[shutdown]\ndelay = \"1s\"\n[log]\nusers = true", &["shutdown", "log"]),
            ("", "[traces]\nsample = 0.5", &["traces"]),
            ("", "policy = \"random\"|[scoring]\nmax_pod_load = 7", &["policy", "scoring"]),
            ("", "[tracker]\nwindow_size = 7", &["tracker"]),
            ("", fair, &["queue.discipline", "queue.cost, queue.cached_input or queue.quantum"]),
            (fair, "[queue]\ndiscipline = \"drr\"\n", &["queue.discipline"]),
            (
                fair,
                &format!("{fair}cached_input = 0.5"),
                &["queue.cost, queue.cached_input or queue.quantum"],
            ),
            ("", "[limits]\nconnections = 5", &["limits.connections"]),
            ("", "[identity]\ntrusted_proxies = [\"10.0.0.1\"]", &[]),
            (
                "[limits]\nconnections_per_client = 5",
                "[limits]\nconnections_per_client = 5\n[identity]\ntrusted_proxies = [\"10.0.0.1\"]",
                &["identity.trusted_proxies (with limits.connections_per_client)"],
            ),
            ("", "[estimate]\noutput = \"learned\"", &["estimate.output"]),
            (fair, &format!("{fair}pod_max_running = 5\nlongest_wait = \"1s\"\nmax_requests = 7"), &[]),
            ("", "[limits]\nbody_bytes = 5\n[[tenants]]\nname = \"alice\"\n[upstream]\nretries = 7", &[]),
        ] {
            let named = match fixed(old).allows(&fixed(new)) {
                Err(ReloadError::NeedsRestart(named)) => named,
                Ok(()) => Vec::new(),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(named, changed, "{old} -> {new}");
        }
    }
}
