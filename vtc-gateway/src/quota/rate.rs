//! So much per minute, for each account.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::{Quota, RateLimiter};
use vtc_core::Clock;

use super::store::{Arrivals, Since};

/// A limit per minute. An account that was idle for a minute may take all of it at once.
pub(super) struct Rate {
    limiter: RateLimiter<String, Since, Time, NoOpMiddleware<Nanos>>,
    arrivals: Arrivals,
    clock: Arc<dyn Clock>,
    per_minute: NonZeroU32,
}

/// The core's clock, as the limiter reads it.
#[derive(Clone)]
struct Time(Arc<dyn Clock>);

/// How a limit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The limit per minute.
    pub limit: u32,
    /// What is left of it now.
    pub remaining: u32,
    /// When all of it will be there again, if nothing is taken.
    pub reset: Duration,
}

impl governor::clock::Clock for Time {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.now().as_nanos())
    }
}

const MINUTE: u64 = 60_000_000_000;

// === impl Rate ===

impl Rate {
    /// Takes from these accounts.
    pub(super) fn per_minute(limit: NonZeroU32, arrivals: Arrivals, clock: Arc<dyn Clock>) -> Self {
        let since = Since { arrivals: arrivals.clone(), start: clock.now().as_nanos() };
        let limiter = RateLimiter::new(Quota::per_minute(limit), since, Time(Arc::clone(&clock)));
        Self { limiter, arrivals, clock, per_minute: limit }
    }

    /// Takes so much of the account's. Who wants more than a minute's worth needs all of a minute's, and owes the rest.
    ///
    /// # Errors
    /// Nothing was taken: how long it takes until there is as much.
    pub(super) fn take(&self, account: &str, amount: u64) -> Result<(), Duration> {
        let limit = u64::from(self.per_minute.get());
        let Some(at_once) = NonZeroU32::new(amount.min(limit) as u32) else { return Ok(()) };
        match self.limiter.check_key_n(&account.to_owned(), at_once) {
            Ok(Ok(())) => {
                self.correct(account, i128::from(amount.saturating_sub(limit)));
                Ok(())
            }
            Ok(Err(not_until)) => Err(not_until.wait_time_from(Nanos::new(self.clock.now().as_nanos()))),
            // It holds a minute's worth.
            Err(_) => Err(Duration::from_secs(60)),
        }
    }

    /// Takes so much more, or less, whatever is left.
    pub(super) fn correct(&self, account: &str, amount: i128) {
        if amount != 0 {
            self.arrivals.correct(account, self.now(), amount.saturating_mul(i128::from(self.cell())));
        }
    }

    pub(super) fn left(&self, account: &str) -> Left {
        let ahead = self.arrivals.ahead(account, self.now());
        let taken = ahead.div_ceil(self.cell());
        let limit = self.per_minute.get();
        let remaining = u64::from(limit).saturating_sub(taken) as u32;
        Left { limit, remaining, reset: Duration::from_nanos(ahead) }
    }

    /// How far the time of an account lies ahead that took as much of this as it would have by `before`, of which its time
    /// lay so far ahead: who took more than there is now has nothing left, and waits no longer than before or a minute.
    pub(super) fn ahead_after(&self, before: &Self, ahead: u64) -> u64 {
        if before.per_minute == self.per_minute {
            return ahead;
        }
        let taken = u128::from(ahead) * u128::from(self.cell()) / u128::from(before.cell());
        u64::try_from(taken).unwrap_or(u64::MAX).min(ahead.max(MINUTE))
    }

    /// How long it takes until there is one more, in nanoseconds.
    fn cell(&self) -> u64 {
        MINUTE / u64::from(self.per_minute.get())
    }

    fn now(&self) -> u64 {
        self.clock.now().as_nanos()
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rate").field("per_minute", &self.per_minute).finish_non_exhaustive()
    }
}
