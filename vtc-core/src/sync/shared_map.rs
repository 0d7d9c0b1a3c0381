//! A concurrent map of values that carry their own names; its locks never leave this file.

/// A value that can be found by name: a reference-counted pointer.
pub(crate) trait Named: Clone {
    /// Its name, which never changes.
    fn name(&self) -> &str;

    /// Whether nobody else has a clone.
    fn is_sole(&self) -> bool;

    /// Whether both are clones of one.
    fn is_same(&self, other: &Self) -> bool;
}

#[cfg(not(all(loom, feature = "loom")))]
pub(crate) use self::by_shards::SharedMap;
#[cfg(all(loom, feature = "loom"))]
pub(crate) use self::modelled::SharedMap;

#[cfg(not(all(loom, feature = "loom")))]
mod by_shards {
    use std::hash::BuildHasher;
    use std::sync::PoisonError;

    use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};
    use foldhash::fast::RandomState;
    use hashbrown::HashTable;

    use super::Named;

    /// Name -> value. Sharded locks, held only inside these methods, so that none is held across anything else.
    ///
    /// Each shard's lock is itself a row of eight locks, of which a reader takes the one of its thread and a writer all:
    /// two threads that look up whatever names do not write to one cache line (of more than eight, some do). With one
    /// lock per shard its line goes to and fro between two cores, and that costs more than the rest of a charge.
    ///
    /// An entry is nothing but the value, a pointer: so the table is small, and the name is read where it is needed
    /// anyway. The hasher is seeded at random per map: names are chosen by clients, and must not be able to choose
    /// their bucket.
    pub(crate) struct SharedMap<V> {
        shards: Box<[ShardedLock<HashTable<V>>]>,
        hasher: RandomState,
    }

    // === impl SharedMap ===

    impl<V: Named> SharedMap<V> {
        /// `shards` is rounded up to a power of two.
        pub(crate) fn new(shards: usize) -> Self {
            let shards =
                (0..shards.next_power_of_two()).map(|_| ShardedLock::new(HashTable::new())).collect();
            Self { shards, hasher: RandomState::default() }
        }

        /// Looks at the value of that name, under the shard's lock: `look` must be short and not touch the map. To
        /// keep the value, clone it.
        #[inline]
        pub(crate) fn with<R>(&self, name: &str, look: impl FnOnce(&V) -> R) -> Option<R> {
            let hash = self.hasher.hash_one(name);
            self.read(hash).find(hash, |other| other.name() == name).map(look)
        }

        /// The value of that name, else what `make` gives, which then stands in the map; `make` may decline and
        /// nothing is inserted. It runs under the shard's lock: at most one runs for a name.
        pub(crate) fn get_or_insert(&self, name: &str, make: impl FnOnce() -> Option<V>) -> Option<V> {
            let hash = self.hasher.hash_one(name);
            let mut shard = self.write(hash);
            if let Some(found) = shard.find(hash, |other| other.name() == name) {
                return Some(found.clone());
            }
            let made = make()?;
            shard.insert_unique(hash, made.clone(), |other| self.hasher.hash_one(other.name()));
            Some(made)
        }

        /// Calls `visit` for each value. It sees every value that stands in the map throughout, and may or
        /// may not see one that comes or goes meanwhile. `visit` must not touch the map.
        pub(crate) fn for_each(&self, mut visit: impl FnMut(&V)) {
            for shard in &self.shards {
                shard.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(&mut visit);
            }
        }

        /// Removes a value if the map and the caller are the only ones who have it and `may_go` says so; else gives
        /// the caller's back. The shard is locked meanwhile, so nobody can get hold of it between the question
        /// and the removal.
        pub(crate) fn remove_unheld(&self, value: V, may_go: impl FnOnce(&V) -> bool) -> Result<(), V> {
            let hash = self.hasher.hash_one(value.name());
            let mut shard = self.write(hash);
            let Ok(entry) = shard.find_entry(hash, |other| other.is_same(&value)) else {
                return Err(value);
            };
            drop(value);
            if !(entry.get().is_sole() && may_go(entry.get())) {
                return Err(entry.get().clone());
            }
            let (removed, _) = entry.remove();
            // Freed outside of the lock.
            drop(shard);
            drop(removed);
            Ok(())
        }

        // Nothing that runs under a lock leaves a table half changed: poison is no harm.

        #[inline]
        fn read(&self, hash: u64) -> ShardedLockReadGuard<'_, HashTable<V>> {
            self.shard(hash).read().unwrap_or_else(PoisonError::into_inner)
        }

        fn write(&self, hash: u64) -> ShardedLockWriteGuard<'_, HashTable<V>> {
            self.shard(hash).write().unwrap_or_else(PoisonError::into_inner)
        }

        /// By bits of the hash that the table does not use: it takes its place from the lowest and its tag from the
        /// highest seven.
        #[inline]
        fn shard(&self, hash: u64) -> &ShardedLock<HashTable<V>> {
            &self.shards[(hash >> 32) as usize & (self.shards.len() - 1)]
        }
    }
}

