//! What is allowed and probably not meant.

use ipnet::IpNet;
use vtc_core::queue::Weight;

use super::Warning;
use crate::identity::account::ANONYMOUS;
use crate::settings::{QueueSetting, Settings, SettingsFile};

/// More requests than that at once are more than engines usually run: the rest waits inside the pod.
const MANY_RUNNING: usize = 512;

/// The warnings for these settings, which `file` has made.
pub(super) fn of(settings: &Settings, file: &SettingsFile) -> Vec<Warning> {
    let (mut general, mut of_tenants) = (Vec::new(), Vec::new());
    exposure(settings, &mut general);
    queue(settings, &file.queue, &mut general);
    times(settings, &mut general);
    tenants(settings, &mut of_tenants);
    let warning = |names_tenant| move |text| Warning { text, names_tenant };
    general.into_iter().map(warning(false)).chain(of_tenants.into_iter().map(warning(true))).collect()
}

/// Who can get at it.
fn exposure(settings: &Settings, warnings: &mut Vec<String>) {
    let rules = &settings.identity;
    let is_everything = |network: &IpNet| network.prefix_len() == 0;
    if rules.trusted.networks.iter().any(is_everything) {
        warnings.push("identity.trusted_networks: everybody may name any user".to_owned());
    }
    if rules.proxies.iter().any(is_everything) {
        warnings.push("identity.trusted_proxies: everybody may claim any address".to_owned());
    }
    if !rules.keys.is_empty() && !rules.require_key {
        warnings
            .push("identity.require_key: there are keys, and whoever has none is served as well".to_owned());
    }
    if settings.listen.ip().is_loopback() {
        return;
    }
    let listen = settings.listen;
    if rules.keys.is_empty() {
        warnings.push(format!("listen: {listen} is open to others, and nobody needs a key"));
    } else if settings.tls.is_none() {
        warnings.push(format!("listen: keys come to {listen} in clear: give it a certificate in [tls], or let a proxy take TLS off before it"));
    }
    if settings.admin.keys.is_empty() {
        warnings.push(format!("admin.key_sha256: whoever reaches {listen} sees all users and pods"));
    }
}

fn queue(settings: &Settings, written: &QueueSetting, warnings: &mut Vec<String>) {
    let Some(queue) = &settings.queue else {
        if *written != QueueSetting::default() {
            warnings.push("queue.discipline: none, so that nothing else in [queue] counts".to_owned());
        }
        return;
    };
    let limits = queue.dispatcher.limits;
    let many = |running: Option<usize>| running.filter(|running| *running > MANY_RUNNING);
    if let Some(running) = many(settings.pod_rules.capacity.max_running) {
        warnings.push(format!("queue.pod_max_running: {running} is more than most engines run; {INSIDE}"));
    }
    for pod in settings.pods.iter().filter(|pod| pod.max_running != settings.pod_rules.capacity.max_running) {
        if let Some(running) = many(pod.max_running) {
            let name = &pod.name;
            warnings.push(format!(
                "max_running of pod {name}: {running} is more than most engines run; {INSIDE}"
            ));
        }
    }
    if settings.limits.body_bytes as u64 > limits.bytes {
        warnings.push(
            "queue.max_bytes: less than limits.body_bytes: a body as long as that can never wait".to_owned(),
        );
    }
    if limits.per_user >= limits.requests {
        warnings.push(
            "queue.max_per_user: as much as queue.max_requests: one user can fill the queue".to_owned(),
        );
    }
}

const INSIDE: &str = "the rest waits inside the pod, in the pod's order";

fn tenants(settings: &Settings, warnings: &mut Vec<String>) {
    let mut named: Vec<_> = settings.tenants.named.iter().collect();
    named.sort_unstable_by_key(|(name, _)| *name);
    for (name, terms) in named {
        if settings.identity.require_key && settings.identity.keys.count_of(name) == 0 {
            let why = if name == ANONYMOUS { "everybody needs a key" } else { "it has no key" };
            warnings.push(format!("tenants.name: nobody can be {name:?}: {why}"));
        }
        if settings.queue.is_none() && terms.weight != Weight::ONE {
            warnings.push(format!("weight of tenant {name}: without a queue nothing is shared by weight"));
        }
    }
}

fn times(settings: &Settings, warnings: &mut Vec<String>) {
    let upstream = &settings.upstream;
    for (name, time) in
        [("first_byte_timeout", upstream.first_byte_timeout), ("idle_timeout", upstream.idle_timeout)]
    {
        if time > upstream.request_timeout {
            warnings
                .push(format!("upstream.{name}: longer than upstream.request_timeout, which comes first"));
        }
    }
}
