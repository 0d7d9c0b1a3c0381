//! The way to the collector of traces: one connection for each batch, which there is every few seconds.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::settings::{PodTlsSetting, SettingsError};

/// Sends what OpenTelemetry's library has put together.
pub(super) struct Collector {
    tls: Arc<ClientConfig>,
}

/// How long it may take to send a batch and to hear that it has come.
const PATIENCE: Duration = Duration::from_secs(5);
/// Its answer says little.
const LONGEST_ANSWER: usize = 1 << 20;

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<W: AsyncRead + AsyncWrite + Send + Unpin> Wire for W {}

// === impl Collector ===

impl Collector {
    pub(super) fn new() -> Result<Self, SettingsError> {
        // It is trusted as pods are when nothing is said: whom Mozilla trusts.
        Ok(Self { tls: PodTlsSetting::default().read()?.config() })
    }

    async fn post(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let wire = self.connect(request.uri()).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(wire)).await?;
        let connection = tokio::spawn(connection);
        let authority = request.uri().authority().map(|it| HeaderValue::from_str(it.as_str()));
        request.headers_mut().extend(authority.transpose()?.map(|authority| (HOST, authority)));
        *request.uri_mut() = request.uri().path_and_query().map_or("/", |it| it.as_str()).parse()?;
        let (head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await?.to_bytes();
        connection.abort();
        Ok(Response::from_parts(head, body))
    }

    async fn connect(&self, uri: &Uri) -> Result<Box<dyn Wire>, HttpError> {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let is_secret = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_secret { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await?;
        if !is_secret {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host.to_owned())?;
        Ok(Box::new(TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await?))
    }
}

impl HttpClient for Collector {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            // The library has a thread of its own for this, which no runtime drives.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let sent = runtime.block_on(async {
                let late = |_| HttpError::from(io::Error::from(io::ErrorKind::TimedOut));
                tokio::time::timeout(PATIENCE, self.post(request)).await.map_err(late)?
            });
            sent.inspect_err(|error| tracing::warn!(error, "the collector of traces cannot be reached"))
        })
    }
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Collector")
    }
}
