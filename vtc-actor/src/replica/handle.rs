//! How an app holds a replica.

use actix::{Actor, Addr};
use tokio::sync::watch;
use vtc_core::{Clock, CoarseClock};

use super::actor::ReplicaActor;
use super::metrics;
use super::status::ReplicaStatus;

/// Keeps a replica going, and says how it stands. Cheap to clone; when the last one is dropped, the replica ends with its
/// round, and the others find it gone.
#[derive(Debug)]
pub struct ReplicaHandle<C: Clock = CoarseClock> {
    addr: Addr<ReplicaActor<C>>,
    status: watch::Receiver<ReplicaStatus>,
}

// === impl ReplicaHandle ===

impl<C: Clock> ReplicaHandle<C> {
    /// Starts a replica on this thread's arbiter. It needs no Redis for that: until there is one it goes on alone.
    #[must_use]
    pub fn start(replica: ReplicaActor<C>) -> Self {
        let status = replica.status();
        metrics::describe();
        Self { addr: replica.start(), status }
    }

    /// How it stands now.
    #[must_use]
    pub fn status(&self) -> ReplicaStatus {
        self.status.borrow().clone()
    }

    /// How it stands, whenever that changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<ReplicaStatus> {
        self.status.clone()
    }

    /// The actor's address.
    #[must_use]
    pub fn addr(&self) -> &Addr<ReplicaActor<C>> {
        &self.addr
    }
}

impl<C: Clock> Clone for ReplicaHandle<C> {
    fn clone(&self) -> Self {
        Self { addr: self.addr.clone(), status: self.status.clone() }
    }
}
