//! Several replicas, one fairness: what each counts is shared through Redis.
//!
//! A [`ReplicaActor`] exchanges with Redis what one [`Router`](vtc_core::Router) counts and, if it is [given
//! one](ReplicaActor::with_dispatcher), what a [dispatcher](crate::dispatcher) queues. The hot path stays in the process and
//! knows nothing of it: charging, counting, routing and queueing go on at full speed, with what the others said last.
//!
//! # Drawbacks first
//!
//! - **Others' charges come late**: by one [interval](ReplicaConfig::interval), two in the worst case. Decisions in between are
//!   made on what was known.
//! - **Everybody hears everything.** What is read grows with the replicas times what all of them charge. See [what it
//!   costs](#what-it-costs).
//! - **Every replica has an account for every user of the fleet**, at 0.6 kB each, and a few bytes more for each bucket in
//!   which another replica charged it. [`max_users`](vtc_core::TrackerConfig::max_users) bounds the accounts.
//! - **Redis is trusted.** Whoever may write under the prefix can make any user look served.
//! - **What a replica had no time to say is lost with it**: the charges of an interval, if it is killed.
//! - **One Redis**, its replica and whatever fails over between them. A cluster works as far as the one node that has the
//!   prefix's slot is the one that is named.
//!
//! # How it works
//!
//! ```text
//! tracker --changes--> outbox --> Redis: tables, log --> inbox --> elsewhere --sums--> tracker
//! dispatcher --news-->                                         --news--> dispatcher
//! ```
//!
//! Each replica writes only rows of its own, and *absolute* ones: "I charged alice 1200 in my bucket 17". So a row that is
//! written or heard twice, or lost and written again, counts once. Rows lie in *tables*, one for each bucket of the window, which
//! end by themselves when the bucket does. What changed in a round is also one entry in a common *log*, so that the others
//! read what changed and not what there is. One round is one round trip: the changes, as one transaction; now and then, tables;
//! and the log behind the last entry heard. A replica with nothing to say speaks each fifth of the longest
//! silence, so that the others know it is there.
//!
//! - **Nobody's clock matters.** Rows say how long they have left. An entry's age is Redis's time less the entry's place in
//!   the log, which is Redis's time too. Clocks of replicas that differ change nothing.
//! - **What is lost is noticed.** Entries are numbered, and each says which one it follows; whoever has missed one reads that
//!   replica's tables whole. Redis keeps the numbers of a replica's last writings, and says them with each: if one that
//!   was confirmed is not among them (Redis restarted empty, or fell back to a copy that lagged), or an old one stands behind
//!   it (the network carried it late), the replica writes everything anew. And whoever does not find the entry that it heard
//!   last in the log any more reads everything anew, whatever the others may have noticed.
//! - **Nobody is counted twice.** A replica is known by an id that it draws at its start, its name and 64 random bits. Whoever is
//!   restarted is somebody new, who has charged nothing; what was charged under the old id counts until the window has
//!   passed it.
//! - **Redis stands in nobody's way.** Each wait for it has an [end](ReplicaConfig::timeout), and holds up nothing but the next
//!   round. What changes while it is away is noted where it changes, and takes no room here.
//!
//! # When something breaks
//!
//! Measured and tested with real servers, under load: in each case, when all is over, every replica counts what all were
//! charged, to a thousandth of a token.
//!
//! | what | what users see | what operators see |
//! | --- | --- | --- |
//! | Redis is killed, or cannot be reached | each replica is fair to those who come to it, and knows of others what it knew; pods that are shared may get more than they take, up to as many times as there are replicas; after the longest silence nothing is left to others | `vtc_replica_connected` 0, `vtc_replica_exchange_age_seconds` rises; an attempt every two seconds |
//! | it restarts empty | nothing: all write everything anew with the next two rounds | `vtc_replica_rewrites_total` |
//! | it is frozen | the same as killed; the hot path takes as long as ever | a timeout each second, as the error says |
//! | it fails over to a copy that lagged | nothing, if all addresses are [named](RedisServers::urls) or one leads to whoever is the master; a copy whose clock is ahead ends what was said before by that much too early, once | as killed, then as restarted |
//! | the network delays | others' charges come later by that | `vtc_replica_exchange_age_seconds` |
//! | the network cuts requests or replies in halves | nothing: a transaction is carried out whole or not at all, and what is not confirmed is said again | `vtc_replica_exchanges_total{outcome="failed"}` |
//! | a replica is killed | its clients' requests, as ever; what it charged counts on, but for its last interval; what it ran on pods is let go after the longest silence | `vtc_replica_others` falls |
//! | a replica is restarted | nothing | it falls and rises |
//! | clocks differ | nothing | nothing |
//! | two versions that do not understand each other share a prefix | each version is a fleet by itself | `unreadable` in the [status](ReplicaStatus) rises |
//!
//! # What it costs
//!
//! `N` replicas, an interval of `i` seconds, and `R` rows a second in all: one for each user and replica of which something
//! changed in an interval, so at most the charges, and at most `N / i` times the users.
//!
//! | | formula | 4 replicas, 10,000 users, each charged once a second |
//! | --- | --- | --- |
//! | a replica sends | `60 B * R / N + 560 B / i` | 156 kB/s |
//! | a replica receives | `25 B * R + 100 B * N / i` | 248 kB/s |
//! | Redis computes | `0.36 ms * N / i + 0.7 us * R`, a second | 2.1 % of a core: 0.5 % for each replica |
//!
//! Measured by `examples/replicas.rs` with Redis 7.0 on the same two cores, which did other work besides, and with names of 19
//! bytes; longer ones add twice their length to what is sent and once to what is received. The coefficients are those of 2
//! and 4 replicas with 10,000 rows a second. Against measurements that they do not come from: 8 replicas and 20,176 rows/s
//! should take 4.2 % of a core (4.19 measured) and receive 502 kB/s each (493); 16 replicas, which made 119 exchanges a
//! second, and 19,910 rows/s should take 5.6 % (5.65); 4 replicas with 1,000 rows/s 1.5 % (1.07), with 102,742 rows/s and 17
//! exchanges a second 7.7 % (5.73). All that was measured before a round asked whether the log goes on: what this one command
//! more takes is not in it.
//!
//! So 100 replicas with a million users, each charged once in ten seconds (`R` = 100,000), at the default interval: each sends
//! 66 kB/s and receives 2.6 MB/s; Redis computes 43 % of a core, five sixths of it for 1,000 round trips a second, and
//! *sends 260 MB/s*: more than most networks give it. What sending that much costs Redis is not in the formula: up to 16
//! replicas it could not be told from nothing. Where there are that many, an interval of a second makes it 11 % of a core; what
//! is sent falls only as far as users are charged more than once in it.
//!
//! The hot path: in eleven pairs of a second each, with and without Redis frozen, a charge and a count through a handle took
//! 1.02 times as long in the median when it was frozen, and 0.96 times at the 99th percentile, which is the noise of that machine.
//!
//! # What Redis has to be
//!
//! Redis 6.2 or later, or Valkey. Its memory holds a window's rows, some 100 bytes each, and the log of four times the longest
//! silence. It needs no persistence: what it loses is written anew. Keys, under the prefix as their hash tag:
//! `log` (a stream), `replicas` (a sorted set), and for each replica `numbers:ID` (a list), `tables:ID` (a set) and
//! `rows:ID:TABLE` (hashes). All but `replicas` end by themselves.
//!
//! A user of Redis's access lists needs these keys, `~{vtc}:*`, and `+time +multi +exec +unlink +hset +hdel +hgetall +pexpire
//! +pttl +sadd +srem +smembers +zadd +zrange +zremrangebyscore +xadd +xread +xrange +xrevrange +eval +rpush +ltrim +lrange
//! +lindex`, with `+auth` and, for a database by number, `+select`.
//!
//! # How to use it
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use vtc_actor::{DispatcherConfig, DispatcherHandle, RedisServers, ReplicaActor, ReplicaConfig, ReplicaHandle};
//! use vtc_core::{Router, VtcConfig};
//!
//! # actix::System::new().block_on(async {
//! let router = Arc::new(Router::new(VtcConfig::default())?);
//! let dispatcher = DispatcherHandle::start(Arc::clone(&router), DispatcherConfig::default())?;
//!
//! let servers = RedisServers::of_url("redis://redis.example.com:6379");
//! let replica = ReplicaActor::new(router, &servers, &ReplicaConfig::named("gateway-a"))?;
//! let replica = ReplicaHandle::start(replica.with_dispatcher(&dispatcher));
//! println!("{} is {}", replica.status().id, if replica.status().is_connected { "in contact" } else { "alone" });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! For one authority at the price of a round trip, see [`redis_tracker`](crate::redis_tracker).

mod actor;
mod charge_rows;
mod commands;
mod config;
mod elsewhere;
mod exchange;
mod handle;
mod inbox;
mod keys;
mod link;
mod metrics;
mod outbox;
mod queue_rows;
mod queues;
mod row;
mod servers;
mod status;

pub use self::actor::ReplicaActor;
pub use self::config::ReplicaConfig;
pub use self::handle::ReplicaHandle;
pub use self::servers::RedisServers;
pub use self::status::ReplicaStatus;
