//! How a replica takes part.

use std::time::Duration;

use vtc_core::ConfigError;

use super::exchange::Bounds;

/// How a replica shares its counts with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaConfig {
    /// The replica's name, for people; need not be unique. At its start it gets an id that is: the name and a random number.
    /// Default `vtc`.
    pub name: String,
    /// What the names of all keys in Redis begin with; those who share have the same. Default `vtc`. It is the keys' hash
    /// tag, so that they live on one node of a cluster.
    pub prefix: String,
    /// How long to wait between two exchanges; at least 1 ms. Default 100 ms.
    pub interval: Duration,
    /// How long to wait for Redis, for a connection and for each reply; more than 0. Default 1 s.
    pub timeout: Duration,
    /// How long a replica may be silent before the others take it for gone; at least five times the interval, since it
    /// speaks at least each fifth of it. Default 5 s.
    pub longest_silence: Duration,
}

/// A writing of so many rows takes Redis some ten milliseconds.
const MOST_ROWS: usize = 20_000;
/// What a hundred replicas say within ten seconds.
const MOST_ENTRIES: usize = 10_000;
/// Tables have the rows of all users that one replica served in one bucket.
const MOST_TABLES: usize = 16;

// === impl ReplicaConfig ===

impl ReplicaConfig {
    /// The default for a replica of that name.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let shown = |span: Duration| format!("{span:?}");
        if self.name.is_empty() || self.name.len() > 64 {
            return Err(ConfigError::new("name", &self.name, "a name of 1 to 64 bytes"));
        }
        let is_plain = |prefix: &str| !prefix.is_empty() && !prefix.contains(['{', '}']);
        if !is_plain(&self.prefix) || self.prefix.len() > 128 {
            return Err(ConfigError::new("prefix", &self.prefix, "1 to 128 bytes without { and }"));
        }
        if self.interval < Duration::from_millis(1) {
            return Err(ConfigError::new("interval", shown(self.interval), "at least 1 ms"));
        }
        if self.timeout.is_zero() {
            return Err(ConfigError::new("timeout", shown(self.timeout), "more than 0"));
        }
        if self.longest_silence < 5 * self.interval {
            let allowed = "at least five times the interval";
            return Err(ConfigError::new("longest_silence", shown(self.longest_silence), allowed));
        }
        Ok(())
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            longest_silence: self.longest_silence,
            log: 4 * self.longest_silence,
            most_rows: MOST_ROWS,
            most_entries: MOST_ENTRIES,
            most_tables: MOST_TABLES,
        }
    }
}

impl Default for ReplicaConfig {
    fn default() -> Self {
        Self {
            name: "vtc".to_owned(),
            prefix: "vtc".to_owned(),
            interval: Duration::from_millis(100),
            timeout: Duration::from_secs(1),
            longest_silence: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_field_is_named() {
        type Spoil = fn(&mut ReplicaConfig);
        let cases: [(&str, Spoil); 7] = [
            ("name", |c| c.name.clear()),
            ("name", |c| c.name = "x".repeat(65)),
            ("prefix", |c| c.prefix.clear()),
            ("prefix", |c| c.prefix = "{a}".to_owned()),
            ("interval", |c| c.interval = Duration::ZERO),
            ("timeout", |c| c.timeout = Duration::ZERO),
            ("longest_silence", |c| c.longest_silence = Duration::from_millis(499)),
        ];
        ReplicaConfig::default().validate().unwrap();
        for (field, spoil) in cases {
            let mut config = ReplicaConfig::default();
            spoil(&mut config);
            assert_eq!(config.validate().unwrap_err().field, field);
        }
    }
}
