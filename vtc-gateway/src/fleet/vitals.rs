//! What requests find out about a pod, and what it says of itself: shared by all who send requests and the one who keeps the
//! pods.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::mpsc::UnboundedSender;
use vtc_core::{Clock, CoarseClock, Pod};

use super::breaker::{Breaker, BreakerState};
use super::load::PodLoad;
use super::news::News;
use crate::lock::Lock;
use crate::metrics;
use crate::settings::BreakerSetting;

/// A pod's vital signs. As long as the pod keeps its name and its place, they are the same in every fleet.
#[derive(Debug)]
pub struct Vitals {
    pod: Arc<Pod>,
    breaker: Lock<Breaker>,
    load: ArcSwapOption<PodLoad>,
    clock: CoarseClock,
    news: UnboundedSender<News>,
}

/// The place of the one request that a half open breaker lets through. Dropping it gives it to the next.
#[derive(Debug)]
pub(crate) struct Probe {
    vitals: Arc<Vitals>,
    number: u64,
}

// === impl Vitals ===

impl Vitals {
    pub(super) fn new(
        pod: Arc<Pod>,
        setting: BreakerSetting,
        clock: CoarseClock,
        news: UnboundedSender<News>,
    ) -> Self {
        Self { pod, breaker: Lock::new(Breaker::new(setting)), load: ArcSwapOption::empty(), clock, news }
    }

    /// The pod.
    #[must_use]
    pub fn pod(&self) -> &Arc<Pod> {
        &self.pod
    }

    /// What it last said of its load, if it says anything.
    #[must_use]
    pub fn load(&self) -> Option<Arc<PodLoad>> {
        self.load.load_full()
    }

    /// It has said this of its load. Says whether that is new.
    pub(super) fn set_load(&self, load: Option<PodLoad>) -> bool {
        let before = self.load.swap(load.map(Arc::new));
        before.as_deref() != load.as_ref()
    }

    /// It answered a request.
    pub(crate) fn succeeded(&self) {
        if self.turned(|breaker, now| breaker.succeeded(now)) == Some(BreakerState::Closed) {
            tracing::info!(pod = self.pod.name(), "a pod answers again: its breaker closes");
            self.tell(News::Recovered { pod: self.pod.name().into() });
        }
    }

    /// It failed a request; `is_away`: nobody was there.
    pub(crate) fn failed(&self, is_away: bool) {
        let dice = fastrand::f64();
        if self.turned(|breaker, now| breaker.failed(now, dice)) == Some(BreakerState::Open) {
            tracing::warn!(pod = self.pod.name(), "a pod fails requests: its breaker opens");
            metrics::breaker_opened();
        }
        self.tell(News::Failed { pod: self.pod.name().into(), is_away });
    }

    pub(super) fn breaker<R>(&self, look: impl FnOnce(&mut Breaker) -> R) -> R {
        self.breaker.with(look)
    }

    /// The place of the one request that a half open breaker lets through, if it is free.
    pub(super) fn claim(self: &Arc<Self>) -> Option<Probe> {
        let number = self.breaker.with(|breaker| breaker.claim(self.clock.now()))?;
        Some(Probe { vitals: Arc::clone(self), number })
    }

    /// How the breaker stands after this, if it stands otherwise than before.
    fn turned(&self, act: impl FnOnce(&mut Breaker, vtc_core::Tick)) -> Option<BreakerState> {
        let now = self.clock.now();
        self.breaker.with(|breaker| {
            let before = breaker.state(now);
            act(breaker, now);
            Some(breaker.state(now)).filter(|after| *after != before)
        })
    }

    fn tell(&self, news: News) {
        // Nobody listens any more when the gateway ends.
        let _ = self.news.send(news);
    }
}

// === impl Probe ===

impl Probe {
    pub(crate) fn pod(&self) -> &Arc<Pod> {
        &self.vitals.pod
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.vitals.breaker.with(|breaker| breaker.release(self.number));
    }
}
