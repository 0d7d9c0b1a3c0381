//! How pods with `https://` are spoken to: whom the gateway trusts, and who it says it is.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use vtc_core::ConfigError;

use super::pem::{self, half, unfit};

/// `[upstream.tls]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PodTlsSetting {
    /// Certificates, in PEM, of authorities that are trusted beside those that Mozilla trusts.
    pub ca_file: Option<PathBuf>,
    /// The gateway's own certificate and what leads from it to an authority, in PEM, for pods that want to know who
    /// asks.
    pub cert_file: Option<PathBuf>,
    /// The key of that certificate, in PEM.
    pub key_file: Option<PathBuf>,
}

/// The same, read and checked.
#[derive(Clone)]
pub struct PodTls(Arc<ClientConfig>);

// === impl PodTlsSetting ===

impl PodTlsSetting {
    /// Reads the files.
    pub(crate) fn read(&self) -> Result<PodTls, ConfigError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::new("upstream.tls", error, "versions of TLS that the library has"))?
            .with_root_certificates(self.roots()?);
        let config = match (&self.cert_file, &self.key_file) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert_file), Some(key_file)) => {
                let certificates = pem::certificates("upstream.tls.cert_file", cert_file)?;
                let key = pem::key("upstream.tls.key_file", key_file)?;
                builder.with_client_auth_cert(certificates, key).map_err(|error| {
                    unfit("upstream.tls.key_file", key_file, &error, "the key of the certificate")
                })?
            }
            (Some(_), None) => return Err(half("upstream.tls.key_file", "the key of `cert_file`")),
            (None, Some(_)) => return Err(half("upstream.tls.cert_file", "the certificate of `key_file`")),
        };
        Ok(PodTls(Arc::new(config)))
    }

    fn roots(&self) -> Result<RootCertStore, ConfigError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(file) = &self.ca_file {
            pem::trust(&mut roots, "upstream.tls.ca_file", file)?;
        }
        Ok(roots)
    }
}

// === impl PodTls ===

impl PodTls {
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for PodTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PodTls")
    }
}
