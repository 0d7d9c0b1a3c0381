//! The gateway's lock: for a few plain statements, never across an await.

use std::fmt;
#[expect(clippy::disallowed_types, reason = "this is the one place of this crate that names a lock")]
use std::sync::Mutex;
use std::sync::PoisonError;

/// A mutex without poisoning: what it guards is valid between any two statements.
///
/// Whoever takes it holds it for some nanoseconds, where a request takes tens of microseconds.
#[derive(Default)]
#[expect(clippy::disallowed_types, reason = "this is the one place of this crate that names a lock")]
pub(crate) struct Lock<T>(Mutex<T>);

// === impl Lock ===

impl<T> Lock<T> {
    #[expect(clippy::disallowed_types, reason = "this is the one place of this crate that names a lock")]
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Does this with it, alone.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