/// A mutex around an ordered map: loom replays an execution, so every visit must come in the same order.
#[cfg(all(loom, feature = "loom"))]
mod modelled {
    use std::collections::BTreeMap;

    use super::Named;
    use crate::sync::Mutex;

    pub(crate) struct SharedMap<V>(Mutex<BTreeMap<String, V>>);

    impl<V: Named> SharedMap<V> {
        pub(crate) fn new(_shards: usize) -> Self {
            Self(Mutex::new(BTreeMap::new()))
        }

        pub(crate) fn with<R>(&self, name: &str, look: impl FnOnce(&V) -> R) -> Option<R> {
            self.0.lock().get(name).map(look)
        }

        pub(crate) fn get_or_insert(&self, name: &str, make: impl FnOnce() -> Option<V>) -> Option<V> {
            let mut map = self.0.lock();
            if let Some(value) = map.get(name) {
                return Some(value.clone());
            }
            let value = make()?;
            map.insert(name.to_owned(), value.clone());
            Some(value)
        }

        pub(crate) fn for_each(&self, visit: impl FnMut(&V)) {
            self.0.lock().values().for_each(visit);
        }

        pub(crate) fn remove_unheld(&self, value: V, may_go: impl FnOnce(&V) -> bool) -> Result<(), V> {
            let mut map = self.0.lock();
            let name = value.name().to_owned();
            let Some(entry) = map.get(&name).filter(|entry| entry.is_same(&value)) else { return Err(value) };
            drop(value);
            if !(entry.is_sole() && may_go(entry)) {
                return Err(entry.clone());
            }
            map.remove(&name);
            Ok(())
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::SliceArc;

    type Value = SliceArc<String, u8>;

    impl Named for Value {
        fn name(&self) -> &str {
            self.head()
        }

        fn is_sole(&self) -> bool {
            self.is_sole()
        }

        fn is_same(&self, other: &Self) -> bool {
            self.is_same(other)
        }
    }

    fn value(name: &str) -> Value {
        SliceArc::new(name.to_owned(), [].into_iter())
    }

    #[test]
    fn a_name_has_one_value_and_whoever_declines_leaves_nothing() {
        let map = SharedMap::new(4);
        assert!(map.get_or_insert("a", || None).is_none());
        assert!(map.with("a", |_| ()).is_none());
        let first = map.get_or_insert("a", || Some(value("a"))).unwrap();
        let second = map.get_or_insert("a", || unreachable!("it is there")).unwrap();
        assert!(first.is_same(&second));
        let mut seen = Vec::new();
        (0..1000).for_each(|i| drop(map.get_or_insert(&i.to_string(), || Some(value(&i.to_string())))));
        map.for_each(|value| seen.push(value.name().to_owned()));
        assert_eq!(seen.len(), 1001);
        assert!(
            (0..1000).all(|i| map.with(&i.to_string(), |value| value.name() == i.to_string()) == Some(true))
        );
    }

    #[test]
    fn only_what_nobody_else_holds_is_removed_and_only_if_it_may_go() {
        let map = SharedMap::new(4);
        let (mine, held) =
            (map.get_or_insert("a", || Some(value("a"))).unwrap(), map.with("a", Clone::clone));
        let mine = map.remove_unheld(mine, |_| true).err().unwrap();
        drop(held);
        let mine = map.remove_unheld(mine, |_| false).err().unwrap();
        assert!(map.remove_unheld(mine, |value| value.name() == "a").is_ok());
        assert!(map.with("a", |_| ()).is_none());
        assert!(map.remove_unheld(value("a"), |_| true).is_err(), "one that never stood there");
    }
}
