//! An immutable value that one writer replaces and everybody reads.

use super::Arc;

#[cfg(not(all(loom, feature = "loom")))]
type Cell<T> = arc_swap::ArcSwap<T>;
#[cfg(all(loom, feature = "loom"))]
type Cell<T> = super::Mutex<Arc<T>>;

/// The reading half: cheap to clone, never waits for the writer.
///
/// A reader sees one whole value: the one last published, or, if a publication is under way, possibly the one
/// before it. One thread never sees an older value after a newer one.
#[derive(Debug)]
pub struct Snapshot<T> {
    cell: Arc<Cell<T>>,
    /// No other snapshot has it.
    #[cfg(not(all(loom, feature = "loom")))]
    number: usize,
}

/// The writing half. There is one per snapshot: it cannot be cloned, and publishing needs `&mut`,
/// so that "single writer" is a type and not a promise.
#[derive(Debug)]
pub struct Publisher<T>(Arc<Cell<T>>);

/// Makes a snapshot that holds `initial`, and its two halves.
pub fn snapshot<T: Send + Sync + 'static>(initial: T) -> (Publisher<T>, Snapshot<T>) {
    #[cfg(not(all(loom, feature = "loom")))]
    let cell = Arc::new(Cell::from_pointee(initial));
    #[cfg(all(loom, feature = "loom"))]
    let cell = Arc::new(Cell::new(Arc::new(initial)));
    let snapshot = Snapshot {
        cell: Arc::clone(&cell),
        #[cfg(not(all(loom, feature = "loom")))]
        number: seen::next_number(),
    };
    (Publisher(cell), snapshot)
}

// === impl Snapshot ===

#[cfg(not(all(loom, feature = "loom")))]
impl<T: Send + Sync + 'static> Snapshot<T> {
    /// Looks at the value: one load, unless it was replaced since this thread last looked.
    #[inline]
    pub fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        seen::with(&self.cell, self.number, look)
    }
}

#[cfg(all(loom, feature = "loom"))]
impl<T: Send + Sync + 'static> Snapshot<T> {
    /// Looks at the value.
    pub fn with<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        let value = Arc::clone(&self.cell.lock());
        look(&value)
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self {
            cell: Arc::clone(&self.cell),
            #[cfg(not(all(loom, feature = "loom")))]
            number: self.number,
        }
    }
}

// === impl Publisher ===

impl<T> Publisher<T> {
    /// Replaces the value. Readers that look at the old one may finish.
    #[cfg(not(all(loom, feature = "loom")))]
    pub fn publish(&mut self, value: Arc<T>) {
        self.0.store(value);
    }

    /// Replaces the value.
    #[cfg(all(loom, feature = "loom"))]
    pub fn publish(&mut self, value: Arc<T>) {
        *self.0.lock() = value;
    }
}

/// What each thread saw last.
///
/// Loading from an `ArcSwap` costs two read-modify-writes, since the value has to be kept alive while it is
/// looked at. A thread that keeps what it saw last has to compare one pointer instead. It keeps a few values (and
/// their cells) alive for as long as it lives and looks at no others: they are small.
#[cfg(not(all(loom, feature = "loom")))]
mod seen {
    use std::any::Any;
    use std::cell::Cell;

    use arc_swap::{ArcSwap, Cache};

    use crate::sync::{Arc, AtomicUsize, Ordering};

    /// A router has two snapshots, made one after the other: threads that serve up to eight routers always find
    /// what they saw last.
    const SLOTS: usize = 16;

    struct Seen {
        number: usize,
        /// A `Cache<Arc<ArcSwap<T>>, Arc<T>>`.
        cache: Box<dyn Any>,
    }

    static NEXT: AtomicUsize = AtomicUsize::new(0);

    thread_local! {
        static SEEN: [Cell<Option<Seen>>; SLOTS] = const { [const { Cell::new(None) }; SLOTS] };
    }

    pub(super) fn next_number() -> usize {
        // Relaxed: only that the numbers differ matters.
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn with<T, R>(cell: &Arc<ArcSwap<T>>, number: usize, look: impl FnOnce(&T) -> R) -> R
    where
        T: Send + Sync + 'static,
    {
        let slot = number % SLOTS;
        // Taken out while it is used, so that `look` may look at other snapshots, and at this one. A thread
        // that is coming to its end has no slots any more: it goes without.
        let mut seen = SEEN.try_with(|slots| slots[slot].take()).ok().flatten();
        let cache = seen
            .as_mut()
            .filter(|seen| seen.number == number)
            .and_then(|seen| seen.cache.downcast_mut::<Cache<Arc<ArcSwap<T>>, Arc<T>>>());
        if let Some(cache) = cache {
            let result = look(cache.load());
            let _ = SEEN.try_with(|slots| slots[slot].set(seen));
            return result;
        }
        let mut cache = Cache::new(Arc::clone(cell));
        let result = look(cache.load());
        let seen = Seen { number, cache: Box::new(cache) };
        let _ = SEEN.try_with(|slots| slots[slot].set(Some(seen)));
        result
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_look_shows_the_last_publication_also_within_a_look() {
        let (mut publisher, first) = snapshot(1);
        let (_, second) = snapshot("other");
        assert_eq!(first.with(|value| *value), 1);
        publisher.publish(Arc::new(2));
        let nested = first.with(|outer| (*outer, first.with(|inner| *inner), second.with(|other| *other)));
        assert_eq!(nested, (2, 2, "other"));
        publisher.publish(Arc::new(3));
        assert_eq!(first.clone().with(|value| *value), 3);
    }

    #[test]
    fn many_snapshots_do_not_mix_and_old_values_go() {
        let snapshots: Vec<_> = (0..100).map(|i| (i, snapshot(Arc::new(i)).1)).collect();
        for round in 0..3 {
            for (i, snapshot) in &snapshots {
                assert_eq!(snapshot.with(|value| **value), *i, "round {round}");
            }
        }
        let value = Arc::new(7);
        let (mut publisher, snapshot) = snapshot(Arc::clone(&value));
        assert_eq!(snapshot.with(|value| **value), 7);
        publisher.publish(Arc::new(Arc::new(8)));
        assert_eq!(snapshot.with(|value| **value), 8);
        assert_eq!(Arc::strong_count(&value), 1, "the thread has let go of the old value");
    }
}
