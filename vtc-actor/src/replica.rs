//! Several replicas, one fairness: what each counts is shared through Redis.

mod actor;
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
