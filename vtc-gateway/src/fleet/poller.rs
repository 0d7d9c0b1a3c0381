//! Keeps the pods: looks where they come from, asks each how it is, hears what requests found out, and publishes what comes
//! of it. What is decided about pods is decided elsewhere; here is who is asked, and when.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::spawn;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use vtc_actor::dispatcher::PodReport;
use vtc_core::{Clock, CoarseClock, Tick};

use super::load::PodLoad;
use super::news::{Following, News, Order, OrderError};
use super::roster::{Question, Roster};
use super::sources::Sources;
use super::{FleetCell, ask};
use crate::admission::Admission;
use crate::metrics;
use crate::settings::{Settings, SettingsError};
use crate::upstream::{Manners, Upstream};

/// Keeps a [`FleetCell`] up to date, and the queue. There is one per gateway.
#[derive(Debug)]
pub struct Poller {
    cell: Arc<FleetCell>,
    admission: Arc<Admission>,
    roster: Roster,
    sources: Sources,
    manners: Arc<Manners>,
    health_path: Option<String>,
    interval: Duration,
    clock: CoarseClock,
    sender: UnboundedSender<News>,
    news: UnboundedReceiver<News>,
    /// Whether the file is being read.
    is_reading: bool,
    /// When the file is read and everybody is asked next.
    next_round: Tick,
    /// The moment that the published fleet is of.
    published: Tick,
    /// Whether requests are to go otherwise than the published fleet says.
    has_changed: bool,
    /// The pods that are new in it, maybe: the queue, which hears nothing of pods that it does not know, has to be told what
    /// they said.
    fresh: Vec<Box<str>>,
}

/// How long the start waits for a name to be resolved.
const FIRST_ANSWER: Duration = Duration::from_secs(5);

// === impl Poller ===

impl Poller {
    /// A poller of these pods, none of which is ready yet. `news`: what comes with the cell.
    #[must_use]
    pub(crate) fn new(
        settings: &Settings,
        cell: Arc<FleetCell>,
        news: UnboundedReceiver<News>,
        admission: Arc<Admission>,
        manners: Arc<Manners>,
    ) -> Self {
        let (clock, sender) = (cell.clock, cell.news.clone());
        Self {
            roster: Roster::new(settings.health.clone(), clock, sender.clone()),
            sources: Sources::new(settings),
            manners,
            health_path: settings.health.path.clone(),
            interval: settings.upstream.poll_interval,
            cell,
            admission,
            clock,
            sender,
            news,
            is_reading: false,
            next_round: Tick::ZERO,
            published: Tick::ZERO,
            has_changed: true,
            fresh: Vec::new(),
        }
    }

    /// Looks everywhere once, and asks every pod once.
    ///
    /// # Errors
    /// The file of pods is broken. A name that cannot be resolved is no error: it may be there later.
    pub(crate) async fn begin(&mut self, upstream: &Rc<Upstream>) -> Result<(), SettingsError> {
        if let Some(path) = &self.sources.path {
            self.sources.file(read(path.clone()).await)?;
        }
        for at in 0..self.sources.names.len() {
            let now = self.clock.now();
            let Some(name) = self.sources.names.get_mut(at) else { continue };
            name.ask(now);
            let (name, port) = (name.setting.name.clone(), name.setting.port);
            let answer = tokio::time::timeout(FIRST_ANSWER, resolve(name.clone(), port)).await;
            self.sources.resolved(now, &name, port, answer.unwrap_or_else(|late| Err(late.into())));
        }
        self.roster.follow(self.sources.merged());
        self.next_round = self.clock.now().saturating_add(self.interval);
        self.ask_all(upstream);
        while self.roster.is_asking() {
            // It holds a sender itself: there is always another to come.
            let Some(news) = self.news.recv().await else { break };
            self.hear(news, upstream).await;
        }
        self.roster.begin();
        self.publish().await;
        Ok(())
    }

    /// Goes on with it until it is dropped.
    pub(crate) async fn run(mut self, upstream: Rc<Upstream>) {
        loop {
            let pause = self.due().since(self.clock.now());
            if let Ok(Some(news)) = tokio::time::timeout(pause, self.news.recv()).await {
                self.hear(news, &upstream).await;
                // All that has happened meanwhile makes one new fleet.
                while let Ok(news) = self.news.try_recv() {
                    self.hear(news, &upstream).await;
                }
            }
            self.look(&upstream);
            let now = self.clock.now();
            self.has_changed |= self.roster.next_change(self.published).is_some_and(|at| at <= now);
            if self.has_changed {
                self.publish().await;
            }
        }
    }

    /// When there is something to do, if nothing happens.
    fn due(&self) -> Tick {
        let names = self.sources.names.iter().filter_map(|name| name.due());
        names
            .chain(self.roster.next_change(self.published))
            .chain([self.next_round])
            .min()
            .unwrap_or(self.next_round)
    }

    /// Does what it is time for.
    fn look(&mut self, upstream: &Rc<Upstream>) {
        let now = self.clock.now();
        for name in &mut self.sources.names {
            if name.ask(now) {
                let (name, port) = (name.setting.name.clone(), name.setting.port);
                self.sender.tell_when(async move {
                    let answer = resolve(name.clone(), port).await;
                    News::Resolved { name, port, answer }
                });
            }
        }
        if self.next_round > now {
            return;
        }
        self.next_round = now.saturating_add(self.interval);
        if let Some(path) = self.sources.path.clone().filter(|_| !self.is_reading) {
            self.is_reading = true;
            self.sender.tell_when(async move {
                let text = read(path.clone()).await;
                News::File { path, text }
            });
        }
        self.ask_all(upstream);
    }

