//! A header and a slice in one allocation, reference counted: what belongs together is found with one pointer.

#[cfg(all(loom, feature = "loom"))]
pub(crate) use self::modelled::SliceArc;

/// Shared by its clones and freed with the last of them.
#[cfg(not(all(loom, feature = "loom")))]
pub(crate) struct SliceArc<H, T>(triomphe::ThinArc<H, T>);

// === impl SliceArc ===

#[cfg(not(all(loom, feature = "loom")))]
impl<H, T> SliceArc<H, T> {
    /// One allocation that holds both.
    pub(crate) fn new(head: H, items: impl ExactSizeIterator<Item = T>) -> Self {
        Self(triomphe::ThinArc::from_header_and_iter(head, items))
    }

    #[inline]
    pub(crate) fn head(&self) -> &H {
        &self.0.header.header
    }

    #[inline]
    pub(crate) fn slice(&self) -> &[T] {
        &self.0.slice
    }

    /// Whether there is no other clone. What those who had one did to it before they let go is seen then.
    pub(crate) fn is_sole(&self) -> bool {
        self.0.with_arc(triomphe::Arc::is_unique)
    }

    /// Whether both are clones of one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.head(), other.head())
    }
}

#[cfg(not(all(loom, feature = "loom")))]
impl<H, T> Clone for SliceArc<H, T> {
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// loom's `Arc` does not tell how many hold it, so the count is modelled beside it: with the orderings that
/// `triomphe` uses.
#[cfg(all(loom, feature = "loom"))]
mod modelled {
    use crate::sync::{Arc, AtomicUsize, Ordering};

    pub(crate) struct SliceArc<H, T>(Arc<(H, Box<[T]>, AtomicUsize)>);

    impl<H, T> SliceArc<H, T> {
        pub(crate) fn new(head: H, items: impl ExactSizeIterator<Item = T>) -> Self {
            Self(Arc::new((head, items.collect(), AtomicUsize::new(1))))
        }

        pub(crate) fn head(&self) -> &H {
            &self.0.0
        }

        pub(crate) fn slice(&self) -> &[T] {
            &self.0.1
        }

        pub(crate) fn is_sole(&self) -> bool {
            self.0.2.load(Ordering::Acquire) == 1
        }

        pub(crate) fn is_same(&self, other: &Self) -> bool {
            Arc::ptr_eq(&self.0, &other.0)
        }
    }

    impl<H, T> Clone for SliceArc<H, T> {
        fn clone(&self) -> Self {
            self.0.2.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(&self.0))
        }
    }

    impl<H, T> Drop for SliceArc<H, T> {
        fn drop(&mut self) {
            self.0.2.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_its_clones_is_sole() {
        let first = SliceArc::new("head", [1, 2, 3].into_iter());
        let second = first.clone();
        assert_eq!((second.head(), second.slice()), (&"head", &[1, 2, 3][..]));
        assert!(first.is_same(&second) && !first.is_sole());
        drop(first);
        assert!(second.is_sole());
        assert!(!second.is_same(&SliceArc::new("head", [1, 2, 3].into_iter())));
    }
}
