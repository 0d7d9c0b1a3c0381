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

/// A refund against an export: whoever exports once more after it has told what is there.
pub fn a_refund_against_an_export<R: Rules>() {
    against_an_export::<R>(&[30]);
}

/// Two refunds, of which the second finds flag and mark as the first left them.
pub fn refunds_against_an_export<R: Rules>() {
    against_an_export::<R>(&[10, 20]);
}

fn against_an_export<R: Rules>(refunds: &'static [u64]) {
    let copy = Arc::new(Copy::<R> {
        bucket: AtomicU64::new(100),
        total: AtomicU64::new(100),
        changed: AtomicU64::new(0),
        revised: AtomicU64::new(0),
        rules: PhantomData,
    });
    let refunder = {
        let copy = Arc::clone(&copy);
        thread::spawn(move || refunds.iter().for_each(|amount| copy.refund(*amount)))
    };
    let early = copy.export();
    refunder.join().unwrap();
    let told = copy.export().or(early);
    assert_eq!(told, Some(70), "told after the last refund, {early:?} before");
}
