//! Where pods come from: the settings, a file, DNS and admins, merged by name.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use vtc_core::Tick;

use super::dns::Name;
use super::news::OrderError;
use crate::cli::variable;
use crate::settings::{DnsSetting, PodRules, PodSetting, Settings, SettingsError, read_pods};

/// Where a pod comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An admin has put it.
    Admin,
    /// The settings, or the command line.
    Settings,
    /// The watched file.
    File,
    /// A name with several addresses.
    Dns,
}

/// Everything that pods come from, as it last was.
#[derive(Debug)]
pub(super) struct Sources {
    rules: PodRules,
    /// As they were put: what the rules say of them is added when they are looked at.
    put: BTreeMap<String, PodSetting>,
    settings: Vec<PodSetting>,
    /// Where the watched file is, if there is one.
    pub(super) path: Option<PathBuf>,
    file: Vec<PodSetting>,
    /// The text of the file, when it was last read, sound or not.
    text: Option<String>,
    file_error: Option<String>,
    pub(super) names: Vec<Name>,
}

// === impl Source ===

impl Source {
    /// A word for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Settings => "settings",
            Self::File => "file",
            Self::Dns => "dns",
        }
    }
}

// === impl Sources ===

impl Sources {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            rules: settings.pod_rules.clone(),
            put: BTreeMap::new(),
            settings: settings.pods.clone(),
            path: settings.discovery.file.clone(),
            file: Vec::new(),
            text: None,
            file_error: None,
            names: settings.discovery.dns.iter().cloned().map(Name::new).collect(),
        }
    }

    /// These settings count from now on, and what the file says that they name, if they name one. Names that are still
    /// there keep their last answer, and pods that an admin has put stay.
    ///
    /// # Errors
    /// A pod would be without a limit that it needs, or without its key; the file is broken. Nothing has changed.
    pub(super) fn set(
        &mut self,
        settings: &Settings,
        file: Option<io::Result<String>>,
    ) -> Result<(), SettingsError> {
        let rules = &settings.pod_rules;
        for pod in self.put.values() {
            rules.complete(pod.clone(), variable)?;
        }
        let is_same = self.path == settings.discovery.file && self.rules == *rules;
        // The file that is followed already is read at each poll, and what was sound in it counts.
        if !is_same {
            let text = file.transpose().map_err(|error| SettingsError::Unreadable(error.to_string()))?;
            self.file = text.as_ref().map(|text| read_pods(text, rules)).transpose()?.unwrap_or_default();
            (self.text, self.file_error) = (text, None);
            self.path.clone_from(&settings.discovery.file);
        }
        self.rules = rules.clone();
        self.settings.clone_from(&settings.pods);
        let mut old = std::mem::take(&mut self.names);
        let name = |setting: &DnsSetting| match old.iter().position(|it| it.is(&setting.name, setting.port)) {
            Some(at) => {
                let mut name = old.swap_remove(at);
                name.set(setting.clone());
                name
            }
            None => Name::new(setting.clone()),
        };
        self.names = settings.discovery.dns.iter().map(name).collect();
        Ok(())
    }

    /// All pods, each once: of several of one name the first in the order of [`Source`].
    pub(super) fn merged(&self) -> BTreeMap<String, (PodSetting, Source)> {
        let of_names = self.names.iter().flat_map(Name::pods);
        let mut merged = BTreeMap::new();
        // What the rules ask of these was checked when they were put, or set.
        let complete = |pod: PodSetting| self.rules.complete(pod, variable).ok();
        let put = self.put.values().cloned().filter_map(complete);
        let all = (put.map(|pod| (pod, Source::Admin)))
            .chain(self.settings.iter().cloned().map(|pod| (pod, Source::Settings)))
            .chain(self.file.iter().cloned().map(|pod| (pod, Source::File)))
            .chain(of_names.filter_map(complete).map(|pod| (pod, Source::Dns)));
        for (pod, source) in all {
            merged.entry(pod.name.clone()).or_insert((pod, source));
        }
        merged
    }

    /// The file was read.
    ///
    /// # Errors
    /// It cannot be read, or is wrong. What it said before counts.
    pub(super) fn file(&mut self, text: io::Result<String>) -> Result<(), SettingsError> {
        let read = match text {
            Ok(text) if self.text.as_ref() == Some(&text) => return Ok(()),
            Ok(text) => {
                let read = read_pods(&text, &self.rules);
                self.text = Some(text);
                read
            }
            Err(error) => {
                // When it comes back it is read again, changed or not.
                self.text = None;
                Err(SettingsError::Unreadable(error.to_string()))
            }
        };
        self.file_error = read.as_ref().err().map(|error| format!("the file of pods: {error}"));
        read.map(|pods| self.file = pods)
    }

    /// A name was resolved.
    pub(super) fn resolved(&mut self, now: Tick, name: &str, port: u16, answer: io::Result<Vec<SocketAddr>>) {
        if let Some(name) = self.names.iter_mut().find(|it| it.awaits(name, port)) {
            name.answered(now, answer);
        }
    }

    /// An admin adds or takes away a pod.
    pub(super) fn put(&mut self, pod: PodSetting) -> Result<(), OrderError> {
        let pod = pod.checked()?;
        self.rules.complete(pod.clone(), variable)?;
        self.put.insert(pod.name.clone(), pod);
        Ok(())
    }

    pub(super) fn remove(&mut self, name: String) -> Result<(), OrderError> {
        if self.put.remove(&name).is_some() {
            return Ok(());
        }
        Err(match self.merged().get(&name) {
            Some((_, source)) => OrderError::Listed { name, source_name: source.name() },
            None => OrderError::NoSuchPod(name),
        })
    }

    /// What does not work, in words.
    pub(super) fn troubles(&self) -> Vec<String> {
        let names = self.names.iter().filter_map(Name::error).map(str::to_owned);
        self.file_error.iter().cloned().chain(names).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SettingsFile;

    fn sources(toml: &str) -> Sources {
        Sources::new(&Settings::new(SettingsFile::parse(toml).unwrap(), |_| None).unwrap())
    }

    const LISTED: &str = "[[pods]]\nname = \"a\"\nurl = \"http://1.1.1.1\"\n";

    fn all(sources: &Sources) -> Vec<(String, String, Source)> {
        sources.merged().into_iter().map(|(name, (pod, source))| (name, pod.url, source)).collect()
    }

    fn pod(name: &str, url: &str, source: Source) -> (String, String, Source) {
        (name.into(), url.into(), source)
    }

    #[test]
    fn of_pods_with_one_name_the_first_source_counts() {
        let mut sources = sources(&format!("{LISTED}[discovery]\nfile = \"x\""));
        let file =
            "[[pods]]\nname=\"a\"\nurl=\"http://2.2.2.2\"\n[[pods]]\nname=\"b\"\nurl=\"http://2.2.2.2\"";
        sources.file(Ok(file.into())).unwrap();
        sources.put(PodSetting::new("b", "http://3.3.3.3/")).unwrap();
        let both = [pod("a", "http://1.1.1.1", Source::Settings), pod("b", "http://3.3.3.3", Source::Admin)];
        assert_eq!(all(&sources), both);
        sources.remove("b".into()).unwrap();
        assert_eq!(all(&sources)[1], pod("b", "http://2.2.2.2", Source::File));
        let listed = OrderError::Listed { name: "b".into(), source_name: "file" };
        assert_eq!(sources.remove("b".into()), Err(listed));
        assert_eq!(sources.remove("c".into()), Err(OrderError::NoSuchPod("c".into())));
    }

    #[test]
    fn a_broken_file_keeps_what_it_said_and_says_so() {
        let mut sources = sources("[discovery]\nfile = \"x\"");
        sources.file(Ok(LISTED.into())).unwrap();
        for broken in [Ok("pods".to_owned()), Ok(format!("{LISTED}{LISTED}")), Err(io::Error::other("gone"))]
        {
            sources.file(broken).unwrap_err();
            assert_eq!(all(&sources), [pod("a", "http://1.1.1.1", Source::File)]);
            assert_eq!(sources.troubles().len(), 1);
        }
        sources.file(Ok(String::new())).unwrap();
        assert_eq!((all(&sources), sources.troubles()), (vec![], vec![]));
    }

    #[test]
    fn with_a_queue_no_pod_is_without_a_limit() {
        let mut sources = sources("[discovery]\nstart_empty = true\n[queue]\ndiscipline = \"fcfs\"");
        let unlimited = PodSetting::new("a", "http://1.1.1.1");
        assert!(matches!(sources.put(unlimited.clone()), Err(OrderError::Setting(_))));
        sources.put(PodSetting { max_running: Some(1), ..unlimited }).unwrap();
    }
}
