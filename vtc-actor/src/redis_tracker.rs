//! One authority: a tracker that lives in Redis.
//!
//! [`RedisTracker`] is a [`TokenTracker`] of which every operation is one round trip to Redis, where a script does it whole.
//! All who use one Redis, under one prefix, see each charge as soon as its call has returned.
//!
//! # Drawbacks first
//!
//! - **Every operation waits for the network**, and blocks its thread meanwhile: tens of microseconds on one machine, a
//!   millisecond through a data centre, up to the timeout if Redis is in trouble. [Replicas](crate::replica) keep the hot
//!   path in the process; this is four orders of magnitude slower.
//! - **Redis is one thread.** Some tens of thousands of operations a second are all there is for everybody together.
//! - **It needs Redis.** Without it each process sees what it has charged itself.
//! - **A charge whose trip failed is not repeated**: it may have been carried out. It is in this process's own counts alone,
//!   unless it was.
//! - **When many users' charges leave the window at a time**, whoever comes first takes them out: a million takes seconds.
//!
//! # When to take which
//!
//! | you want | take |
//! | --- | --- |
//! | routing or queueing at full speed, counts of others some 100 ms late | [`replica`](crate::replica) |
//! | to read or charge counts from something that is no gateway: a batch job, a script, a quota service | this |
//! | exact agreement before each decision, at some hundred decisions a second | this |
//! | to go on without Redis as if nothing had happened | [`replica`](crate::replica) |
//!
//! They do not see each other's counts.
//!
//! # What a failure gives
//!
//! A read that fails gives what this process itself has charged within the window: too little rather than nothing, so that
//! fairness goes on among the requests that come here. A charge that fails is `Ok`: nothing was wrong with it. Both are
//! counted ([`RedisTracker::failures`]), also by the counter `vtc_redis_tracker_failures_total`.

//!
//! # How to use it
//!
//! ```no_run
//! use vtc_actor::vtc_core::{TokenTracker, TrackerConfig};
//! use vtc_actor::{RedisServers, RedisTracker, RedisTrackerConfig};
//!
//! let servers = RedisServers::of_url("redis://redis.example.com:6379");
//! let tracker = RedisTracker::new(TrackerConfig::default(), &servers, &RedisTrackerConfig::default())?;
//! tracker.update_token_count("alice", 10.0, 20.0)?;
//! assert!(tracker.token_count("alice") >= 50.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use redis::{Client, Connection, FromRedisValue, RedisError, Script};
use tokio::sync::watch;
use vtc_core::{
    ConfigError, EmptyUser, SlidingWindowTracker, TokenTracker, Tokens, TrackerConfig, UpdateError,
};

use crate::replica::RedisServers;

/// How to talk to Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisTrackerConfig {
    /// What the names of all keys begin with, and their hash tag. Default `vtc-counts`.
    pub prefix: String,
    /// How long an operation waits for Redis, for a connection and for a reply; more than 0. Default 100 ms.
    pub timeout: Duration,
    /// How many connections are kept for the next operations; at least 1. Default 16. More operations at a time make
    /// connections of their own.
    pub connections: usize,
}

/// Counts users' tokens in Redis. See the [module](self).
pub struct RedisTracker {
    servers: Vec<Client>,
    idle: ArrayQueue<Connection>,
    timeout: Duration,
    keys: [String; 3],
    config: TrackerConfig,
    /// What this process charged: for when Redis is away.
    own: SlidingWindowTracker,
    charge: Script,
    count: Script,
    extremes: Script,
    trouble: watch::Sender<Trouble>,
}

#[derive(Clone, Debug, Default)]
struct Trouble {
    failures: u64,
    error: Option<String>,
    /// Which server is to be asked.
    turn: usize,
}

const FAILURES: &str = "vtc_redis_tracker_failures_total";

// === impl RedisTracker ===

impl RedisTracker {
    /// A tracker of that window, weights and bounds; connects when it is first used. All who share a prefix should have the
    /// same window and width. A window's buckets are counted by Redis's clock; `max_users` and `staleness` mean nothing
    /// here, as there is no bound but Redis's memory, and nothing is stale.
    ///
    /// # Errors
    /// The first setting that is not allowed.
    pub fn new(
        config: TrackerConfig,
        servers: &RedisServers,
        redis: &RedisTrackerConfig,
    ) -> Result<Self, ConfigError> {
        redis.validate()?;
        // Nobody keeps it up: each reader makes its own extremes.
        let exact = TrackerConfig { staleness: Duration::ZERO, ..config.clone() };
        let own = SlidingWindowTracker::builder().config(exact).build()?;
        let script = |text: &str| Script::new(&format!("{}{text}", include_str!("redis_tracker/common.lua")));
        Ok(Self {
            servers: servers.clients()?,
            idle: ArrayQueue::new(redis.connections),
            timeout: redis.timeout,
            keys: ["amounts", "places", "counts"].map(|name| format!("{{{}}}:{name}", redis.prefix)),
            config,
            own,
            charge: script(include_str!("redis_tracker/charge.lua")),
            count: script(include_str!("redis_tracker/count.lua")),
            extremes: script(include_str!("redis_tracker/extremes.lua")),
            trouble: watch::Sender::default(),
        })
    }

