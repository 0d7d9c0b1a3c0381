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
    use std::borrow::Borrow;
    use std::hash::{Hash, Hasher};

    use dashmap::{DashMap, SharedValue};
    use foldhash::fast::RandomState;

    use super::Named;

    /// Name -> value. Sharded locks, held only inside these methods: a guard that is kept across another call on
    /// the same map can deadlock, so none is handed out.
    ///
    /// An entry is nothing but the value, a pointer: so the table is small, and the name is read where it is needed
    /// anyway. The hasher is seeded at random per map: names are chosen by clients, and must not be able to choose
    /// their bucket.
    pub(crate) struct SharedMap<V>(DashMap<ByName<V>, (), RandomState>);

    /// A value that is hashed and compared by its name.
    struct ByName<V>(V);

    // === impl SharedMap ===

    impl<V: Named> SharedMap<V> {
        /// `shards` is rounded up to a power of two, at least 2.
        pub(crate) fn new(shards: usize) -> Self {
            let shards = shards.next_power_of_two().max(2);
            Self(DashMap::with_hasher_and_shard_amount(RandomState::default(), shards))
        }

        /// Looks at the value of that name, under the shard's lock: `look` must be short and not touch the map. To
        /// keep the value, clone it.
        #[inline]
        pub(crate) fn with<R>(&self, name: &str, look: impl FnOnce(&V) -> R) -> Option<R> {
            self.0.get(name).map(|entry| look(&entry.key().0))
        }

        /// The value of that name, else what `make` gives, which then stands in the map; `make` may decline and
        /// nothing is inserted. It runs under the shard's lock: at most one runs for a name.
        pub(crate) fn get_or_insert(&self, name: &str, make: impl FnOnce() -> Option<V>) -> Option<V> {
            let hash = self.0.hash_usize(&name);
            let mut shard = self.0.shards()[self.0.determine_shard(hash)].write();
            if let Some((found, _)) = shard.get(hash as u64, |(other, _)| other.0.name() == name) {
                return Some(found.0.clone());
            }
            let made = make()?;
            let entry = (ByName(made.clone()), SharedValue::new(()));
            shard.insert(hash as u64, entry, |(other, _)| self.0.hash_usize(&other.0.name()) as u64);
            Some(made)
        }

        /// Calls `visit` for each value. It sees every value that stands in the map throughout, and may or
        /// may not see one that comes or goes meanwhile. `visit` must not touch the map.
        pub(crate) fn for_each(&self, mut visit: impl FnMut(&V)) {
            self.0.iter().for_each(|entry| visit(&entry.key().0));
        }

        /// Removes a value if the map and the caller are the only ones who have it and `may_go` says so; else gives
        /// the caller's back. The shard is locked meanwhile, so nobody can get hold of it between the question
        /// and the removal.
        pub(crate) fn remove_unheld(&self, value: V, may_go: impl FnOnce(&V) -> bool) -> Result<(), V> {
            let hash = self.0.hash_usize(&value.name());
            let mut shard = self.0.shards()[self.0.determine_shard(hash)].write();
            let Some((entry, _)) = shard.get(hash as u64, |(other, _)| other.0.is_same(&value)) else {
                return Err(value);
            };
            drop(value);
            let goes = entry.0.is_sole() && may_go(&entry.0);
            let last = entry.0.clone();
            if !goes {
                return Err(last);
            }
            let removed = shard.remove_entry(hash as u64, |(other, _)| other.0.is_same(&last));
            // Freed outside of the lock.
            drop(shard);
            drop((removed, last));
            Ok(())
        }
    }

    // === impl ByName ===

    impl<V: Named> Borrow<str> for ByName<V> {
        fn borrow(&self) -> &str {
            self.0.name()
        }
    }

    impl<V: Named> Hash for ByName<V> {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.name().hash(state);
        }
    }

    impl<V: Named> PartialEq for ByName<V> {
        fn eq(&self, other: &Self) -> bool {
            self.0.name() == other.0.name()
        }
    }

    impl<V: Named> Eq for ByName<V> {}
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
