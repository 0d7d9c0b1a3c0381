//! A round trip in Redis's words, and its reply out of them.

use std::sync::Arc;
use std::time::Duration;

use redis::{Pipeline, RedisError, Value, from_redis_value};

use super::exchange::{Bounds, Log, Place, Reply, Trip};
use super::inbox::{Found, Wanted};
use super::keys::Keys;
use super::outbox::{MOST_NUMBERS, Writing};
use super::row::{Row, Rows, UnreadableEntry};

/// A trip as commands.
#[derive(Debug)]
pub struct Commands {
    /// The commands, each with a reply of its own.
    pub pipeline: Pipeline,
    /// Bytes of the log's entry.
    pub bytes: u64,
}

/// Whether an entry is in the log, without sending it.
const IS_THERE: &str = "return #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])";

/// A reply that is none.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// Redis refused, or the connection broke.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// Redis replied something else than was asked: does another program use these keys?
    #[error("Redis replied something unexpected to {0}: use a prefix that nothing else uses")]
    Unexpected(&'static str),
    /// What was to be written cannot be put into bytes.
    #[error(transparent)]
    Entry(#[from] UnreadableEntry),
}

/// The replies to a pipeline, one after the other.
struct Replies(std::vec::IntoIter<Value>);

type StreamEntry = (String, Vec<Vec<u8>>);

// === impl Commands ===

impl Commands {
    /// For that trip. `time`: Redis's clock, in milliseconds, as it was last heard.
    pub fn new(trip: &Trip, keys: &Keys, bounds: &Bounds, time: u64) -> Result<Self, ReplyError> {
        let Bounds { longest_silence: here, log, .. } = *bounds;
        let mut commands = Self { pipeline: redis::pipe(), bytes: 0 };
        let pipeline = &mut commands.pipeline;
        pipeline.cmd("TIME");
        if let Some(writing) = &trip.write {
            let entry = writing.entry.to_bytes()?;
            commands.bytes = entry.len() as u64;
            pipeline.cmd("MULTI");
            write_rows(pipeline, writing, keys, here, time);
            let key = keys.log();
            let since = time.saturating_sub(millis(log));
            pipeline.cmd("XADD").arg(&key).arg("MINID").arg("~").arg(since).arg("*").arg("e").arg(entry);
            pipeline.cmd("PEXPIRE").arg(&key).arg(millis(log * 2));
            let key = keys.numbers(&writing.entry.from);
            pipeline.cmd("RPUSH").arg(&key).arg(writing.entry.number);
            pipeline.cmd("LTRIM").arg(&key).arg(-(MOST_NUMBERS as i64)).arg(-1);
            pipeline.cmd("PEXPIRE").arg(&key).arg(millis(here));
            pipeline.cmd("LRANGE").arg(&key).arg(-(writing.look_back as i64)).arg(-1);
            pipeline.cmd("EXEC");
        }
        for wanted in &trip.wanted {
            match wanted {
                Wanted::Tables(id) => {
                    pipeline.cmd("LINDEX").arg(keys.numbers(id)).arg(-1);
                    pipeline.cmd("SMEMBERS").arg(keys.tables(id));
                }
                Wanted::Table(id, table) => {
                    let key = keys.rows(id, table);
                    pipeline.cmd("HGETALL").arg(&key);
                    pipeline.cmd("PTTL").arg(&key);
                }
            }
        }
        match trip.log {
            Log::End => {
                pipeline.cmd("XREVRANGE").arg(keys.log()).arg("+").arg("-").arg("COUNT").arg(1);
                pipeline.cmd("ZRANGE").arg(keys.replicas()).arg(0).arg(-1);
            }
            Log::Behind(Place { millis, number }, most) => {
                let place = format!("{millis}-{number}");
                pipeline.cmd("EVAL").arg(IS_THERE).arg(1).arg(keys.log()).arg(&place);
                pipeline.cmd("XREAD").arg("COUNT").arg(most).arg("STREAMS").arg(keys.log()).arg(place);
            }
        }
        Ok(commands)
    }
}

fn write_rows(
    pipeline: &mut Pipeline,
    Writing { entry, keep, ended, longest, .. }: &Writing,
    keys: &Keys,
    here: Duration,
    time: u64,
) {
    let id = &*entry.from;
    for Rows { table, left, whole, rows } in &entry.tables {
        let key = keys.rows(id, table);
        if *whole {
            pipeline.cmd("UNLINK").arg(&key);
        }
        let (set, removed): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.value.is_some());
        if !set.is_empty() {
            let command = pipeline.cmd("HSET").arg(&key);
            for row in set {
                command.arg(&*row.key).arg(row.value.as_deref().unwrap_or_default());
            }
        }
        if !removed.is_empty() {
            let command = pipeline.cmd("HDEL").arg(&key);
            for row in removed {
                command.arg(&*row.key);
            }
        }
        pipeline.cmd("PEXPIRE").arg(&key).arg(millis(*left));
    }
    for table in keep {
        pipeline.cmd("PEXPIRE").arg(keys.rows(id, table)).arg(millis(here));
    }
    let tables = keys.tables(id);
    if !entry.tables.is_empty() {
        let names: Vec<&str> = entry.tables.iter().map(|rows| &*rows.table).collect();
        pipeline.cmd("SADD").arg(&tables).arg(names);
    }
    if !ended.is_empty() {
        let names: Vec<&str> = ended.iter().map(AsRef::as_ref).collect();
        pipeline.cmd("SREM").arg(&tables).arg(names);
    }
    pipeline.cmd("PEXPIRE").arg(&tables).arg(millis(*longest));
    let replicas = keys.replicas();
    pipeline.cmd("ZADD").arg(&replicas).arg(time.saturating_add(millis(*longest))).arg(id);
    pipeline.cmd("ZREMRANGEBYSCORE").arg(&replicas).arg("-inf").arg(time);
}

