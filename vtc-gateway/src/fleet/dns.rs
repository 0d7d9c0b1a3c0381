//! Names that have an address per pod: when each is to be resolved, and what its last answer was. Who resolves is elsewhere.

use std::io;
use std::net::SocketAddr;

use vtc_core::Tick;

use crate::settings::{DnsSetting, PodSetting};

/// A name, and its last answer.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) setting: DnsSetting,
    /// Ordered, each once.
    addresses: Vec<SocketAddr>,
    answered: Tick,
    /// When it is to be resolved next.
    due: Tick,
    /// Whether it is being resolved.
    is_asked: bool,
    error: Option<String>,
}

// === impl Name ===

impl Name {
    pub(super) const fn new(setting: DnsSetting) -> Self {
        Self {
            setting,
            addresses: Vec::new(),
            answered: Tick::ZERO,
            due: Tick::ZERO,
            is_asked: false,
            error: None,
        }
    }

    /// What is to be done about it from now on; its last answer counts. It is resolved again at once.
    pub(super) fn set(&mut self, setting: DnsSetting) {
        (self.setting, self.due) = (setting, Tick::ZERO);
    }

    /// Whether it is that name and is being resolved.
    pub(super) fn awaits(&self, name: &str, port: u16) -> bool {
        self.is_asked && self.is(name, port)
    }

    /// Whether it is that name.
    pub(super) fn is(&self, name: &str, port: u16) -> bool {
        self.setting.name == name && self.setting.port == port
    }

    /// Whether it is to be resolved now; if so, it is said once.
    pub(super) fn ask(&mut self, now: Tick) -> bool {
        let is_due = !self.is_asked && self.due <= now;
        if is_due {
            (self.is_asked, self.due) = (true, now.saturating_add(self.setting.every));
        }
        is_due
    }

    /// When it is to be resolved next, if it is not being resolved.
    pub(super) fn due(&self) -> Option<Tick> {
        (!self.is_asked).then_some(self.due)
    }

    /// It was resolved. An answer without addresses is none: a resolver that has forgotten a name, and a name that has no
    /// pods, cannot be told apart.
    pub(super) fn answered(&mut self, now: Tick, answer: io::Result<Vec<SocketAddr>>) {
        self.is_asked = false;
        match answer {
            Ok(addresses) if !addresses.is_empty() => {
                self.addresses = addresses;
                self.addresses.sort_unstable();
                self.addresses.dedup();
                (self.answered, self.error) = (now, None);
            }
            other => {
                let reason =
                    other.err().map_or_else(|| "it has no address".to_owned(), |error| error.to_string());
                let name = &self.setting.name;
                if self.error.is_none() {
                    tracing::warn!(name, reason, "cannot resolve a name: its last answer counts for a while");
                }
                self.error = Some(format!("{name} cannot be resolved: {reason}"));
                if now.since(self.answered) >= self.setting.keep {
                    self.addresses.clear();
                }
            }
        }
    }

    pub(super) fn pods(&self) -> impl Iterator<Item = PodSetting> {
        self.addresses.iter().map(|address| self.setting.pod(*address))
    }

    /// Why its last answer is not new.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use super::*;

    fn setting() -> DnsSetting {
        let text = "name = \"vllm\"\nport = 8000\nevery = \"5s\"\nkeep = \"60s\"";
        toml::from_str(text).unwrap()
    }

    fn at(seconds: u64) -> Tick {
        Tick::after_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn a_pod_per_address_called_by_it_and_a_failure_keeps_the_last_answer_for_a_time() {
        // What the resolver will say next.
        let script = RefCell::new(Vec::from([
            Err(io::Error::other("refused")),
            Ok(vec![]),
            Err(io::Error::other("timeout")),
            Ok(vec!["10.0.0.9:8000"]),
            Ok(vec!["10.0.0.9:8000", "10.0.0.7:8000", "[fd00::1]:8000", "10.0.0.9:8000"]),
        ]));
        let resolve = || {
            let answer = script.borrow_mut().pop().unwrap();
            answer.map(|addresses| addresses.iter().map(|address| address.parse().unwrap()).collect())
        };
        let mut name = Name::new(setting());
        let mut look = |seconds| {
            assert!(name.ask(at(seconds)));
            assert!(!name.ask(at(seconds + 100)), "one question at a time");
            name.answered(at(seconds), resolve());
            assert_eq!(name.due(), Some(at(seconds + 5)));
            let pods: Vec<_> = name.pods().map(|pod| (pod.name, pod.url)).collect();
            (pods, name.error().is_some())
        };
        let pod = |address: &str| (address.to_owned(), format!("http://{address}"));
        let three = vec![pod("10.0.0.7:8000"), pod("10.0.0.9:8000"), pod("[fd00::1]:8000")];
        assert_eq!(look(100), (three, false));
        let one = vec![pod("10.0.0.9:8000")];
        assert_eq!(look(105), (one.clone(), false), "who has gone from the answer has gone");
        assert_eq!(look(110), (one.clone(), true));
        assert_eq!(look(164), (one, true), "no address is no answer");
        assert_eq!(look(170), (vec![], true), "65 s after the last");
    }
}
