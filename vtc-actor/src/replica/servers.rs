//! Where Redis is, and how to get in.

use std::fmt;

use redis::{Client, ClientTlsConfig, ConnectionInfo, IntoConnectionInfo, TlsCertificates};
use vtc_core::ConfigError;

/// How to reach Redis: one address or several, of which one is the master at a time. Whichever takes no writings is passed
/// over for the next.
#[derive(Clone, Default)]
pub struct RedisServers {
    /// `redis://host:port/db`, with TLS `rediss://`, or `unix:///path`; at least one.
    pub urls: Vec<String>,
    /// The user of Redis's access lists; `None`: what the URL says, or the default one.
    pub username: Option<String>,
    /// Its password; `None`: what the URL says, or none.
    pub password: Option<String>,
    /// Certificates in PEM that are trusted instead of the usual ones.
    pub ca: Option<Vec<u8>>,
    /// A certificate and its key in PEM, by which this client shows who it is.
    pub certificate: Option<(Vec<u8>, Vec<u8>)>,
}

// === impl RedisServers ===

impl RedisServers {
    /// One server, with what the URL says.
    #[must_use]
    pub fn of_url(url: impl Into<String>) -> Self {
        Self { urls: vec![url.into()], ..Self::default() }
    }

    /// A client for each; connects to none yet.
    ///
    /// # Errors
    /// The first URL or certificate that is none.
    pub fn clients(&self) -> Result<Vec<Client>, ConfigError> {
        if self.urls.is_empty() {
            return Err(ConfigError::new(
                "url",
                "",
                "at least one address, like redis://redis.example.com:6379",
            ));
        }
        self.urls.iter().map(|url| self.client(url)).collect()
    }

    fn client(&self, url: &str) -> Result<Client, ConfigError> {
        // A URL may hold a password: an error repeats neither.
        let wrong = |error: redis::RedisError| {
            let allowed = format!("an address like redis://redis.example.com:6379 ({error})");
            ConfigError::new("url", "an address", allowed)
        };
        let info: ConnectionInfo = url.into_connection_info().map_err(wrong)?;
        // It tells nobody anything here, and is one thing more that a user may not be allowed.
        let mut settings = info.redis_settings().clone().set_skip_set_lib_name();
        if let Some(username) = &self.username {
            settings = settings.set_username(username);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        let info = info.set_redis_settings(settings);
        if self.ca.is_none() && self.certificate.is_none() {
            return Client::open(info).map_err(wrong);
        }
        let client_tls = self.certificate.as_ref().map(|(certificate, key)| ClientTlsConfig {
            client_cert: certificate.clone(),
            client_key: key.clone(),
        });
        Client::build_with_tls(info, TlsCertificates { client_tls, root_cert: self.ca.clone() })
            .map_err(wrong)
    }
}

/// Shows no secret: a URL may hold one.
impl fmt::Debug for RedisServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisServers").field("urls", &self.urls.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_refused_and_no_secret_repeated() {
        assert!(RedisServers::default().clients().is_err());
        let error = RedisServers::of_url("http://:hunter2@nowhere").clients().unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let servers =
            RedisServers { password: Some("hunter2".to_owned()), ..RedisServers::of_url("redis://a:1/0") };
        assert_eq!(servers.clients().unwrap().len(), 1);
        assert!(!format!("{servers:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let servers = RedisServers {
            ca: Some(b"-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n".to_vec()),
            ..RedisServers::of_url("rediss://a:1/0")
        };
        assert!(servers.clients().is_err());
    }
}