    /// How many operations failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.trouble.borrow().failures
    }

    /// What went wrong last.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.trouble.borrow().error.clone()
    }

    /// One trip; `None` if it failed. Which was then counted.
    fn run<T: FromRedisValue>(&self, script: &Script, words: &[&[u8]]) -> Option<T> {
        let failed = |error: RedisError| {
            metrics::counter!(FAILURES).increment(1);
            self.trouble.send_modify(|trouble| {
                trouble.failures += 1;
                trouble.error = Some(error.to_string());
                // The next operation asks the next server.
                trouble.turn += 1;
            });
        };
        self.try_to_run(script, words).map_err(failed).ok()
    }

    fn try_to_run<T: FromRedisValue>(&self, script: &Script, words: &[&[u8]]) -> Result<T, RedisError> {
        let mut connection = match self.idle.pop() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let width = u64::try_from(self.config.width().as_millis()).unwrap_or(u64::MAX);
        let buckets = self.config.span().as_nanos().div_ceil(self.config.width().as_nanos());
        let mut call = script.prepare_invoke();
        self.keys.iter().for_each(|key| {
            call.key(key);
        });
        call.arg(width).arg(u64::try_from(buckets).unwrap_or(u64::MAX));
        words.iter().for_each(|word| {
            call.arg(*word);
        });
        let reply = call.invoke(&mut connection)?;
        // One that failed is not used again: its reply may still come. And nobody needs one too many.
        drop(self.idle.push(connection));
        Ok(reply)
    }

    fn connect(&self) -> Result<Connection, RedisError> {
        let turn = self.trouble.borrow().turn;
        let connection = self.servers[turn % self.servers.len()].get_connection_with_timeout(self.timeout)?;
        connection.set_read_timeout(Some(self.timeout))?;
        connection.set_write_timeout(Some(self.timeout))?;
        Ok(connection)
    }

    /// The least and the most; `None` if Redis does not say.
    fn range(&self) -> Option<(f64, f64)> {
        let (least, most): (Option<f64>, Option<f64>) = self.run(&self.extremes, &[])?;
        let tokens =
            |units: Option<f64>, nobody: f64| units.map_or(nobody, |units| as_tokens(units).as_f64());
        Some((tokens(least, self.config.min_tokens), tokens(most, self.config.max_tokens)))
    }
}

impl TokenTracker for RedisTracker {
    fn token_count(&self, user: &str) -> f64 {
        if user.is_empty() {
            return 0.0;
        }
        let count: Option<f64> = self.run(&self.count, &[user.as_bytes()]);
        count.map_or_else(|| self.own.token_count(user), |units| as_tokens(units).as_f64())
    }

    fn update_token_count(
        &self,
        user: &str,
        input_tokens: f64,
        output_tokens: f64,
    ) -> Result<(), UpdateError> {
        if user.is_empty() {
            return Err(EmptyUser.into());
        }
        let cost = self.config.weights.cost(input_tokens, output_tokens)?;
        self.own.update_token_count(user, input_tokens, output_tokens)?;
        if !cost.is_zero() {
            let units = cost.units().to_string();
            // That it failed is counted; there is nobody here who could do better.
            let _: Option<()> = self.run(&self.charge, &[units.as_bytes(), user.as_bytes()]);
        }
        Ok(())
    }

    fn min_token_count(&self) -> f64 {
        self.range().map_or_else(|| self.own.min_token_count(), |(least, _)| least)
    }

    fn max_token_count(&self) -> f64 {
        self.range().map_or_else(|| self.own.max_token_count(), |(_, most)| most)
    }
}

impl fmt::Debug for RedisTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTracker").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// A score is a float; up to 2^53 units, which is nine million million tokens, it is exact.
fn as_tokens(units: f64) -> Tokens {
    Tokens::from_units(units as u64)
}

// === impl RedisTrackerConfig ===

impl RedisTrackerConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.prefix.is_empty() || self.prefix.len() > 128 || self.prefix.contains(['{', '}']) {
            return Err(ConfigError::new("prefix", &self.prefix, "1 to 128 bytes without { and }"));
        }
        if self.timeout.is_zero() {
            return Err(ConfigError::new("timeout", format!("{:?}", self.timeout), "more than 0"));
        }
        if self.connections == 0 {
            return Err(ConfigError::new("connections", self.connections, "at least 1"));
        }
        Ok(())
    }
}

impl Default for RedisTrackerConfig {
    fn default() -> Self {
        Self { prefix: "vtc-counts".to_owned(), timeout: Duration::from_millis(100), connections: 16 }
    }
}
