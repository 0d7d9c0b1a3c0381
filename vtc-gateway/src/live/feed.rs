//! The task that makes snapshots.

use std::time::Duration;

use actix_web::web::Data;
use bytes::Bytes;
use tokio::signal::unix::{SignalKind, signal};

use super::END;
use super::observer::Observer;
use crate::gateway::Gateway;

/// How often a snapshot is made.
const PERIOD: Duration = Duration::from_secs(1);
/// How long the first one looks: whoever opens the page is not to wait.
const FIRST: Duration = Duration::from_millis(200);

/// Makes snapshots while somebody watches; runs until the process is told to end, and then lets its watchers go.
pub(crate) async fn run(gateway: Data<Gateway>) {
    tokio::select! {
        () = feed(&gateway) => {}
        () = told_to_end() => {}
    }
    gateway.live().latest.send_replace(Bytes::from_static(END));
}

async fn feed(gateway: &Gateway) {
    let live = gateway.live();
    loop {
        // What was true then is not what the next watcher shall see.
        live.latest.send_replace(Bytes::new());
        while !live.is_watched() {
            live.wake.notified().await;
        }
        let mut observer = Observer::begin(gateway.record(), gateway.router().tracker());
        tokio::time::sleep(FIRST).await;
        while live.is_watched() {
            let snapshot = observer.look(gateway).await;
            // Numbers and names only: it cannot fail.
            let json = serde_json::to_string(&snapshot).unwrap_or_default();
            live.latest.send_replace(Bytes::from(format!("data: {json}\n\n")));
            tokio::time::sleep(PERIOD).await;
        }
    }
}

async fn told_to_end() {
    let next = async |kind| match signal(kind) {
        Ok(mut signal) => signal.recv().await,
        // Then the server does not hear of it either.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        _ = next(SignalKind::terminate()) => {}
        _ = next(SignalKind::interrupt()) => {}
    }
}
