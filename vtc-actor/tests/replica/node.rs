//! A replica on a thread of its own.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use vtc_actor::{RedisServers, ReplicaActor, ReplicaConfig, ReplicaHandle, ReplicaStatus};
use vtc_core::{CoarseClock, Router, TimeUnit, TokenTracker, VtcConfig};

/// A router, and the replica that shares what it counts.
pub struct Node {
    pub router: Arc<Router<CoarseClock>>,
    status: watch::Receiver<ReplicaStatus>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Waits for a condition, generously: what it waits for takes a fraction of that.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if condition() {
            return;
        }
        pause(Duration::from_millis(10));
    }
    panic!("waited for a minute in vain: {what}");
}

/// Lets time pass.
#[expect(clippy::disallowed_methods, reason = "servers and replicas are real, and so is their time")]
pub fn pause(span: Duration) {
    std::thread::sleep(span);
}

/// Quick, so that tests are.
pub fn quick() -> ReplicaConfig {
    ReplicaConfig {
        interval: Duration::from_millis(20),
        timeout: Duration::from_millis(500),
        longest_silence: Duration::from_secs(2),
        ..ReplicaConfig::named("node")
    }
}

/// So long a window that nothing expires meanwhile, in buckets so narrow that there are many.
pub fn long_window() -> VtcConfig {
    let mut config = VtcConfig::default();
    config.tracker.window_size = 10;
    config.tracker.time_unit = TimeUnit::Minutes;
    config.tracker.bucket_width = Some(Duration::from_secs(1));
    config.tracker.staleness = Duration::ZERO;
    config
}

// === impl Node ===

impl Node {
    pub fn start(url: impl Into<String>) -> Self {
        Self::with(RedisServers::of_url(url), quick(), long_window())
    }

    pub fn with(servers: RedisServers, config: ReplicaConfig, router: VtcConfig) -> Self {
        let router = Arc::new(Router::new(router).unwrap());
        router.pods().set(["pod"]);
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, status) = mpsc::channel();
        let shared = Arc::clone(&router);
        let thread = std::thread::spawn(move || {
            actix::System::new().block_on(async move {
                let handle = ReplicaHandle::start(ReplicaActor::new(shared, &servers, &config).unwrap());
                ready.send(handle.watch()).unwrap();
                drop(stopped.await);
            });
        });
        let status = status.recv().unwrap();
        Self { router, status, stop: Some(stop), thread: Some(thread) }
    }

    pub fn status(&self) -> ReplicaStatus {
        self.status.borrow().clone()
    }

    pub fn count(&self, user: &str) -> f64 {
        self.router.tracker().token_count(user)
    }

    pub fn charge(&self, user: &str, tokens: f64) {
        self.router.tracker().update_token_count(user, tokens, 0.0).unwrap();
    }

    /// Ends at once: nothing is said to anybody.
    pub fn kill(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("a node of the test that failed: {:?}", self.status());
        }
        drop(self.stop.take());
        // A thread that panicked has failed its test already.
        drop(self.thread.take().map(JoinHandle::join));
    }
}
