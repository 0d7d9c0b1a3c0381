//! What goes on at this moment, told once a second to all who watch: `GET /v1/vtc/live`.
//!
//! One task makes one [`Snapshot`] for all watchers, and rests while there are none. So a page that is open costs a look at
//! every account that stirred and one at the queue per second, however many pages there are, and none costs nothing. What a
//! snapshot tells is bounded: the [`TOP`] accounts with the most service, and the others as one.

mod feed;
mod observer;
pub mod snapshot;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{Notify, watch};

pub(crate) use self::feed::run;
pub use self::snapshot::Snapshot;
use crate::gateway::Gateway;

/// How many accounts a snapshot shows by name.
pub const TOP: usize = 100;

/// Where watchers wait.
#[derive(Debug)]
pub struct Live {
    /// The last snapshot as an event; empty before the first, and whenever nobody watched in between.
    latest: watch::Sender<Bytes>,
    /// Somebody has come to watch.
    wake: Notify,
}

// === impl Live ===

impl Live {
    /// Nobody watches yet.
    pub(crate) fn new() -> Self {
        Self { latest: watch::Sender::new(Bytes::new()), wake: Notify::new() }
    }

    fn watch(&self) -> watch::Receiver<Bytes> {
        let watcher = self.latest.subscribe();
        self.wake.notify_one();
        watcher
    }

    fn is_watched(&self) -> bool {
        self.latest.receiver_count() > 0
    }
}

/// `GET /v1/vtc/live`: a snapshot at once, and then one each second. A watcher that is slow misses some.
pub async fn live(gateway: Data<Gateway>) -> HttpResponse {
    let mut watcher = gateway.live().watch();
    // The one of now, if others watch already.
    watcher.mark_changed();
    let events = stream::unfold(watcher, |mut watcher| async {
        loop {
            watcher.changed().await.ok()?;
            let event = watcher.borrow_and_update().clone();
            if event == END {
                return None;
            }
            if !event.is_empty() {
                return Some((Ok::<_, Error>(event), watcher));
            }
        }
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        // Proxies that collect answers let this one through.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events)
}

/// Told to watchers when the gateway ends: a connection that is open would hold it up.
const END: &[u8] = b"end";
