//! How a replica stands.

use std::sync::Arc;

use vtc_core::Tick;

/// How a replica stands with Redis and the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// Its id, which no other replica ever had.
    pub id: Arc<str>,
    /// Whether the last exchange succeeded. If not, the replica goes on alone, with what it knows of the others for as long
    /// as that holds.
    pub is_connected: bool,
    /// When the last exchange succeeded, by the tracker's clock.
    pub exchanged_at: Option<Tick>,
    /// How many other replicas are there.
    pub others: usize,
    /// How many users the others have charged within the window.
    pub users_elsewhere: usize,
    /// Exchanges that succeeded, and that failed or did not come about.
    pub exchanges: u64,
    /// See `exchanges`.
    pub failures: u64,
    /// Rows that were written to Redis, and that were heard of others.
    pub rows_out: u64,
    /// See `rows_out`.
    pub rows_in: u64,
    /// Bytes of the log's entries that were written, and that were read, this replica's own included.
    pub bytes_out: u64,
    /// See `bytes_out`.
    pub bytes_in: u64,
    /// How often Redis had lost something, so that this replica wrote everything anew.
    pub rewrites: u64,
    /// Entries in the log that are none, or of another version.
    pub unreadable: u64,
    /// What went wrong last, while the replica is not connected.
    pub error: Option<Arc<str>>,
}

// === impl ReplicaStatus ===

impl ReplicaStatus {
    /// That of a replica which has not been in contact with Redis yet.
    pub(super) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            is_connected: false,
            exchanged_at: None,
            others: 0,
            users_elsewhere: 0,
            exchanges: 0,
            failures: 0,
            rows_out: 0,
            rows_in: 0,
            bytes_out: 0,
            bytes_in: 0,
            rewrites: 0,
            unreadable: 0,
            error: None,
        }
    }
}
