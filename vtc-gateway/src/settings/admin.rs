//! Who may look into the gateway, and how hashes of keys are written: the table `[admin]`.

use serde::Deserialize;
use vtc_core::ConfigError;

use super::Secret;
use crate::admin::Admin;
use crate::identity::key::KeyHash;

/// The table `[admin]`, as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSetting {
    /// The hash of the key that opens `/v1/vtc/` and `/metrics`; more than one while keys are exchanged. Without one
    /// whoever reaches the gateway may look.
    pub key_sha256: KeyHashes,
    /// Whether `/metrics` is open in spite of that. Default: no.
    pub open_metrics: bool,
}

/// One hash, or a list of them. They are read only when the settings are checked: should a key stand there itself, the error
/// of the file's reader would show the line.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "the 64 hexadecimal digits that `vtc-gateway key` prints, or a list of such")]
pub enum KeyHashes {
    /// One.
    One(Secret),
    /// Some, or none.
    Many(Vec<Secret>),
}

// === impl AdminSetting ===

impl AdminSetting {
    pub(super) fn read(&self) -> Result<Admin, ConfigError> {
        Ok(Admin { keys: self.key_sha256.read("admin.key_sha256")?, open_metrics: self.open_metrics })
    }
}

// === impl KeyHashes ===

impl KeyHashes {
    /// All of them, which stand in that field.
    ///
    /// # Errors
    /// One is none. It is not shown.
    pub fn read(&self, field: &str) -> Result<Vec<KeyHash>, ConfigError> {
        let hashes = match self {
            Self::One(hash) => std::slice::from_ref(hash),
            Self::Many(hashes) => hashes,
        };
        let there = |error: ConfigError| ConfigError { field: field.to_owned(), ..error };
        hashes.iter().map(|hash| hash.reveal().parse().map_err(there)).collect()
    }
}

impl Default for KeyHashes {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}
