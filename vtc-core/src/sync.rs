//! The facade: every atomic, lock and concurrent map of this crate comes from here.
//!
//! In an ordinary build the names are `std`'s (and those of `arc-swap`, `crossbeam` and `triomphe`). With `--cfg loom`
//! *and* the feature `loom` they are loom's, so that the models in `loom-tests` run the very source
//! text that ships. Three parts cannot be seen by loom: the inside of `arc-swap` ([`snapshot`]) and of the
//! map ([`SharedMap`]) are a mutex there, and the reference count of `triomphe` ([`SliceArc`]) is modelled by one with
//! the same orderings. What the models prove is the protocol built on top of them.

mod shared_map;
mod slice_arc;
mod snapshot_cell;

pub(crate) use self::inner::*;
pub(crate) use self::shared_map::{Named, SharedMap};
pub(crate) use self::slice_arc::SliceArc;
pub use self::snapshot_cell::{Publisher, Snapshot, snapshot};

#[cfg(all(loom, feature = "loom"))]
mod inner {
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    pub(crate) use loom::sync::MutexGuard;

    /// A mutex without poisoning: what it guards is valid between any two statements.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }
}

#[cfg(not(all(loom, feature = "loom")))]
#[expect(clippy::disallowed_types, reason = "this is the facade: the one place that names atomics and locks")]
mod inner {
    pub(crate) use std::sync::Arc;
    pub(crate) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    pub(crate) use std::sync::MutexGuard;

    use std::sync::{PoisonError, TryLockError};

    /// A mutex without poisoning: what it guards is valid between any two statements.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            match self.0.try_lock() {
                Ok(guard) => Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        }
    }
}
