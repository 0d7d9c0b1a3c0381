//! The dispatcher's side: asking it for news, and telling it what was heard.

use std::sync::Arc;
use std::time::Duration;

use actix::WeakAddr;
use vtc_core::{Clock, Tick};

use super::outbox::Outbox;
use super::queue_rows::{TABLE, rows_of};
use super::row::Life;
use crate::dispatcher::{DispatcherActor, Export, Heard, Import, News};

/// Between a replica and the dispatcher whose queues it shares.
#[derive(Debug)]
pub struct Queues<C: Clock> {
    dispatcher: WeakAddr<DispatcherActor<C>>,
    replica: Arc<str>,
    /// Whether everything is to be said, not only what changed.
    says_all: bool,
    /// What was heard of others and the dispatcher was not told yet.
    heard: Vec<(Arc<str>, Heard)>,
    /// When it was told last.
    told_at: Option<Tick>,
}

/// A dispatcher that does not answer for so long is stuck. What it would have said is said with everything, later.
const PATIENCE: Duration = Duration::from_secs(1);

// === impl Queues ===

impl<C: Clock> Queues<C> {
    pub fn new(dispatcher: WeakAddr<DispatcherActor<C>>, replica: Arc<str>) -> Self {
        Self { dispatcher, replica, says_all: true, heard: Vec::new(), told_at: None }
    }

    /// Everything is to be said the next time.
    pub fn say_all(&mut self) {
        self.says_all = true;
    }

    /// Asks the dispatcher for its news, to be [put](Self::put); `None` if it is not there any more. `is_heard`: whether they
    /// can be said now. If not, they are asked for all the same, since the dispatcher counts exchanges by it.
    pub fn ask(&mut self, is_heard: bool) -> Option<impl Future<Output = Option<News>> + use<C>> {
        let dispatcher = self.dispatcher.upgrade()?;
        let whole = is_heard && std::mem::take(&mut self.says_all);
        let export = Export { replica: Arc::clone(&self.replica), whole };
        Some(async move { tokio::time::timeout(PATIENCE, dispatcher.send(export)).await.ok()?.ok() })
    }

    /// What the dispatcher said is to be said to the others. If it said nothing, or nothing can be said now, everything is
    /// to be said later.
    pub fn put(&mut self, news: Option<News>, outbox: &mut Outbox) {
        let Some(news) = news else {
            self.says_all = true;
            return;
        };
        if news.whole {
            outbox.replace(TABLE, Life::WhileHere);
        }
        for (key, value) in rows_of(&news) {
            outbox.put(TABLE, Life::WhileHere, &key, value);
        }
        // The rows of the users of a pool that is forgotten are not named: they go when the table is replaced.
        self.says_all |= news.pools.iter().any(|pool| pool.queue.is_none());
    }

    /// Something was heard of another replica.
    pub fn hear(&mut self, from: Arc<str>, heard: Heard) {
        self.heard.push((from, heard));
    }

    /// Whether the dispatcher was told nothing for longer than an exchange should take.
    pub fn is_kept_waiting(&self, now: Tick, interval: Duration) -> bool {
        self.told_at.is_some_and(|told| now.since(told) > interval * 3 / 2)
    }

    /// Tells the dispatcher what was heard since the last time, also if it is nothing; gives the replicas of which it has to
    /// hear everything. `None` if it is not there any more.
    pub fn tell(&mut self, now: Tick) -> Option<impl Future<Output = Vec<Arc<str>>> + use<C>> {
        let dispatcher = self.dispatcher.upgrade()?;
        self.told_at = Some(now);
        // Sent here, so that what is told comes in its order.
        let telling = dispatcher.send(Import(std::mem::take(&mut self.heard)));
        Some(async move { telling.await.unwrap_or_default() })
    }
}
