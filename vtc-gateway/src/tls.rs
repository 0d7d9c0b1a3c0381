//! The certificate that clients are shown.
//!
//! Its files are read again every minute and at SIGHUP: whoever renews certificates only has to write them. A
//! connection is served with what was in force when it began. Files that do not fit together, as while they are being
//! written, change nothing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use vtc_core::ConfigError;

use crate::metrics;
use crate::settings::pem::{self, unfit};

/// A certificate with its key, as the files said when they were last read and made sense.
pub struct Certificate {
    cert_file: PathBuf,
    key_file: PathBuf,
    in_force: ArcSwap<CertifiedKey>,
}

/// How often the files are read.
const EVERY: Duration = Duration::from_secs(60);

/// Reads the files again and again; runs until it is dropped.
///
/// # Errors
/// The process cannot hear signals.
pub(crate) fn keep_renewed(
    certificate: Arc<Certificate>,
) -> std::io::Result<impl Future<Output = ()> + use<>> {
    let mut hangups = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            // Either way it is time; and a signal is heard from before the first reading on.
            let _ = tokio::time::timeout(EVERY, hangups.recv()).await;
            match certificate.renew() {
                Ok(false) => {}
                Ok(true) => tracing::info!(file = %certificate.cert_file.display(), "a new certificate"),
                Err(error) => {
                    metrics::certificate_failed();
                    tracing::error!(%error, "the new certificate is broken: the old one stays in force");
                }
            }
        }
    })
}

// === impl Certificate ===

impl Certificate {
    pub(crate) fn read(cert_file: &Path, key_file: &Path) -> Result<Self, ConfigError> {
        let in_force = ArcSwap::from_pointee(certified(cert_file, key_file)?);
        Ok(Self { cert_file: cert_file.to_owned(), key_file: key_file.to_owned(), in_force })
    }

    /// Puts into force what the files say now. Says whether that is something new.
    fn renew(&self) -> Result<bool, ConfigError> {
        let read = certified(&self.cert_file, &self.key_file)?;
        let is_new = read.cert != self.in_force.load().cert;
        if is_new {
            self.in_force.store(Arc::new(read));
        }
        Ok(is_new)
    }
}

fn certified(cert_file: &Path, key_file: &Path) -> Result<CertifiedKey, ConfigError> {
    let certificates = pem::certificates("tls.cert_file", cert_file)?;
    let key = pem::key("tls.key_file", key_file)?;
    let together = CertifiedKey::from_der(certificates, key, &ring::default_provider());
    together.map_err(|error| unfit("tls.key_file", key_file, &error, "the key of the certificate"))
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.in_force.load_full())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("cert_file", &self.cert_file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn write(folder: &TempDir, cert: &str, key: &str) {
        std::fs::write(folder.path().join("cert"), cert).unwrap();
        std::fs::write(folder.path().join("key"), key).unwrap();
    }

    #[test]
    fn what_the_files_say_is_in_force_once_it_makes_sense() {
        let [one, two] =
            [(); 2].map(|()| rcgen::generate_simple_self_signed(vec!["gateway".into()]).unwrap());
        let [(cert, key), (new_cert, new_key)] =
            [&one, &two].map(|pair| (pair.cert.pem(), pair.signing_key.serialize_pem()));
        let folder = tempfile::tempdir().unwrap();
        write(&folder, &cert, &key);
        let certificate = Certificate::read(&folder.path().join("cert"), &folder.path().join("key")).unwrap();
        let shown = || certificate.in_force.load().cert[0].clone();
        assert!(!certificate.renew().unwrap());
        for (cert, key, wanted) in [
            (&new_cert, &key, "the key of the certificate"),
            (&String::new(), &new_key, "certificates in PEM"),
            (&new_cert, &cert, "a key in PEM"),
        ] {
            write(&folder, cert, key);
            let error = certificate.renew().unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
            assert_eq!(&shown(), one.cert.der());
        }
        write(&folder, &new_cert, &new_key);
        assert!(certificate.renew().unwrap());
        assert_eq!(&shown(), two.cert.der());
    }
}
