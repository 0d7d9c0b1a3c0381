//! Somebody with a certificate.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::CertifiedKey;
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Somebody with a certificate, which is its own authority, in the files `cert.pem` and `key.pem`.
pub struct Identity {
    pair: CertifiedKey<rcgen::KeyPair>,
    folder: TempDir,
}

// === impl Identity ===

impl Identity {
    pub fn of(name: &str) -> Self {
        let pair = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let identity = Self { pair, folder };
        identity.write_to(&identity);
        identity
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts its certificate and key into the other's files.
    pub fn write_to(&self, other: &Self) {
        std::fs::write(other.file("key.pem"), self.pair.signing_key.serialize_pem()).unwrap();
        std::fs::write(other.file("cert.pem"), self.pair.cert.pem()).unwrap();
    }

    /// How it serves those whom it knows: everybody if nobody is named.
    pub fn server(&self, client: Option<&Self>) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match client {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(client.trusted()), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        builder.with_single_cert(vec![self.pair.cert.der().clone()], self.key()).unwrap()
    }

    /// How a client asks it, and shows who it is if it is anybody.
    pub fn client(&self, own: Option<&Self>) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.trusted());
        match own {
            None => builder.with_no_client_auth(),
            Some(own) => builder.with_client_auth_cert(vec![own.pair.cert.der().clone()], own.key()).unwrap(),
        }
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.pair.signing_key.serialize_der()).unwrap()
    }

    fn trusted(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.pair.cert.der().clone()).unwrap();
        roots
    }
}
