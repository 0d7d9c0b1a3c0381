//! How clients are spoken to: what the gateway shows them, and whom it lets in.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use vtc_core::ConfigError;

use super::pem::{self, half, unfit};
use crate::tls::Certificate;

/// `[tls]`. With neither `cert_file` nor `key_file` clients are spoken to without TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSetting {
    /// The gateway's certificate and what leads from it to an authority, in PEM. It is read again when it changes.
    pub cert_file: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    pub key_file: Option<PathBuf>,
    /// Authorities, in PEM: who has no certificate of theirs is not let in. Read at the start only.
    pub client_ca_file: Option<PathBuf>,
}

/// The same, read and checked.
#[derive(Clone)]
pub struct Tls {
    certificate: Arc<Certificate>,
    files: TlsSetting,
    config: ServerConfig,
}

// === impl TlsSetting ===

impl TlsSetting {
    /// Reads the files.
    pub(super) fn read(&self) -> Result<Option<Tls>, ConfigError> {
        let (cert_file, key_file) = match (&self.cert_file, &self.key_file) {
            (None, None) if self.client_ca_file.is_none() => return Ok(None),
            (Some(cert_file), Some(key_file)) => (cert_file, key_file),
            (None, _) => return Err(half("tls.cert_file", "the gateway's certificate")),
            (Some(_), None) => return Err(half("tls.key_file", "the key of `cert_file`")),
        };
        let certificate = Arc::new(Certificate::read(cert_file, key_file)?);
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::new("tls", error, "versions of TLS that the library has"))?;
        let builder = match &self.client_ca_file {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let mut roots = RootCertStore::empty();
                pem::trust(&mut roots, "tls.client_ca_file", file)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = verifier.build().map_err(|error| {
                    unfit("tls.client_ca_file", file, &error, "certificates of authorities")
                })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&certificate) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Tls { certificate, files: self.clone(), config }))
    }
}

// === impl Tls ===

impl Tls {
    pub(crate) fn config(&self) -> ServerConfig {
        self.config.clone()
    }

    /// The certificate that is shown, which may be renewed.
    pub(crate) const fn certificate(&self) -> &Arc<Certificate> {
        &self.certificate
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}
