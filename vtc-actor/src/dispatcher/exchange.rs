//! The dispatcher's part in an exchange with other replicas.

use std::collections::HashMap;
use std::sync::Arc;

use actix::{Context, Handler, MessageResult};
use vtc_core::Clock;
use vtc_core::queue::QueueNews;

use super::DispatcherActor;
use super::news::{Export, Heard, Import, News, PoolNews};
use super::pool::Pool;

/// What this replica goes by in an exchange, once there is one.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The name that it is known by.
    replica: Option<Arc<str>>,
    /// How many times it has told news.
    revision: u64,
    /// Pools that were forgotten since.
    forgotten: Vec<Arc<str>>,
    /// The replicas of which everything has to be read, as a pool is new here.
    missing: Vec<Arc<str>>,
}

/// What is read of another replica.
enum Read<'a> {
    Gone,
    News { whole: bool, pools: HashMap<&'a str, Option<&'a QueueNews>> },
}

// === impl Exchange ===

impl Exchange {
    /// A pool is new. What others told of it before was not kept.
    pub(super) fn opened<'a>(&mut self, known: impl Iterator<Item = &'a Arc<str>>) {
        self.missing = known.cloned().collect();
    }

    /// A pool is forgotten.
    pub(super) fn forgot(&mut self, pool: &Arc<str>) {
        if self.replica.is_some() {
            self.forgotten.push(Arc::clone(pool));
        }
    }
}

impl<C: Clock> Handler<Export> for DispatcherActor<C> {
    type Result = MessageResult<Export>;

    fn handle(&mut self, Export { replica, whole }: Export, _: &mut Context<Self>) -> Self::Result {
        let now = self.now();
        self.exchange.replica = Some(replica);
        self.exchange.revision += 1;
        let revision = self.exchange.revision;
        let forgotten = std::mem::take(&mut self.exchange.forgotten).into_iter();
        let forgotten = forgotten.filter(|pool| !self.by_name.contains_key(pool));
        let mut pools: Vec<_> =
            forgotten.map(|pool| PoolNews { pool: (&*pool).into(), queue: None }).collect();
        for pool in self.pools.values_mut() {
            pool.read_meters(now, self.config.meter_age, &mut self.fleet);
            pools.extend(pool.news(revision, whole));
        }
        MessageResult(News { revision, whole, pools, pods: self.fleet.news(whole) })
    }
}

impl<C: Clock> Handler<Import> for DispatcherActor<C> {
    type Result = Vec<Arc<str>>;

    fn handle(&mut self, Import(heard): Import, ctx: &mut Context<Self>) -> Self::Result {
        let mut missing = std::mem::take(&mut self.exchange.missing);
        let mut read = Vec::new();
        for (from, heard) in &heard {
            match heard {
                Heard::Gone => {
                    self.fleet.lose(from);
                    read.push((&**from, Read::Gone));
                }
                Heard::News(news) if self.fleet.hear(from, news) => {
                    missing.retain(|replica| !news.whole || replica != from);
                    read.push((&**from, Read::of(news)));
                }
                // Old ones.
                Heard::News(_) if self.fleet.knows(from) => {}
                Heard::News(_) => missing.push(Arc::clone(from)),
            }
        }
        for pool in self.pools.values_mut() {
            let heard = read.iter().filter_map(|(from, read)| Some((*from, read.of_pool(&pool.name)?)));
            pool.queue.import(heard);
            if let Some(replica) = &self.exchange.replica {
                pool.deal(replica, &self.fleet);
            }
        }
        self.dispatch(self.pools.keys().copied().collect(), self.now(), ctx);
        missing.dedup();
        missing
    }
}

// === impl Read ===

impl<'a> Read<'a> {
    fn of(news: &'a News) -> Self {
        let pools = news.pools.iter().map(|news| (&*news.pool, news.queue.as_ref()));
        Self::News { whole: news.whole, pools: pools.collect() }
    }

    /// What is said of that pool, if anything: `None` inside, that it is no more.
    fn of_pool(&self, pool: &str) -> Option<Option<&'a QueueNews>> {
        match self {
            Self::Gone => Some(None),
            Self::News { whole, pools } => pools.get(pool).copied().or(whole.then_some(None)),
        }
    }
}

// === impl Pool ===

impl<C: Clock> Pool<C> {
    /// What has changed since the last time; `None` if nothing has.
    fn news(&mut self, revision: u64, whole: bool) -> Option<PoolNews> {
        let queue = QueueNews { revision, ..self.queue.export(whole) };
        let told = (queue.alone, queue.level, queue.dispatched);
        let is_news =
            whole || self.told != Some(told) || !queue.users.is_empty() || !queue.forgotten.is_empty();
        self.told = Some(told);
        is_news.then(|| PoolNews { pool: (&*self.name).into(), queue: Some(queue) })
    }
}
