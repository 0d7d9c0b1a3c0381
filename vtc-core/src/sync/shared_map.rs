//! A concurrent map whose values are reference counted and whose locks never leave this file.

use super::Arc;

/// `std`'s: loom's cannot hold a `str`, and nothing is published through a name.
type Name = std::sync::Arc<str>;

#[cfg(not(all(loom, feature = "loom")))]
type Inner<V> = dashmap::DashMap<Name, Arc<V>, foldhash::fast::RandomState>;
#[cfg(all(loom, feature = "loom"))]
type Inner<V> = super::Mutex<std::collections::BTreeMap<Name, Arc<V>>>;

/// Name -> shared value. Sharded locks, held only inside these methods: a guard that is kept across
/// another call on the same map can deadlock, so none is handed out.
///
/// The hasher is seeded at random per map: names are chosen by clients, and must not be able to
/// choose their bucket.
#[derive(Debug)]
pub(crate) struct SharedMap<V>(Inner<V>);

#[cfg(not(all(loom, feature = "loom")))]
impl<V> SharedMap<V> {
    /// `shards` is rounded up to a power of two, at least 2.
    pub(crate) fn new(shards: usize) -> Self {
        let shards = shards.next_power_of_two().max(2);
        let hasher = foldhash::fast::RandomState::default();
        Self(Inner::with_hasher_and_shard_amount(hasher, shards))
    }

    /// Looks at the value of `name`, under the shard's lock: `look` must be short and not touch the map. To keep
    /// the value, clone it.
    #[inline]
    pub(crate) fn with<R>(&self, name: &str, look: impl FnOnce(&Arc<V>) -> R) -> Option<R> {
        self.0.get(name).map(|entry| look(entry.value()))
    }

    /// The value of `name`, else what `make` gives, which then stands in the map; `make` may decline
    /// with `Err` and nothing is inserted. `make` runs under the shard's lock: at most one runs for a name.
    pub(crate) fn get_or_try_insert<E>(
        &self,
        name: &str,
        make: impl FnOnce(&Name) -> Result<Arc<V>, E>,
    ) -> Result<Arc<V>, E> {
        match self.0.entry(Name::from(name)) {
            dashmap::Entry::Occupied(entry) => Ok(Arc::clone(entry.get())),
            dashmap::Entry::Vacant(entry) => {
                let value = make(entry.key())?;
                entry.insert(Arc::clone(&value));
                Ok(value)
            }
        }
    }

    /// Calls `visit` for each value. It sees every value that stands in the map throughout, and may or
    /// may not see one that comes or goes meanwhile. `visit` must not touch the map.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Arc<V>)) {
        self.0.iter().for_each(|entry| visit(entry.value()));
    }

    /// Removes every value for which `keep` says no. Each shard is locked while its values are asked,
    /// so nobody can get hold of a value between the question and its removal; `Arc::get_mut` tells
    /// whether anybody had hold of it before.
    pub(crate) fn retain(&self, mut keep: impl FnMut(&mut Arc<V>) -> bool) {
        self.0.retain(|_, value| keep(value));
    }
}

/// In order of names: loom replays an execution, so every visit must come in the same order.
#[cfg(all(loom, feature = "loom"))]
impl<V> SharedMap<V> {
    pub(crate) fn new(_shards: usize) -> Self {
        Self(super::Mutex::new(std::collections::BTreeMap::new()))
    }

    pub(crate) fn with<R>(&self, name: &str, look: impl FnOnce(&Arc<V>) -> R) -> Option<R> {
        self.0.lock().get(name).map(look)
    }

    pub(crate) fn get_or_try_insert<E>(
        &self,
        name: &str,
        make: impl FnOnce(&Name) -> Result<Arc<V>, E>,
    ) -> Result<Arc<V>, E> {
        let mut map = self.0.lock();
        if let Some(value) = map.get(name) {
            return Ok(Arc::clone(value));
        }
        let name = Name::from(name);
        let value = make(&name)?;
        map.insert(name, Arc::clone(&value));
        Ok(value)
    }

    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Arc<V>)) {
        self.0.lock().values().for_each(&mut visit);
    }

    pub(crate) fn retain(&self, mut keep: impl FnMut(&mut Arc<V>) -> bool) {
        self.0.lock().retain(|_, value| keep(value));
    }
}
