//! One pod's address, and the connections to it that wait for another request.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::UpstreamError;
use super::link::Link;
use super::wire::Wire;
use crate::settings::PodTls;

/// Where a pod is, for one worker.
pub(super) struct Origin {
    host: String,
    port: u16,
    /// What it is called in the header `host`.
    pub(super) authority: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Those that have waited longest stand first.
    idle: RefCell<Vec<Idle>>,
    is_swept: Cell<bool>,
}

struct Idle {
    link: Box<Link>,
    until: Instant,
}

/// A connection that was not used for so long is closed. Servers close theirs after some time (uvicorn: 5 s): better
/// to be the first.
const IDLE: Duration = Duration::from_secs(4);

// === impl Origin ===

impl Origin {
    /// Reads `http://HOST:PORT` or `https://HOST:PORT`.
    pub(super) fn new(url: &str, tls: &PodTls) -> Result<Self, UpstreamError> {
        let odd = |what: &dyn Display| UpstreamError::Away(format!("{url} is no address of a pod: {what}"));
        let uri: Uri = url.parse().map_err(|error| odd(&error))?;
        let authority = uri.authority().ok_or_else(|| odd(&"it names no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_secret = uri.scheme_str() == Some("https");
        let port = authority.port_u16().unwrap_or(if is_secret { 443 } else { 80 });
        let tls = if is_secret {
            let name = ServerName::try_from(host.clone()).map_err(|error| odd(&error))?;
            Some((TlsConnector::from(tls.config()), name))
        } else {
            None
        };
        let authority = HeaderValue::from_str(authority.as_str()).map_err(|error| odd(&error))?;
        Ok(Self { host, port, authority, tls, idle: RefCell::default(), is_swept: Cell::new(false) })
    }

    /// Whether it is spoken to like that: without TLS it does not matter.
    pub(super) fn speaks(&self, tls: &PodTls) -> bool {
        self.tls.as_ref().is_none_or(|(own, _)| Arc::ptr_eq(own.config(), &tls.config()))
    }

    /// A connection that carried a request before, if there is one that still can.
    pub(super) fn used_link(&self) -> Option<Box<Link>> {
        let now = Instant::now();
        let mut idle = self.idle.borrow_mut();
        while let Some(Idle { mut link, until }) = idle.pop() {
            if now < until && link.is_fit() {
                return Some(link);
            }
        }
        None
    }

    /// A connection of its own for a request.
    pub(super) async fn fresh_link(&self, patience: Duration) -> Result<Box<Link>, UpstreamError> {
        match timeout(patience, self.connect()).await {
            Ok(link) => link,
            Err(_) => Err(UpstreamError::Away(format!("it did not take the connection within {patience:?}"))),
        }
    }

    async fn connect(&self) -> Result<Box<Link>, UpstreamError> {
        let away = |error: &dyn Display| UpstreamError::Away(error.to_string());
        let stream =
            TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|error| away(&error))?;
        // A request that comes in two packets shall not wait for the receipt of the first.
        stream.set_nodelay(true).map_err(|error| away(&error))?;
        let wire = match &self.tls {
            None => Wire::plain(stream),
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                Wire::tls(stream.map_err(|error| away(&format_args!("no TLS with it: {error}")))?)
            }
        };
        Ok(Box::new(Link::new(wire).await.map_err(|error| away(&error))?))
    }

    /// Keeps a connection whose answer has ended for another request, if it can carry one.
    pub(super) fn put_back(self: &Rc<Self>, mut link: Box<Link>) {
        if !link.is_fit() {
            return;
        }
        self.idle.borrow_mut().push(Idle { link, until: Instant::now() + IDLE });
        if !self.is_swept.replace(true) {
            actix_web::rt::spawn(sweep(Rc::downgrade(self)));
        }
    }

    /// Closes the connections that have waited too long; until when the next may wait.
    fn close_old(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut idle = self.idle.borrow_mut();
        let old = idle.partition_point(|idle| idle.until <= now);
        idle.drain(..old);
        let next = idle.first().map(|idle| idle.until);
        self.is_swept.set(next.is_some());
        next
    }

    /// Whether nobody uses it, and no connection waits.
    pub(super) fn is_forgotten(self: &Rc<Self>) -> bool {
        Rc::strong_count(self) == 1 && self.idle.borrow().is_empty()
    }
}

/// Closes what waits too long, as long as anything waits.
async fn sweep(origin: Weak<Origin>) {
    while let Some(next) = origin.upgrade().and_then(|origin| origin.close_old()) {
        sleep_until(next).await;
    }
}
