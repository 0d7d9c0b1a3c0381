//! Certificates and keys from files in PEM.

use std::fmt;
use std::path::Path;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use vtc_core::ConfigError;

/// All certificates of a file: at least one.
pub(crate) fn certificates(field: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    const WANTED: &str = "a file with certificates in PEM";
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|error| unfit(field, file, &error, WANTED))?;
    if certificates.is_empty() {
        return Err(unfit(field, file, &"it has none", WANTED));
    }
    Ok(certificates)
}

/// The first key of a file.
pub(crate) fn key(field: &str, file: &Path) -> Result<PrivateKeyDer<'static>, ConfigError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| unfit(field, file, &error, "a key in PEM"))
}

/// Adds the authorities of a file to those that are trusted.
pub(super) fn trust(roots: &mut RootCertStore, field: &str, file: &Path) -> Result<(), ConfigError> {
    for certificate in certificates(field, file)? {
        let added = roots.add(certificate);
        added.map_err(|error| unfit(field, file, &error, "certificates of authorities"))?;
    }
    Ok(())
}

/// What a file holds is not what is wanted.
pub(crate) fn unfit(field: &str, file: &Path, why: &dyn fmt::Display, wanted: &'static str) -> ConfigError {
    ConfigError::new(field, format!("{} ({why})", file.display()), wanted)
}

/// One of two files is named without the other.
pub(super) fn half(field: &str, wanted: &'static str) -> ConfigError {
    ConfigError::new(field, "none", wanted)
}
