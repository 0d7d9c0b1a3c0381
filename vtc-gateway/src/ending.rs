//! How a gateway's process ends.
//!
//! | signal | what happens |
//! | --- | --- |
//! | SIGTERM | `/readyz` says 503; after the delay it stops to accept, and ends when what it has accepted is done, those who wait for their turn included, or when the grace is over |
//! | SIGTERM once more, SIGINT, SIGQUIT | it ends at once |

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::server::Serving;

/// Serves until the process is told to end. `delay`: how long it goes on to accept after SIGTERM.
///
/// # Errors
/// The process cannot hear signals, or the server failed.
pub async fn serve(serving: Serving, delay: Duration) -> io::Result<()> {
    let mut terms = signal(SignalKind::terminate())?;
    let [mut interrupts, mut quits] = [signal(SignalKind::interrupt())?, signal(SignalKind::quit())?];
    let mut at_once = std::pin::pin!(async move {
        tokio::select! {
            _ = interrupts.recv() => {}
            _ = quits.recv() => {}
        }
    });
    let Serving { server, handle, gateway, .. } = serving;
    let told = async {
        tokio::select! {
            () = &mut at_once => return,
            _ = terms.recv() => gateway.begin_ending(),
        }
        tracing::info!(?delay, "told to end: not ready any more");
        let in_peace = async {
            tokio::time::sleep(delay).await;
            tracing::info!("accepting no more");
            handle.stop(true).await;
        };
        tokio::select! {
            () = in_peace => {}
            () = at_once => {}
            _ = terms.recv() => {}
        }
    };
    // Dropping the server ends it, whatever it does.
    let served = tokio::select! {
        served = server => served,
        () = told => Ok(()),
    };
    gateway.record().flush();
    if served.is_ok() {
        tracing::info!("ended");
    }
    served
}
