//! All pods as the one who keeps them knows them: who is there, who is trusted. Told of each thing that happens, it says
//! whether requests are to go otherwise than before. It asks nobody, and the time is an argument.

use actix_web::http::header::HeaderValue;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use vtc_core::{CoarseClock, Pod, Tick};

use super::breaker::BreakerState;
use super::health::Health;
use super::load::PodLoad;
use super::news::News;
use super::slow_start::Ramp;
use super::sources::Source;
use super::vitals::Vitals;
use super::{Backend, Fleet, Report};
use crate::settings::{HealthSetting, PodSetting};

/// The pods.
#[derive(Debug)]
pub(super) struct Roster {
    setting: HealthSetting,
    clock: CoarseClock,
    news: UnboundedSender<News>,
    entries: BTreeMap<String, Entry>,
    /// Pods that are not there any more but still run something: one that comes back keeps its count.
    gone: HashMap<String, Weak<Pod>>,
    /// Whether the pods of the start have all been asked: those that come later start slowly.
    has_begun: bool,
}

#[derive(Debug)]
struct Entry {
    setting: PodSetting,
    source: Source,
    vitals: Arc<Vitals>,
    health: Health,
    report: Report,
    is_draining: bool,
    ramp: Option<Ramp>,
    /// Whether it has been asked before: the first answer is news, whatever it is.
    was_asked: bool,
    is_asked: bool,
    /// A request failed there since it last answered.
    is_suspect: bool,
    /// How its breaker stood in the last fleet.
    shown: BreakerState,
    /// When it is asked for its metrics again.
    scrape: Tick,
}

/// A pod that is to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) pod: Box<str>,
    pub(super) url: String,
    /// What it is shown of the gateway.
    pub(super) authorization: Option<HeaderValue>,
    /// Whether also for its metrics.
    pub(super) scrape: bool,
}

/// A pod that offers no metrics is asked for them again after that time: it may have been replaced by one that does.
const SCRAPE_AGAIN: Duration = Duration::from_secs(300);

// === impl Roster ===

impl Roster {
    pub(super) fn new(setting: HealthSetting, clock: CoarseClock, news: UnboundedSender<News>) -> Self {
        Self { setting, clock, news, entries: BTreeMap::new(), gone: HashMap::new(), has_begun: false }
    }

    /// What counts from now on of checks and breakers. If pods are not to be asked for their metrics any more, what they
    /// said is forgotten: of these pods.
    pub(super) fn set(&mut self, setting: HealthSetting) -> Vec<Box<str>> {
        self.setting = setting;
        let (breaker, scrape) = (self.setting.breaker, self.setting.scrape);
        let mut forgotten = Vec::new();
        for (name, entry) in &mut self.entries {
            entry.vitals.breaker(|it| it.set(breaker));
            if scrape {
                entry.scrape = Tick::ZERO;
            } else if entry.vitals.set_load(None) {
                forgotten.push(name.as_str().into());
            }
        }
        forgotten
    }

    /// The pods of the start have been asked.
    pub(super) fn begin(&mut self) {
        self.has_begun = true;
    }

    /// These are the pods from now on. One that keeps its name and its place is the same as before; one that comes back
    /// under its name has its count, and is not trusted yet.
    pub(super) fn follow(&mut self, pods: BTreeMap<String, (PodSetting, Source)>) -> bool {
        let mut changed = false;
        let leaves =
            |name: &str, entry: &Entry| pods.get(name).is_none_or(|(pod, _)| pod.url != entry.setting.url);
        let left: Vec<_> = self.entries.extract_if(.., |name, entry| leaves(name, entry)).collect();
        for (name, entry) in left {
            changed = true;
            tracing::info!(pod = name, url = entry.setting.url, "a pod is gone");
            self.gone.insert(name, Arc::downgrade(entry.vitals.pod()));
        }
        for (name, (setting, source)) in pods {
            if let Some(entry) = self.entries.get_mut(&name) {
                changed |= entry.setting != setting || entry.source != source;
                (entry.setting, entry.source) = (setting, source);
                continue;
            }
            changed = true;
            let pod =
                self.gone.remove(&name).and_then(|pod| pod.upgrade()).unwrap_or_else(|| Pod::new(&name));
            let vitals = Arc::new(Vitals::new(pod, self.setting.breaker, self.clock, self.news.clone()));
            self.entries.insert(name, Entry::new(setting, source, vitals));
        }
        self.gone.retain(|_, pod| pod.strong_count() > 0);
        changed
    }

