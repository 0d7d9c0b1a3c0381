//! The actor: round after round, what changed here goes out and what changed elsewhere comes in.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, AsyncContext, Context};
use tokio::sync::watch;
use vtc_core::{Charged, Clock, CoarseClock, ConfigError, Router, Tokens};

use super::charge_rows::{bucket_of, charge_of, table_of, value_of};
use super::config::ReplicaConfig;
use super::elsewhere::Elsewhere;
use super::exchange::{Exchange, Followed, Reply, Trip};
use super::inbox::Heard;
use super::link::{Link, LinkError};
use super::metrics;
use super::queue_rows;
use super::queues::Queues;
use super::row::{Life, Rows};
use super::servers::RedisServers;
use super::status::ReplicaStatus;
use crate::dispatcher::{self, DispatcherHandle, News};

/// Exchanges what one router's tracker counts with the replicas that share a Redis. See the [module](super).
///
/// It lives as long as an address of it does: a [`ReplicaHandle`](super::ReplicaHandle) holds one.
pub struct ReplicaActor<C: Clock = CoarseClock> {
    router: Arc<Router<C>>,
    id: Arc<str>,
    interval: Duration,
    queues: Option<Queues<C>>,
    exchange: Exchange,
    elsewhere: Elsewhere,
    /// Away while it makes a trip.
    link: Option<Link>,
    /// Whether everything is to be said, not only what changed.
    says_all: bool,
    /// How often in a row there was no reply.
    failures: u32,
    status: watch::Sender<ReplicaStatus>,
}

/// The longest pause between two attempts to reach Redis.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

// === impl ReplicaActor ===

impl<C: Clock> ReplicaActor<C> {
    /// A replica that shares what that router's tracker counts, to be started by one of the functions of [`Actor`].
    ///
    /// # Errors
    /// The first setting that is not allowed.
    pub fn new(
        router: Arc<Router<C>>,
        servers: &RedisServers,
        config: &ReplicaConfig,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let link = Link::new(servers.clients()?, config);
        let id = fresh_id(&config.name)?;
        let (status, _) = watch::channel(ReplicaStatus::new(Arc::clone(&id)));
        Ok(Self {
            router,
            id: Arc::clone(&id),
            interval: config.interval,
            queues: None,
            exchange: Exchange::new(id, config.bounds()),
            elsewhere: Elsewhere::default(),
            link: Some(link),
            says_all: true,
            failures: 0,
            status,
        })
    }

    /// The same, which shares the queues of that dispatcher, too, and what runs on its pods.
    #[must_use]
    pub fn with_dispatcher(self, dispatcher: &DispatcherHandle<C>) -> Self {
        let queues = Queues::new(dispatcher.addr().downgrade(), Arc::clone(&self.id));
        Self { queues: Some(queues), ..self }
    }

