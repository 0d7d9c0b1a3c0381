//! How many requests may go to a second pod: a share of all, so that a broken fleet is not asked several times over.
//!
//! Source: the retry budgets of Finagle and linkerd: a share of the requests of a window, and a few per second besides, so
//! that a quiet gateway may retry as well.

use std::time::Duration;

use vtc_core::Tick;

use super::sliding::SlidingCounts;
use crate::settings::RetryBudgetSetting;

/// The budget. Plain numbers; the time is an argument.
#[derive(Debug)]
pub(super) struct RetryBudget {
    setting: RetryBudgetSetting,
    /// Requests and retries.
    counts: SlidingCounts,
}

/// The window that the share is of.
const WINDOW: Duration = Duration::from_secs(10);

// === impl RetryBudget ===

impl RetryBudget {
    pub(super) fn new(setting: RetryBudgetSetting) -> Self {
        Self { setting, counts: SlidingCounts::new(WINDOW) }
    }

    /// What counts from now on. What there was of late stays counted.
    pub(super) const fn set(&mut self, setting: RetryBudgetSetting) {
        self.setting = setting;
    }

    /// A request came.
    pub(super) fn request(&mut self, now: Tick) {
        self.counts.add(now, 1, 0);
    }

    /// A request wants to go to another pod: may it? If so, that counts.
    pub(super) fn retry(&mut self, now: Tick) -> bool {
        let (requests, retries) = self.counts.sums(now);
        let RetryBudgetSetting { share, per_second } = self.setting;
        let allowed = share * requests as f64 + per_second * WINDOW.as_secs_f64();
        let may = retries as f64 + 1.0 <= allowed;
        if may {
            self.counts.add(now, 0, 1);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_quiet_gateway_has_the_minimum_and_no_more() {
        let mut budget = RetryBudget::new(RetryBudgetSetting { share: 0.2, per_second: 3.0 });
        let now = Tick::from_nanos(100 * SECOND);
        let allowed = (0..100).filter(|_| budget.retry(now)).count();
        assert_eq!(allowed, 30);
        assert!(!budget.retry(Tick::from_nanos(109 * SECOND)));
        assert!(budget.retry(Tick::from_nanos(110 * SECOND)));
    }

    proptest! {
        /// In every window there are at most as many retries as the share of its requests and the minimum, and a retry
        /// is refused only if one more would be too many.
        #[test]
        fn retries_are_a_share_of_the_requests_and_the_minimum(
            steps in prop::collection::vec((0_u64..SECOND, prop::bool::ANY), 0..400),
            share in 0.0..1.0_f64,
            per_second in 0.0..1.0_f64,
        ) {
            let mut budget = RetryBudget::new(RetryBudgetSetting { share, per_second });
            let (mut now, mut requests, mut retries) = (0, Vec::new(), Vec::new());
            for (step, is_retry) in steps {
                now += step;
                let tick = Tick::from_nanos(now);
                let live = |all: &Vec<u64>| all.iter().filter(|at| *at / SECOND + 10 > now / SECOND).count() as f64;
                if is_retry {
                    let fits = live(&retries) + 1.0 <= share * live(&requests) + per_second * 10.0;
                    prop_assert_eq!(budget.retry(tick), fits);
                    if fits {
                        retries.push(now);
                    }
                } else {
                    budget.request(tick);
                    requests.push(now);
                }
            }
        }
    }
}