    /// Everybody who is to be asked now: all who are not being asked.
    pub(super) fn ask_all(&mut self, now: Tick) -> Vec<Question> {
        let scrapes = self.setting.scrape;
        let ask = |(name, entry): (&String, &mut Entry)| entry.ask(name, scrapes && entry.scrape <= now);
        self.entries.iter_mut().filter_map(ask).collect()
    }

    /// Those who have never been asked are to be asked now.
    pub(super) fn ask_new(&mut self) -> Vec<Question> {
        let scrape = self.setting.scrape;
        let new = self.entries.iter_mut().filter(|(_, entry)| !entry.was_asked);
        new.filter_map(|(name, entry)| entry.ask(name, scrape)).collect()
    }

    /// That pod is to be asked now, unless it is being asked.
    pub(super) fn ask(&mut self, name: &str) -> Option<Question> {
        self.entries.get_mut(name)?.ask(name, false)
    }

    /// Whether somebody is being asked.
    pub(super) fn is_asking(&self) -> bool {
        self.entries.values().any(|entry| entry.is_asked)
    }

    /// A pod was asked at that URL.
    pub(super) fn checked(
        &mut self,
        now: Tick,
        name: &str,
        url: &str,
        outcome: Result<Report, String>,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(name).filter(|entry| entry.setting.url == url) else {
            return false;
        };
        let is_first = !std::mem::replace(&mut entry.was_asked, true);
        entry.is_asked = false;
        match outcome {
            Ok(report) => {
                let was_suspect = std::mem::take(&mut entry.is_suspect);
                let is_new = entry.report != report;
                entry.report = report;
                let has_come = entry.health.answered(&self.setting);
                if has_come {
                    tracing::info!(pod = name, url, "a pod is ready");
                    self.start_slowly(now, name);
                }
                has_come || was_suspect || is_new
            }
            // It keeps what it last said: its models are known, though nobody serves them.
            Err(reason) => {
                let has_gone = entry.health.missed(&self.setting);
                if has_gone || is_first {
                    tracing::warn!(pod = name, url, %reason, "a pod is not ready");
                }
                has_gone
            }
        }
    }

    /// A pod was asked for its metrics at that URL. Says whether what it says is new.
    pub(super) fn scraped(&mut self, now: Tick, name: &str, url: &str, load: Option<PodLoad>) -> bool {
        let Some(entry) = self.entries.get_mut(name).filter(|entry| entry.setting.url == url) else {
            return false;
        };
        entry.scrape = if load.is_some() { now } else { now.saturating_add(SCRAPE_AGAIN) };
        entry.vitals.set_load(load)
    }

    /// What the pod of that name last said of its load.
    pub(super) fn load(&self, name: &str) -> Option<Arc<PodLoad>> {
        self.entries.get(name)?.vitals.load()
    }

    /// A request failed there; its breaker knows. While nothing changes by that, the queue, which knows as well, keeps it
    /// under suspicion until it answers a check.
    pub(super) fn failed(&mut self, now: Tick, name: &str, is_away: bool) -> bool {
        let Some(entry) = self.entries.get_mut(name) else { return false };
        entry.is_suspect = true;
        let has_gone = is_away && entry.health.away();
        if has_gone {
            tracing::warn!(pod = name, url = entry.setting.url, "a pod is not ready: nobody is there");
        }
        has_gone || entry.vitals.breaker(|breaker| breaker.state(now)) != entry.shown
    }

