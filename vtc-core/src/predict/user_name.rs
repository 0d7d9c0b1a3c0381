//! A user's name, together with its hash.

use std::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

/// A user's name, and a key that stands for it: whoever looks the user up in several places hashes the name once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserName<'a> {
    name: &'a str,
    key: u64,
}

/// Any number: what is secret is the seed of the process.
const SEED: u64 = 0x7563_6f75_6e74_6572;

// === impl UserName ===

impl<'a> UserName<'a> {
    /// The name with its key. O(length of the name).
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        // Names are chosen by clients: the seed is random.
        let mut hasher = FoldHasher::with_seed(SEED, SharedSeed::global_random());
        hasher.write(name.as_bytes());
        Self { name, key: hasher.finish() }
    }

    /// The name with a key that was [made](UserName::new) of it before.
    pub(crate) const fn with_key(name: &'a str, key: u64) -> Self {
        Self { name, key }
    }

    /// The name.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.name
    }

    /// The key: a hash of the name, good as long as the process lives. Two names have the same one as rarely as 64
    /// random bits agree, and a client cannot find such names, as it does not know the seed.
    #[must_use]
    pub const fn key(self) -> u64 {
        self.key
    }
}

impl<'a> From<&'a str> for UserName<'a> {
    fn from(name: &'a str) -> Self {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_name_has_one_key_and_others_have_others() {
        let names: Vec<_> = (0..100_000).map(|number| format!("user-{number}")).collect();
        let keys: HashSet<_> = names.iter().map(|name| UserName::new(name).key()).collect();
        assert_eq!(keys.len(), names.len());
        assert_eq!(UserName::new("alice"), UserName::from("alice"));
        assert_ne!(UserName::new("").key(), UserName::new("\0").key());
    }
}
