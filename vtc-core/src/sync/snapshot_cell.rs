//! An immutable value that one writer replaces and everybody reads.

use super::Arc;

#[cfg(not(all(loom, feature = "loom")))]
type Cell<T> = arc_swap::ArcSwap<T>;
#[cfg(all(loom, feature = "loom"))]
type Cell<T> = super::Mutex<Arc<T>>;

/// The reading half: cheap to clone, never waits for the writer.
///
/// A reader sees one whole value: either the one before a publication or the one after it.
#[derive(Debug)]
pub struct Snapshot<T>(Arc<Cell<T>>);

/// The writing half. There is one per snapshot: it cannot be cloned, and publishing needs `&mut`,
/// so that "single writer" is a type and not a promise.
#[derive(Debug)]
pub struct Publisher<T>(Arc<Cell<T>>);

/// Makes a snapshot that holds `initial`, and its two halves.
pub fn snapshot<T>(initial: T) -> (Publisher<T>, Snapshot<T>) {
    #[cfg(not(all(loom, feature = "loom")))]
    let cell = Arc::new(Cell::from_pointee(initial));
    #[cfg(all(loom, feature = "loom"))]
    let cell = Arc::new(Cell::new(Arc::new(initial)));
    (Publisher(Arc::clone(&cell)), Snapshot(cell))
}

// === impl Snapshot ===

impl<T> Snapshot<T> {
    /// The value as last published, for a short look: a few nanoseconds, no reference count.
    ///
    /// Do not keep the guard across an await point or for long: `arc-swap` has few fast slots per
    /// thread.
    #[cfg(not(all(loom, feature = "loom")))]
    pub fn load(&self) -> impl std::ops::Deref<Target = Arc<T>> + use<T> {
        self.0.load()
    }

    /// The value as last published.
    #[cfg(all(loom, feature = "loom"))]
    pub fn load(&self) -> impl std::ops::Deref<Target = Arc<T>> + use<T> {
        Box::new(Arc::clone(&self.0.lock()))
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

// === impl Publisher ===

impl<T> Publisher<T> {
    /// Replaces the value. Readers that loaded the old one keep it until they let go.
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
