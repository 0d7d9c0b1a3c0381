//! A small copy of how an export learns of refunds, whose rules can be broken one at a time: to show that the models notice.

use std::marker::PhantomData;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

/// A rule of the protocol, and whether the copy keeps it.
pub trait Rules: Send + Sync + 'static {
    /// A bucket is marked after it has changed, not before.
    const MARK_AFTER: bool = true;
    /// The flag is raised once more after the mark.
    const RAISE_AGAIN: bool = true;
    /// The export reads a bucket by a read-modify-write.
    const READ_BY_EXCHANGE: bool = true;
    /// The export takes marks down even if it sees none.
    const TAKE_ALWAYS: bool = true;
}

/// All rules: the copy is as good as the original.
#[derive(Debug)]
pub struct AllRules;
impl Rules for AllRules {}

/// Marks the bucket before it changes.
#[derive(Debug)]
pub struct MarkFirst;
impl Rules for MarkFirst {
    const MARK_AFTER: bool = false;
}

/// Raises the flag before the mark only.
#[derive(Debug)]
pub struct RaiseOnce;
impl Rules for RaiseOnce {
    const RAISE_AGAIN: bool = false;
}

/// Reads the bucket by a plain load.
#[derive(Debug)]
pub struct ReadByLoad;
impl Rules for ReadByLoad {
    const READ_BY_EXCHANGE: bool = false;
}

/// Leaves the marks alone if it sees none.
#[derive(Debug)]
pub struct TakeSeen;
impl Rules for TakeSeen {
    const TAKE_ALWAYS: bool = false;
}

/// One bucket of one account, its total, its flag and its mark.
#[derive(Debug)]
struct Copy<R> {
    bucket: AtomicU64,
    total: AtomicU64,
    changed: AtomicU64,
    revised: AtomicU64,
    rules: PhantomData<R>,
}

// === impl Copy ===

impl<R: Rules> Copy<R> {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            bucket: AtomicU64::new(100),
            total: AtomicU64::new(100),
            changed: AtomicU64::new(0),
            revised: AtomicU64::new(0),
            rules: PhantomData,
        })
    }

    fn refund(&self, amount: u64) {
        if !R::MARK_AFTER {
            raise(&self.revised);
        }
        self.bucket.fetch_sub(amount, Ordering::AcqRel);
        self.total.fetch_sub(amount, Ordering::AcqRel);
        raise(&self.changed);
        if R::MARK_AFTER {
            raise(&self.revised);
        }
        if R::RAISE_AGAIN {
            raise(&self.changed);
        }
    }

    /// What the bucket holds, if there is anything new.
    fn export(&self) -> Option<u64> {
        if self.changed.swap(0, Ordering::AcqRel) == 0 {
            return None;
        }
        self.total.fetch_add(0, Ordering::AcqRel);
        if !R::TAKE_ALWAYS && self.revised.load(Ordering::Relaxed) == 0 {
            return None;
        }
        (self.revised.swap(0, Ordering::AcqRel) != 0).then(|| match R::READ_BY_EXCHANGE {
            true => self.bucket.fetch_add(0, Ordering::AcqRel),
            false => self.bucket.load(Ordering::Acquire),
        })
    }
}

fn raise(flag: &AtomicU64) {
    if flag.load(Ordering::Acquire) == 0 {
        flag.fetch_or(1, Ordering::AcqRel);
    }
}

/// Two refunds against an export: whoever exports once more after them has told what is there.
pub fn refunds_against_an_export<R: Rules>() {
    let copy = Copy::<R>::new();
    let refunder = {
        let copy = Arc::clone(&copy);
        thread::spawn(move || {
            copy.refund(10);
            copy.refund(20);
        })
    };
    let early = copy.export();
    refunder.join().unwrap();
    let told = copy.export().or(early);
    assert_eq!(told, Some(70), "told after the last refund, {early:?} before");
}

/// An export against a refund: the same, the other way round. loom looks for other orders where a step meets what another
/// thread has changed before, and an export that finds nothing changes nothing: so it is the one that is spawned.
pub fn an_export_against_a_refund<R: Rules>() {
    let copy = Copy::<R>::new();
    let exporter = {
        let copy = Arc::clone(&copy);
        thread::spawn(move || copy.export())
    };
    copy.refund(30);
    let early = exporter.join().unwrap();
    let told = copy.export().or(early);
    assert_eq!(told, Some(70), "told after the last refund, {early:?} before");
}
