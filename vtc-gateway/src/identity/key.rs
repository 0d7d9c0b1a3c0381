//! Keys: how they are made, kept and recognised.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use vtc_core::ConfigError;

/// The SHA-256 of a key, which is all of it that is ever kept.
///
/// A key is 256 random bits, so there is nothing to guess: a slow hash, which a password needs, would only slow down
/// requests. Two of them are compared in constant time.
#[derive(Clone, Copy)]
pub struct KeyHash([u8; 32]);

/// Why a key opens nothing there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongKey {
    /// There is none.
    #[error("give an API key, as in `authorization: Bearer KEY`")]
    Missing,
    /// It is nobody's.
    #[error("the API key is not one of this gateway's")]
    Unknown,
    /// It is the admin's, whom no pod serves.
    #[error("this key is the admin's, which opens /v1/vtc/ and /metrics: give a tenant's")]
    Admins,
    /// It is a tenant's, who may not look.
    #[error("this key is a tenant's, which opens neither /v1/vtc/ nor /metrics: give the admin's")]
    Tenants,
}

/// Whose keys there are.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    by_hash: HashMap<KeyHash, Arc<str>>,
}

/// What all keys that are made here begin with, so that one that leaks is found by whoever looks for such.
const PREFIX: &str = "vtc-";

/// A new key: 256 bits from the system's source of randomness, in hexadecimal digits.
///
/// # Errors
/// The system has no randomness to give.
pub fn fresh() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{PREFIX}{}", Hex(&bytes)))
}

/// Bytes as lower-case hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

// === impl KeyHash ===

impl KeyHash {
    /// The hash of that key.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// Whether it is the hash of that key. Takes the same time whatever the key.
    #[must_use]
    pub fn is_of(&self, key: &[u8]) -> bool {
        *self == Self::of(key)
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyHash {}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

impl FromStr for KeyHash {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
        let bytes: Option<Vec<u8>> = digits.map(|digits| {
            digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, digit| sum * 16 + digit)).collect()
        });
        let bytes = bytes.filter(|_| text.len() == 64).and_then(|bytes| bytes.try_into().ok());
        // What stands here instead may be the key itself: it is not repeated.
        bytes.map(Self).ok_or_else(|| {
            ConfigError::new("key_sha256", "..", "the 64 hexadecimal digits that `vtc-gateway key` prints")
        })
    }
}

// === impl KeyRing ===

impl KeyRing {
    /// Has a key be that tenant's. Says whether it was nobody's before.
    pub fn add(&mut self, key: KeyHash, tenant: &str) -> bool {
        self.by_hash.insert(key, tenant.into()).is_none()
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// How many keys that tenant has. O(keys).
    #[must_use]
    pub fn count_of(&self, tenant: &str) -> usize {
        self.by_hash.values().filter(|owner| &***owner == tenant).count()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whose key that is.
    ///
    /// How long it takes tells nothing about the keys there are: it is looked up by its hash's hash with a random secret,
    /// and what is found is compared in constant time.
    #[must_use]
    pub fn owner(&self, key: &[u8]) -> Option<&Arc<str>> {
        self.by_hash.get(&KeyHash::of(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256_in_digits() {
        // printf abc | sha256sum
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(KeyHash::of(b"abc").to_string(), abc);
        assert_eq!(abc.parse::<KeyHash>().unwrap(), KeyHash::of(b"abc"));
        assert_eq!(abc.to_uppercase().parse::<KeyHash>().unwrap(), KeyHash::of(b"abc"));
        assert!(KeyHash::of(b"abc").is_of(b"abc"));
        assert!(!KeyHash::of(b"abc").is_of(b"abd"));
    }

    #[test]
    fn what_is_no_hash_is_refused_and_not_repeated() {
        let almost = "a".repeat(63);
        for wrong in ["sk-secret", "", &almost, &format!("{almost}g"), &format!("{almost}ä"), &"a".repeat(65)]
        {
            let error = wrong.parse::<KeyHash>().unwrap_err().to_string();
            assert!(error.contains("64 hexadecimal digits"), "{error}");
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn each_new_key_is_another_and_is_recognised() {
        let (one, other) = (fresh().unwrap(), fresh().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), PREFIX.len() + 64);
        let mut ring = KeyRing::default();
        assert!(ring.is_empty());
        assert!(ring.add(KeyHash::of(one.as_bytes()), "alice"));
        assert!(!ring.add(KeyHash::of(one.as_bytes()), "bob"), "a key is one tenant's");
        assert_eq!(ring.owner(one.as_bytes()).map(|name| &**name), Some("bob"));
        assert_eq!(ring.owner(other.as_bytes()), None);
        assert_eq!(ring.owner(b""), None);
        assert_eq!([ring.len(), ring.count_of("bob"), ring.count_of("alice")], [1, 1, 0]);
    }
}
