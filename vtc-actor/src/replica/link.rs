//! The connection to Redis: one at a time, and each wait has an end.

use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, Value};
use tokio::time::error::Elapsed;

use super::commands::{Commands, ReplyError, reply};
use super::config::ReplicaConfig;
use super::exchange::{Bounds, Reply, Trip};
use super::keys::Keys;

/// Makes round trips, over a connection that it makes itself and gives up at the first sign of trouble: of one that was
/// silent for too long nobody knows what it will say, and to which trip.
pub struct Link {
    servers: Vec<Client>,
    /// Which of them is next.
    turn: usize,
    connection: Option<MultiplexedConnection>,
    keys: Keys,
    timeout: Duration,
    bounds: Bounds,
    /// Redis's clock at the last reply, in milliseconds.
    millis: u64,
}

/// Why there was no reply.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It took too long.
    #[error("Redis did not answer within {0:?}: is it overloaded, or the network cut?")]
    Timeout(Duration),
    /// No connection can be made to it.
    #[error("cannot connect to Redis: {0}")]
    Connect(RedisError),
    /// There was no reply, or one that is none.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// There is no connection.
    #[error("not connected to Redis")]
    Unconnected,
}

// === impl Link ===

impl Link {
    /// To one of these servers, at least one; not connected yet.
    pub fn new(servers: Vec<Client>, config: &ReplicaConfig) -> Self {
        Self {
            servers,
            turn: 0,
            connection: None,
            keys: Keys::new(&config.prefix),
            timeout: config.timeout,
            bounds: config.bounds(),
            millis: 0,
        }
    }

    /// Whether there is a connection, of which nothing bad is known.
    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Connects to the server whose turn it is, and asks for the time; if that fails, it is the next one's turn.
    pub async fn connect(&mut self) -> Result<(), LinkError> {
        let connected = match tokio::time::timeout(self.timeout, self.try_to_connect()).await {
            Ok(connected) => connected.map_err(LinkError::Connect),
            Err(Elapsed { .. }) => Err(LinkError::Timeout(self.timeout)),
        };
        if connected.is_err() {
            self.give_up();
        }
        connected
    }

    async fn try_to_connect(&mut self) -> Result<(), RedisError> {
        let server = &self.servers[self.turn % self.servers.len()];
        // All waits are timed by those who wait.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let mut connection = server.get_multiplexed_async_connection_with_config(&config).await?;
        let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(&mut connection).await?;
        self.millis = seconds.saturating_mul(1000).saturating_add(micros / 1000);
        self.connection = Some(connection);
        Ok(())
    }

    /// Makes a trip; says what came back, and how many bytes of the log went out. Without a reply the connection is gone.
    pub async fn make(&mut self, trip: &Trip) -> Result<(Reply, u64), LinkError> {
        let made = self.try_to_make(trip).await;
        match &made {
            Ok((reply, _)) => self.millis = reply.micros / 1000,
            Err(_) => self.give_up(),
        }
        made
    }

    async fn try_to_make(&mut self, trip: &Trip) -> Result<(Reply, u64), LinkError> {
        let Commands { pipeline, bytes } = Commands::new(trip, &self.keys, &self.bounds, self.millis)?;
        let connection = self.connection.as_mut().ok_or(LinkError::Unconnected)?;
        let answering = pipeline.query_async::<Vec<Value>>(connection);
        let Ok(answered) = tokio::time::timeout(self.timeout, answering).await else {
            return Err(LinkError::Timeout(self.timeout));
        };
        Ok((reply(trip, answered.map_err(ReplyError::Redis)?)?, bytes))
    }

    fn give_up(&mut self) {
        self.connection = None;
        self.turn = (self.turn + 1) % self.servers.len();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("servers", &self.servers.len())
            .field("is_connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}
