//! What a tracker tells other replicas against those who charge and refund: the last word on each bucket is the truth.
#![cfg(loom)]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::time::Duration;

use loom::sync::Arc;
use loom::thread;
use loom_tests::{route, tiny_router};
use vtc_core::{ManualClock, Router, TokenTracker};

/// What was said last of each of alice's buckets.
#[derive(Default)]
struct Told(BTreeMap<u64, f64>);

impl Told {
    fn hear(&mut self, router: &Router<ManualClock>) {
        router.tracker().export_changes(|charged| {
            self.0.insert(charged.bucket, charged.amount.as_f64());
        });
    }

    fn sum(&self) -> f64 {
        self.0.values().sum()
    }
}

/// The exporter is the thread that is spawned: loom looks for other orders where a step meets what another thread has
/// changed before, and an export that finds nothing changes nothing.
fn export_beside(mut told: Told, router: &Arc<Router<ManualClock>>, change: impl FnOnce()) -> Told {
    let exporter = {
        let router = Arc::clone(router);
        thread::spawn(move || {
            told.hear(&router);
            told
        })
    };
    change();
    let mut told = exporter.join().unwrap();
    told.hear(router);
    told
}

/// A charge against an export: with the next export at the latest it is told.
#[test]
fn a_charge_against_an_export() {
    loom::model(|| {
        let router = Arc::new(tiny_router(&ManualClock::new()));
        let charge = |tokens| router.tracker().update_token_count("alice", tokens, 0.0).unwrap();
        let mut told = Told::default();
        charge(1.0);
        told.hear(&router);
        assert_eq!(export_beside(told, &router, || charge(2.0)).sum(), 3.0);
    });
}

/// A refund into the bucket before against an export: with the next export at the latest it is told, though nobody looks at
/// that bucket by itself any more.
#[test]
fn a_refund_into_an_older_bucket_against_an_export() {
    loom::model(|| {
        let clock = ManualClock::new();
        let router = Arc::new(tiny_router(&clock));
        let ticket = route(&router);
        let mut told = Told::default();
        told.hear(&router);
        clock.advance(Duration::from_millis(1));
        told.hear(&router);
        assert_eq!(told.sum(), 10.0);
        let told = export_beside(told, &router, || assert!(ticket.settle(3.0, 0.0).unwrap()));
        assert_eq!(told.sum(), 3.0);
    });
}

/// The protocol in small, to show that its order matters: an amount, a mark on its bucket, and a flag for the account.
mod in_small {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicU64, Ordering};
    use loom::thread;

    #[derive(Default)]
    struct Account {
        amount: AtomicU64,
        mark: AtomicU64,
        flag: AtomicU64,
    }

    fn raise(bit: &AtomicU64) {
        if bit.load(Ordering::Acquire) == 0 {
            bit.fetch_or(1, Ordering::AcqRel);
        }
    }

    /// A refund that leaves 3 of 10, beside an export. `last_flag`: the rule that the flag is raised once more behind the
    /// mark; `marks_by_exchange`: the rule that an export takes the marks down even if it sees none.
    fn a_refund_against_an_export(last_flag: bool, marks_by_exchange: bool) {
        let account = Arc::new(Account { amount: AtomicU64::new(10), ..Account::default() });
        let export = move |account: &Account, told: u64| {
            if account.flag.swap(0, Ordering::AcqRel) == 0
                || !marks_by_exchange && account.mark.load(Ordering::Relaxed) == 0
                || account.mark.swap(0, Ordering::AcqRel) == 0
            {
                return told;
            }
            account.amount.fetch_add(0, Ordering::AcqRel)
        };
        let exporter = {
            let account = Arc::clone(&account);
            thread::spawn(move || export(&account, 10))
        };
        account.amount.fetch_sub(7, Ordering::AcqRel);
        raise(&account.flag);
        raise(&account.mark);
        if last_flag {
            raise(&account.flag);
        }
        let told = exporter.join().unwrap();
        assert_eq!(export(&account, told), 3, "the last word");
    }

    #[test]
    fn by_all_rules_nothing_is_missed() {
        loom::model(|| a_refund_against_an_export(true, true));
    }

    #[test]
    #[should_panic(expected = "the last word")]
    fn a_mark_that_no_flag_follows_is_not_found() {
        loom::model(|| a_refund_against_an_export(false, true));
    }

    #[test]
    #[should_panic(expected = "the last word")]
    fn an_export_that_only_looks_for_marks_leaves_the_flag_to_be_seen_up() {
        loom::model(|| a_refund_against_an_export(true, false));
    }
}