/// At least one: with 0, Redis would take the key away.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 53)
}

/// The reply to that trip.
pub fn reply(trip: &Trip, values: Vec<Value>) -> Result<Reply, ReplyError> {
    let mut replies = Replies(values.into_iter());
    let (seconds, micros): (u64, u64) = replies.take("TIME")?;
    let mut reply =
        Reply { micros: seconds.saturating_mul(1_000_000).saturating_add(micros), ..Reply::default() };
    if trip.write.is_some() {
        reply.written = Some(replies.written()?);
    }
    for wanted in &trip.wanted {
        reply.found.push(replies.found(wanted)?);
    }
    match trip.log {
        Log::End => {
            let last: Vec<StreamEntry> = replies.take("XREVRANGE")?;
            reply.end = match last.first() {
                Some((place, _)) => place_of(place)?,
                None => Place::default(),
            };
            reply.members = replies.names("ZRANGE")?;
        }
        Log::Behind(..) => {
            reply.goes_on = replies.take::<u64>("EVAL")? > 0;
            let streams: Option<Vec<(String, Vec<StreamEntry>)>> = replies.take("XREAD")?;
            for (place, fields) in streams.into_iter().flatten().flat_map(|(_, entries)| entries) {
                // The one field's value.
                let entry = fields.into_iter().nth(1).ok_or(ReplyError::Unexpected("XREAD"))?;
                reply.entries.push((place_of(&place)?, entry));
            }
        }
    }
    Ok(reply)
}

/// `millis-number`.
fn place_of(text: &str) -> Result<Place, ReplyError> {
    let parsed = text.split_once('-').and_then(|(millis, number)| {
        Some(Place { millis: millis.parse().ok()?, number: number.parse().ok()? })
    });
    parsed.ok_or(ReplyError::Unexpected("the place of an entry"))
}

// === impl Replies ===

impl Replies {
    fn value(&mut self, to: &'static str) -> Result<Value, ReplyError> {
        self.0.next().ok_or(ReplyError::Unexpected(to))
    }

    fn take<T: redis::FromRedisValue>(&mut self, to: &'static str) -> Result<T, ReplyError> {
        from_redis_value(self.value(to)?).map_err(|_| ReplyError::Unexpected(to))
    }

    fn names(&mut self, to: &'static str) -> Result<Vec<Arc<str>>, ReplyError> {
        let names: Vec<String> = self.take(to)?;
        Ok(names.into_iter().map(Arc::from).collect())
    }

    /// A transaction's replies: to its commands when they were queued, and to all of them when they were carried out. The last
    /// of those tells what became of the writing.
    fn written(&mut self) -> Result<Vec<u64>, ReplyError> {
        loop {
            let Value::Array(mut done) = self.value("EXEC")? else { continue };
            let numbers = done.pop().and_then(|numbers| from_redis_value(numbers).ok());
            return numbers.ok_or(ReplyError::Unexpected("LRANGE"));
        }
    }

    fn found(&mut self, wanted: &Wanted) -> Result<Found, ReplyError> {
        match wanted {
            Wanted::Tables(_) => {
                let number = self.take("LINDEX")?;
                Ok(Found::Tables { number, tables: self.names("SMEMBERS")? })
            }
            Wanted::Table(..) => {
                let rows: Vec<(Vec<u8>, Vec<u8>)> = self.take("HGETALL")?;
                let left: i64 = self.take("PTTL")?;
                // Negative: there is no such key, or it never ends, which nobody here writes.
                let left = u64::try_from(left).ok().map(Duration::from_millis);
                let row =
                    |(key, value): (Vec<u8>, Vec<u8>)| Row { key: key.into(), value: Some(value.into()) };
                let rows = rows.into_iter().map(row).collect();
                Ok(Found::Table { left, rows })
            }
        }
    }
}