    /// How it stands, now and whenever that changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<ReplicaStatus> {
        self.status.subscribe()
    }

    /// One round, and then the next.
    fn round(&mut self, ctx: &mut Context<Self>) {
        if !ctx.connected() {
            return;
        }
        let is_connected = self.link.as_ref().is_some_and(Link::is_connected);
        match self.queues.as_mut().filter(|_| is_connected).and_then(|queues| queues.ask(true)) {
            Some(asking) => {
                let told = wrap_future::<_, Self>(asking).map(|news, this, ctx| {
                    this.put_queues(news);
                    this.go(ctx);
                });
                ctx.spawn(told);
            }
            None => self.go(ctx),
        }
    }

    /// To Redis, and back.
    fn go(&mut self, ctx: &mut Context<Self>) {
        let Some(mut link) = self.link.take() else { return };
        // What changes while there is no connection is collected where it changes, and takes no room here.
        let trip = link.is_connected().then(|| self.trip());
        let going = async move {
            let made = match &trip {
                Some(trip) => link.make(trip).await.map(Some),
                None => link.connect().await.map(|()| None),
            };
            (link, trip, made)
        };
        let back = wrap_future::<_, Self>(going).map(|(link, trip, made), this, ctx| {
            this.link = Some(link);
            let pause = this.came_back(trip.as_ref(), made);
            this.tell_queues(ctx);
            ctx.run_later(pause, Self::round);
        });
        ctx.spawn(back);
    }

    /// What the dispatcher says goes to the others.
    fn put_queues(&mut self, news: Option<News>) {
        let Some(queues) = &mut self.queues else { return };
        queues.put(news, self.exchange.outbox());
    }

    /// What was heard of others goes to the dispatcher.
    fn tell_queues(&mut self, ctx: &mut Context<Self>) {
        let now = self.router.tracker().clock().now();
        let Some(telling) = self.queues.as_mut().and_then(|queues| queues.tell(now)) else { return };
        let told = wrap_future::<_, Self>(telling).map(|missing, this, _| {
            for id in missing {
                this.exchange.read_again(&id, queue_rows::TABLE);
            }
        });
        ctx.spawn(told);
    }

    /// The next trip, with what changed here.
    fn trip(&mut self) -> Trip {
        let now = self.router.tracker().clock().now();
        let outbox = self.exchange.outbox();
        let write = |Charged { user, bucket, amount, left }: Charged<'_>| {
            let value = (!amount.is_zero()).then(|| value_of(amount));
            outbox.put(&table_of(bucket), Life::Until(now.saturating_add(left)), user.as_bytes(), value);
        };
        if std::mem::take(&mut self.says_all) {
            self.router.tracker().export_all(write);
        } else {
            self.router.tracker().export_changes(write);
        }
        self.exchange.trip(now)
    }

    /// Takes in what came back; says how long to pause.
    fn came_back(&mut self, trip: Option<&Trip>, made: Result<Option<(Reply, u64)>, LinkError>) -> Duration {
        let now = self.router.tracker().clock().now();
        match (trip, made) {
            (Some(trip), Ok(Some((reply, bytes)))) => {
                self.failures = 0;
                let rows = trip.write.as_ref().map_or(0, |writing| {
                    writing.entry.tables.iter().map(|Rows { rows, .. }| rows.len() as u64).sum()
                });
                let bytes_in = reply.entries.iter().map(|(_, entry)| entry.len() as u64).sum();
                let Followed { heard, start_over, more } = self.exchange.replied(reply, now);
                self.says_all |= start_over;
                if let Some(queues) = self.queues.as_mut().filter(|_| start_over) {
                    queues.say_all();
                }
                let rows_in = self.hear(heard);
                self.tell_tracker();
                let (others, unreadable) =
                    (self.exchange.inbox().others(), self.exchange.inbox().unreadable());
                self.status.send_modify(|status| {
                    status.is_connected = true;
                    status.exchanged_at = Some(now);
                    status.others = others;
                    status.exchanges += 1;
                    status.rows_out += rows;
                    status.rows_in += rows_in;
                    status.bytes_out += bytes;
                    status.bytes_in += bytes_in;
                    status.rewrites += u64::from(start_over);
                    status.unreadable = unreadable;
                    status.error = None;
                });
                metrics::exchanged(rows, rows_in, bytes, bytes_in, start_over, others);
                if more || start_over { Duration::ZERO } else { self.interval }
            }
            // Connected: the first trip over that connection follows at once.
            (None, Ok(_)) | (_, Ok(None)) => Duration::ZERO,
            (_, Err(error)) => {
                let heard = self.exchange.failed(now);
                self.hear(heard);
                let others = self.exchange.inbox().others();
                self.status.send_modify(|status| {
                    status.is_connected = false;
                    status.others = others;
                    status.failures += 1;
                    status.error = Some(error.to_string().into());
                });
                metrics::failed(others);
                self.failures = self.failures.saturating_add(1);
                pause_after(self.failures, self.interval)
            }
        }
    }

    /// Takes in what was heard of others; says how many rows.
    fn hear(&mut self, heard: Vec<Heard>) -> u64 {
        let mut count = 0;
        for heard in heard {
            match heard {
                Heard::Rows { from, table, ends, whole, rows } => {
                    count += rows.len() as u64;
                    if let Some(bucket) = bucket_of(&table) {
                        let named = rows.iter().filter_map(charge_of);
                        self.elsewhere.hear(&from, bucket, ends, whole, named);
                    } else if let Some(queues) = self.queues.as_mut().filter(|_| &*table == queue_rows::TABLE)
                    {
                        queues.hear(from, dispatcher::Heard::News(queue_rows::news_of(&rows, whole)));
                    }
                }
                // What it charged counts until the window has passed it.
                Heard::Gone(id) => {
                    if let Some(queues) = &mut self.queues {
                        queues.hear(id, dispatcher::Heard::Gone);
                    }
                }
            }
        }
        count
    }

    /// Lets go of what is over, and tells the tracker of whoever changed. If Redis keeps a round waiting, the dispatcher goes
    /// on in step all the same: it counts the exchanges, and leaves nothing to others who do not take it.
    fn age(&mut self, ctx: &mut Context<Self>) {
        let now = self.router.tracker().clock().now();
        self.elsewhere.expire(now);
        self.tell_tracker();
        let exchanged_at = self.status.borrow().exchanged_at;
        metrics::age(exchanged_at.map(|at| now.since(at)));
        let interval = self.interval;
        let Some(queues) = self.queues.as_mut().filter(|queues| queues.is_kept_waiting(now, interval)) else {
            return;
        };
        let is_connected = self.status.borrow().is_connected;
        if let Some(asking) = queues.ask(is_connected) {
            let told = wrap_future::<_, Self>(asking).map(move |news, this, ctx| {
                // While there is no connection nothing is collected here; everything is said when there is one.
                this.put_queues(news.filter(|_| is_connected));
                this.tell_queues(ctx);
            });
            ctx.spawn(told);
        }
    }

    fn tell_tracker(&mut self) {
        let mut changed: Vec<(Box<str>, Tokens)> = Vec::new();
        self.elsewhere.take_changed(|user, amount| changed.push((user.into(), amount)));
        if changed.is_empty() {
            return;
        }
        self.router.tracker().set_elsewhere(changed.iter().map(|(user, amount)| (&**user, *amount)));
        let users = self.elsewhere.users();
        self.status.send_modify(|status| status.users_elsewhere = users);
    }
}

impl<C: Clock> Actor for ReplicaActor<C> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.interval, Self::age);
        self.round(ctx);
    }
}

impl<C: Clock> fmt::Debug for ReplicaActor<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicaActor").field("link", &self.link).finish_non_exhaustive()
    }
}

/// A name, and a number that nobody had before.
fn fresh_id(name: &str) -> Result<Arc<str>, ConfigError> {
    let number = getrandom::u64().map_err(|error| {
        let allowed = format!("a system with a source of random numbers ({error})");
        ConfigError::new("name", name, allowed)
    })?;
    Ok(format!("{name}-{number:016x}").into())
}

/// Longer after each failure in a row. The first attempt follows soon: most often it was the connection that broke.
fn pause_after(failures: u32, interval: Duration) -> Duration {
    let doubled = interval.saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled.min(LONGEST_PAUSE.max(interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_bound() {
        let interval = Duration::from_millis(100);
        let pauses: Vec<_> =
            [1, 2, 3, 9, u32::MAX].map(|failures| pause_after(failures, interval).as_millis()).into();
        assert_eq!(pauses, [100, 200, 400, 2000, 2000]);
        assert_eq!(pause_after(5, Duration::from_secs(10)), Duration::from_secs(10));
    }
}
