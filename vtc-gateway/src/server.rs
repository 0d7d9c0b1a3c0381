//! The gateway put together and listening.

use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_server::ServerBuilder;
use actix_service::map_config;
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::{AppConfig, Server, ServerHandle};
use actix_web::middleware::{Condition, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use vtc_actor::{HandleConfig, ReplicaActor, ReplicaHandle, TrackerHandle};
use vtc_core::Router;

use crate::admission::Admission;
use crate::connections::Connections;
use crate::fleet::{FleetCell, Poller};
use crate::gateway::Gateway;
use crate::journal::Journal;
use crate::quota::Quotas;
use crate::record::Record;
use crate::settings::{Redis, Settings, SettingsError};
use crate::upstream::Upstream;
use crate::{connections, live, metrics, routes, status, tls};

/// A gateway that listens. It serves once [`Serving::server`] is polled.
pub struct Serving {
    /// Where it listens: the port is real even if 0 was asked for.
    pub address: SocketAddr,
    /// Runs until [`Serving::handle`] stops it. It hears no signals: [`ending::serve`](crate::ending::serve) does.
    pub server: Server,
    /// Whether clients speak TLS to it.
    pub is_tls: bool,
    /// Stops it from elsewhere.
    pub handle: ServerHandle,
    /// What the workers share.
    pub gateway: Data<Gateway>,
}

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is not allowed.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The file of pods is broken.
    #[error("the file of pods")]
    Pods(#[source] SettingsError),
    /// It cannot listen there.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: std::io::Error,
    },
    /// The process cannot hear when certificates are to be read again.
    #[error("cannot hear signals")]
    Signals(#[source] std::io::Error),
    /// The process's metrics go elsewhere already.
    #[error("cannot collect metrics")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

impl Serving {
    /// Where clients find it, as `https://127.0.0.1:8080`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http{}://{}", if self.is_tls { "s" } else { "" }, self.address)
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("address", &self.address).finish_non_exhaustive()
    }
}

/// How long a client may take to send the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection of a client is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Whoever has been idle for a minute has nothing to be remembered.
const SHRINK_EVERY: Duration = Duration::from_secs(60);

/// Starts everything but the serving itself: listens, asks every pod once, starts the periodic duties. Needs a
/// running actix system.
///
/// # Errors
/// [`StartError`], before anything was started.
pub async fn start(settings: &Settings) -> Result<Serving, StartError> {
    let metrics = metrics::install()?;
    let journal = Journal::new(&settings.log, &settings.traces)?;
    let router = Arc::new(Router::new(settings.vtc.clone()).map_err(SettingsError::from)?);
    // The actor refreshes the extremes and closes idle accounts, so that no request has to. Requests go to the
    // core directly.
    let tracker =
        TrackerHandle::start(Arc::clone(&router), HandleConfig::default()).map_err(SettingsError::from)?;
    let clock = *router.tracker().clock();
    let admission =
        Admission::start(router, settings.queue.clone(), settings.output).map_err(SettingsError::from)?;
    let admission = Arc::new(admission);
    let replica = settings.redis.as_ref().map(|redis| share(redis, &tracker, &admission)).transpose()?;
    let (fleet, news) = FleetCell::new(clock, settings.health.retry_budget);
    let fleet = Arc::new(fleet);
    let gateway = Gateway::new(
        settings,
        tracker,
        replica,
        Arc::clone(&admission),
        Arc::clone(&fleet),
        metrics,
        journal,
    );
    let gateway = Data::new(gateway);

    settings.estimators.load();
    let manners = Arc::clone(&gateway.configuration().manners);
    let per_client = settings.limits.connections_per_client;
    let counts_connections = per_client.is_some();
    let connections = Connections::new(per_client.unwrap_or(usize::MAX), &settings.identity.proxies);
    let app = {
        let (gateway, manners) = (gateway.clone(), Arc::clone(&manners));
        move || {
            App::new()
                .app_data(gateway.clone())
                .app_data(Data::new(Upstream::new(Arc::clone(&manners))))
                .wrap(Condition::new(counts_connections, from_fn(connections::guard)))
                .configure(routes::all)
                .default_service(web::to(status::nothing))
        }
    };
    let listen = |error| StartError::Listen { address: settings.listen, error };
    let workers = if settings.workers > 0 { settings.workers } else { available_workers() };
    // The library counts connections by worker, and each takes what it can.
    let connections_per_worker = settings.limits.connections.map(|most| most.div_ceil(workers));
    let (address, server) = match &settings.tls {
        None => {
            let mut server = HttpServer::new(app)
                .disable_signals()
                .client_request_timeout(HEAD_TIMEOUT)
                .keep_alive(KEEP_ALIVE)
                // No event waits for the receipt of the one before it.
                .tcp_nodelay(true)
                // A client that leaves is noticed at once, also while its pod is silent: the request's future is dropped,
                // and with it the connection to the pod. The price: one that closes only its sending side is cut off.
                .h1_allow_half_closed(false)
                .shutdown_timeout(settings.grace.as_secs())
                .workers(workers);
            if counts_connections {
                server = server.on_connect(move |connection, data| connections.accept(connection, data));
            }
            if let Some(most) = connections_per_worker {
                server = server.max_connections(most);
            }
            let server = server.bind(settings.listen).map_err(listen)?;
            (server.addrs().first().copied().unwrap_or(settings.listen), server.run())
        }
        Some(tls) => {
            // The library's own way to TLS offers HTTP/2, and on that it does not notice a client that leaves before
            // its pod says something. This is the same way with HTTP/1.1 only, and with the same terms as above.
            let mut server = ServerBuilder::new()
                .disable_signals()
                .shutdown_timeout(settings.grace.as_secs())
                .workers(workers);
            if let Some(most) = connections_per_worker {
                server = server.max_concurrent_connections(most);
            }
            let listener = std::net::TcpListener::bind(settings.listen).map_err(listen)?;
            let address = listener.local_addr().map_err(listen)?;
            let (ending, config) = (server.graceful_shutdown_signal(), tls.config());
            let service = move || {
                let (ending, connections) = (ending.clone(), connections.clone());
                HttpService::build()
                    .client_request_timeout(HEAD_TIMEOUT)
                    .keep_alive(KEEP_ALIVE)
                    .h1_allow_half_closed(false)
                    .graceful_shutdown_signal(move || {
                        let ending = ending.clone();
                        async move { ending.notified().await }
                    })
                    .on_connect_ext(move |connection: &TlsStream<TcpStream>, data| {
                        // Where it cannot be set, events may come late.
                        let _ = connection.get_ref().0.set_nodelay(true);
                        if counts_connections {
                            connections.accept(connection, data);
                        }
                    })
                    .h1(map_config(app(), |()| AppConfig::default()))
                    .rustls_0_23(config.clone())
            };
            (address, server.listen("https", listener, service).map_err(listen)?.run())
        }
    };

    let upstream = Rc::new(Upstream::new(Arc::clone(&manners)));
    let mut poller = Poller::new(settings, fleet, news, admission, manners);
    poller.begin(&upstream).await.map_err(StartError::Pods)?;
    actix_web::rt::spawn(poller.run(upstream));
    if let Some(tls) = &settings.tls {
        let renewing = tls::keep_renewed(Arc::clone(tls.certificate()));
        actix_web::rt::spawn(renewing.map_err(StartError::Signals)?);
    }
    let window = gateway.router().tracker().config().span();
    actix_web::rt::spawn(keep_shrunk(Arc::clone(gateway.quotas()), Arc::clone(gateway.record()), window));
    actix_web::rt::spawn(metrics::keep_added_up({
        let metrics = gateway.metrics().clone();
        move || metrics.run_upkeep()
    }));

    actix_web::rt::spawn(live::run(gateway.clone()));

    Ok(Serving { address, is_tls: settings.tls.is_some(), handle: server.handle(), server, gateway })
}

/// Begins to share with other gateways what this one counts and queues. It needs no Redis for that.
fn share(
    redis: &Redis,
    tracker: &TrackerHandle,
    admission: &Admission,
) -> Result<ReplicaHandle, SettingsError> {
    let replica = ReplicaActor::new(Arc::clone(tracker.router()), &redis.servers, &redis.config)?;
    Ok(ReplicaHandle::start(match admission.dispatcher() {
        Some(dispatcher) => replica.with_dispatcher(dispatcher),
        None => replica,
    }))
}

/// As many as the server takes unless it is told.
fn available_workers() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Forgets accounts that are idle, again and again; runs until it is dropped.
async fn keep_shrunk(quotas: Arc<Quotas>, record: Arc<Record>, window: Duration) {
    loop {
        tokio::time::sleep(SHRINK_EVERY).await;
        quotas.shrink();
        // Whoever has tokens in the window is shown with them: a charge counts for the window and one bucket more at most.
        record.shrink((2 * window).max(SHRINK_EVERY));
    }
}
