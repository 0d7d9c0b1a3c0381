//! A pod that behaves like vLLM over HTTP and computes nothing.
//!
//! It serves `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, `/v1/models`, `/health`
//! and `/metrics` on a port of its own. Answers are prose of as many tokens as were asked for,
//! and come at the pace of an [`Engine`](super::engine::Engine) under the load there is.
//!
//! ```no_run
//! use vtc_gateway::demo::engine::Profile;
//! use vtc_gateway::demo::pod::SimulatedPod;
//!
//! # async fn demo() -> std::io::Result<()> {
//! let pod = SimulatedPod::start("pod-0", "llama-2-7b", Profile::a10g())?;
//! println!("try curl {}/v1/models", pod.url());
//! pod.stop().await
//! # }
//! ```

mod error;
mod exposition;
mod live;
mod reply;
mod request;
mod routes;
mod stream;

use std::io;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use tokio::task::JoinHandle;

use super::engine::Profile;
use routes::Pod;

/// How long [`SimulatedPod::stop`] waits for answers under way, in seconds.
const GRACE_SECONDS: u64 = 10;

/// How long an idle connection is kept. Longer than clients keep theirs, so that it is the client
/// who closes and no request meets a closing connection.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// A pod that runs until it is stopped. Dropping it stops it too, and cuts off what is under way.
#[derive(Debug)]
pub struct SimulatedPod {
    name: String,
    url: String,
    handle: ServerHandle,
    served: JoinHandle<io::Result<()>>,
}

// === impl SimulatedPod ===

impl SimulatedPod {
    /// Starts a pod on a free port of 127.0.0.1, with one thread of its own.
    ///
    /// It serves the one `model`. The `name` is told in every answer as `system_fingerprint`, so
    /// that one sees who answered.
    ///
    /// # Errors
    ///
    /// If no port can be had.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn start(name: impl Into<String>, model: impl Into<String>, profile: Profile) -> io::Result<Self> {
        let (name, model) = (name.into(), model.into());
        let pod_name = name.clone();
        // Called by the one worker, on its thread: the engine and all that shares it live there.
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::new(Pod::start(&pod_name, &model, profile)))
                .configure(routes::configure)
        })
        .workers(1)
        .worker_max_blocking_threads(1)
        .disable_signals()
        .keep_alive(KEEP_ALIVE)
        .tcp_nodelay(true)
        // A client that closes its side has left: its request must not go on, nor wait, without it.
        .h1_allow_half_closed(false)
        .shutdown_timeout(GRACE_SECONDS)
        .bind(("127.0.0.1", 0))?;
        let address = server.addrs().first().copied();
        let address = address.ok_or_else(|| io::Error::other("the pod has no address"))?;
        let server = server.run();
        let handle = server.handle();
        tracing::debug!(pod = name, %address, "simulated pod listens");
        Ok(Self { name, url: format!("http://{address}"), handle, served: tokio::spawn(server) })
    }

    /// The name it was started with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops accepting, lets answers under way come to their end for at most ten seconds, and
    /// returns when the pod is gone.
    ///
    /// # Errors
    ///
    /// If the server had failed before.
    pub async fn stop(mut self) -> io::Result<()> {
        self.handle.stop(true).await;
        (&mut self.served).await.map_err(io::Error::other)?
    }
}

impl Drop for SimulatedPod {
    fn drop(&mut self) {
        // The order is given by the call; only its end would have to be awaited.
        drop(self.handle.stop(false));
    }
}