    /// Its breaker has closed.
    pub(super) fn recovered(&mut self, now: Tick, name: &str) -> bool {
        self.start_slowly(now, name);
        true
    }

    /// That pod gets no new requests, or gets them again. Says whether there is one.
    pub(super) fn drain(&mut self, now: Tick, name: &str, drain: bool) -> bool {
        let Some(entry) = self.entries.get_mut(name) else { return false };
        let before = std::mem::replace(&mut entry.is_draining, drain);
        if before && !drain {
            self.start_slowly(now, name);
        }
        true
    }

    /// The pods of now.
    pub(super) fn fleet(&mut self, now: Tick) -> Fleet {
        let backend = |entry: &mut Entry| {
            entry.ramp = entry.ramp.filter(|ramp| !ramp.is_over(now));
            entry.shown = entry.vitals.breaker(|breaker| breaker.state(now));
            Backend {
                url: entry.setting.url.clone(),
                authorization: entry.setting.authorization.clone(),
                capacity: entry.setting.capacity(),
                source: entry.source,
                ready: entry.health.is_ready(),
                draining: entry.is_draining,
                breaker: entry.shown,
                ramp: entry.ramp,
                report: entry.report.clone(),
                vitals: Arc::clone(&entry.vitals),
            }
        };
        Fleet::new(self.entries.values_mut().map(backend).collect())
    }

    /// When the fleet of `then` becomes another one by itself: a breaker becomes half open, a share has grown.
    pub(super) fn next_change(&self, then: Tick) -> Option<Tick> {
        let breakers =
            self.entries.values().filter_map(|entry| entry.vitals.breaker(|breaker| breaker.open_until()));
        let ramps = self.entries.values().filter_map(|entry| Some(entry.ramp?.next_step(then)));
        breakers.filter(|until| *until > then).chain(ramps).min()
    }

    /// A pod begins, or begins again: slowly, if another one that is at its full share serves one of its models. With
    /// nobody else there, nothing is won by giving it less.
    fn start_slowly(&mut self, now: Tick, name: &str) {
        let span = self.setting.slow_start;
        let Some(entry) = self.entries.get(name) else { return };
        let helps = |(other, it): (&String, &Entry)| {
            other != name && it.is_at_full_share(now) && it.shares_with(entry)
        };
        let starts = self.has_begun && !span.is_zero() && self.entries.iter().any(helps);
        if let Some(entry) = self.entries.get_mut(name) {
            entry.ramp = starts.then(|| Ramp::new(now, span));
        }
    }
}

// === impl Entry ===

impl Entry {
    fn new(setting: PodSetting, source: Source, vitals: Arc<Vitals>) -> Self {
        Self {
            setting,
            source,
            vitals,
            health: Health::default(),
            report: Report::default(),
            is_draining: false,
            ramp: None,
            was_asked: false,
            is_asked: false,
            is_suspect: false,
            shown: BreakerState::Closed,
            scrape: Tick::ZERO,
        }
    }

    fn ask(&mut self, name: &str, scrape: bool) -> Option<Question> {
        let was_asked = std::mem::replace(&mut self.is_asked, true);
        let question = || Question {
            pod: name.into(),
            url: self.setting.url.clone(),
            authorization: self.setting.authorization.clone(),
            scrape,
        };
        (!was_asked).then(question)
    }

    fn is_at_full_share(&self, now: Tick) -> bool {
        let takes =
            self.health.is_ready() && !self.is_draining && self.ramp.is_none_or(|ramp| ramp.is_over(now));
        takes && self.vitals.breaker(|breaker| breaker.state(now)) == BreakerState::Closed
    }

    /// Whether there is a request that both may serve.
    fn shares_with(&self, other: &Self) -> bool {
        let (Some(own), Some(others)) = (&self.report.models, &other.report.models) else { return true };
        own.iter().any(|model| others.iter().any(|it| it["id"] == model["id"]))
    }
}

#[cfg(test)]
mod tests;