    async fn hear(&mut self, news: News, upstream: &Rc<Upstream>) {
        let now = self.clock.now();
        match news {
            News::Failed { pod, is_away } => {
                self.has_changed |= self.roster.failed(now, &pod, is_away);
                if let Some(question) = self.roster.ask(&pod) {
                    self.ask(question, upstream);
                }
            }
            News::Recovered { pod } => self.has_changed |= self.roster.recovered(now, &pod),
            News::Checked { pod, url, outcome } => {
                if self.roster.checked(now, &pod, &url, outcome) {
                    self.has_changed = true;
                    self.fresh.push(pod);
                }
            }
            News::Scraped { pod, url, load } => {
                if self.roster.scraped(now, &pod, &url, load) {
                    self.admission.report(&pod, load.as_ref().map(PodLoad::report).unwrap_or_default()).await;
                }
            }
            // It is another file now.
            News::File { path, .. } if self.sources.path != Some(path.clone()) => {}
            News::File { text, .. } => {
                self.is_reading = false;
                let before = self.sources.troubles();
                if let Err(error) = self.sources.file(text) {
                    metrics::discovery_failed("file");
                    if self.sources.troubles() != before {
                        tracing::error!(%error, "the file of pods is broken: what it said before counts");
                    }
                }
                self.follow(upstream);
            }
            News::Resolved { name, port, answer } => {
                if answer.is_err() {
                    metrics::discovery_failed("dns");
                }
                self.sources.resolved(now, &name, port, answer);
                self.follow(upstream);
            }
            News::Settings(new, reply) => {
                let done = self.set(*new, upstream).await;
                let _ = reply.send(done);
            }
            News::Order(order, reply) => {
                let done = self.obey(order, now, upstream);
                if done.is_ok() {
                    // Whoever is told that it is done shall find it done.
                    self.publish().await;
                }
                let _ = reply.send(done);
            }
        }
    }

    /// These settings count from now on: all that they say of pods, or nothing.
    async fn set(&mut self, new: Following, upstream: &Rc<Upstream>) -> Result<(), SettingsError> {
        let Following { settings, manners, file } = new;
        self.sources.set(&settings, file)?;
        (self.manners, self.is_reading) = (manners, false);
        self.health_path.clone_from(&settings.health.path);
        self.interval = settings.upstream.poll_interval;
        self.next_round = self.next_round.min(self.clock.now().saturating_add(self.interval));
        self.cell.retries.with(|budget| budget.set(settings.health.retry_budget));
        for pod in self.roster.set(settings.health) {
            self.admission.report(&pod, PodReport::default()).await;
        }
        self.follow(upstream);
        self.publish().await;
        Ok(())
    }

    fn obey(&mut self, order: Order, now: Tick, upstream: &Rc<Upstream>) -> Result<(), OrderError> {
        let mut drain = |name: String, drain| {
            if self.roster.drain(now, &name, drain) { Ok(()) } else { Err(OrderError::NoSuchPod(name)) }
        };
        match order {
            Order::Drain(name) => return drain(name, true),
            Order::Undrain(name) => return drain(name, false),
            Order::Put(pod) => self.sources.put(pod)?,
            Order::Remove(name) => self.sources.remove(name)?,
        }
        self.follow(upstream);
        Ok(())
    }

    /// Has the roster know the pods of now, and asks those who are new.
    fn follow(&mut self, upstream: &Rc<Upstream>) {
        let troubles = self.sources.troubles();
        self.has_changed |= *self.cell.look().troubles() != troubles;
        if self.roster.follow(self.sources.merged()) {
            self.has_changed = true;
            let new = self.roster.ask_new();
            new.into_iter().for_each(|question| self.ask(question, upstream));
        }
    }

    fn ask_all(&mut self, upstream: &Rc<Upstream>) {
        let questions = self.roster.ask_all(self.clock.now());
        questions.into_iter().for_each(|question| self.ask(question, upstream));
    }

    fn ask(&self, Question { pod, url, authorization, scrape }: Question, upstream: &Rc<Upstream>) {
        let (health, upstream) = (self.health_path.clone(), upstream.with(&self.manners));
        if scrape {
            let (pod, url, key) = (pod.clone(), url.clone(), authorization.clone());
            let upstream = upstream.clone();
            self.sender.tell_when(async move {
                let load = ask::load(&upstream, &url, key.as_ref()).await;
                News::Scraped { pod, url, load }
            });
        }
        self.sender.tell_when(async move {
            let outcome = ask::check(&upstream, &url, authorization.as_ref(), health.as_deref()).await;
            News::Checked { pod, url, outcome }
        });
    }

    async fn publish(&mut self) {
        (self.published, self.has_changed) = (self.clock.now(), false);
        let fleet = self.roster.fleet(self.published).with_troubles(self.sources.troubles());
        // The queue first: whoever finds a model in the fleet shall find its pool.
        self.admission.follow(&self.cell.load(), &fleet).await;
        for pod in self.fresh.drain(..) {
            if let Some(load) = self.roster.load(&pod) {
                self.admission.report(&pod, load.report()).await;
            }
        }
        self.cell.current.store(Arc::new(fleet));
    }
}

/// Sends the news that comes of something, when it has come.
trait TellWhen {
    fn tell_when(&self, news: impl Future<Output = News> + 'static);
}

impl TellWhen for UnboundedSender<News> {
    fn tell_when(&self, news: impl Future<Output = News> + 'static) {
        let sender = self.clone();
        spawn(async move {
            // Nobody listens any more when the gateway ends.
            let _ = sender.send(news.await);
        });
    }
}

async fn resolve(name: String, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((name, port)).await?.collect())
}

/// Not by the thread that serves: the file may lie on a disk that is far away.
pub(super) async fn read(path: PathBuf) -> std::io::Result<String> {
    tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await?
}
