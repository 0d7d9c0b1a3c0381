//! What things are called in Redis.

/// The names of all keys under a prefix. The prefix is their hash tag, so that a cluster keeps them on one node and a writing
/// can be one transaction.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
}

// === impl Keys ===

impl Keys {
    /// Those under that prefix.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: format!("{{{prefix}}}") }
    }

    /// A stream: what all replicas say, in the order in which they said it.
    pub fn log(&self) -> String {
        format!("{}:log", self.prefix)
    }

    /// A sorted set: the ids of the replicas that have tables, and until when, in milliseconds of Redis's clock.
    pub fn replicas(&self) -> String {
        format!("{}:replicas", self.prefix)
    }

    /// A list: the numbers of that replica's last writings, in their order. It is there as long as the replica is.
    pub fn numbers(&self, id: &str) -> String {
        format!("{}:numbers:{id}", self.prefix)
    }

    /// A set: the names of that replica's tables.
    pub fn tables(&self, id: &str) -> String {
        format!("{}:tables:{id}", self.prefix)
    }

    /// A hash: the rows of a table.
    pub fn rows(&self, id: &str, table: &str) -> String {
        format!("{}:rows:{id}:{table}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_have_one_hash_tag() {
        let keys = Keys::new("vtc");
        for key in
            [keys.log(), keys.replicas(), keys.numbers("a-1"), keys.tables("a-1"), keys.rows("a-1", "t{7}")]
        {
            assert!(key.starts_with("{vtc}:"), "{key}");
        }
    }
}
