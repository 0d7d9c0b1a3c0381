//! How much an account may at a time: requests in flight, requests and tokens per minute.
//!
//! A request is counted when it comes, with its estimate of tokens, and that is put right when it ends: what it took more
//! is owed, what it took less is given back. So over any time an account takes at most a minute's worth, what the time
//! brings, and what its requests in flight take beyond their estimates: who owes waits until that is paid. A request that
//! no pod served gives its tokens back, but it has been a request.
//!
//! Limits may be [replaced](Quotas::set) while requests are under way: what accounts have taken and owe stays.
//!
//! Accounts that are idle are forgotten: what is remembered is in proportion to those who asked within the last minute or
//! owe something.

mod rate;
mod store;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use arc_swap::ArcSwap;
use dashmap::DashMap;
use vtc_core::Clock;

pub use self::rate::Left;
use self::rate::Rate;
use self::store::Arrivals;
use crate::error::GatewayError;
use crate::metrics;
use crate::tenant::{TenantLimits, Tenants, Terms};

/// The limits of all accounts, and how they stand.
pub struct Quotas {
    limits: ArcSwap<AllLimits>,
    /// What was taken of the limits on requests and on tokens, by account.
    requests: Arrivals,
    tokens: Arrivals,
    /// Requests in flight by account, of those who have any and a limit on them; sub-users by theirs and their name.
    in_flight: DashMap<Counted, usize>,
    clock: Arc<dyn Clock>,
}

/// The limits in force.
#[derive(Debug)]
struct AllLimits {
    named: HashMap<String, Limits>,
    others: Limits,
    sub_user_max_in_flight: Option<usize>,
}

#[derive(Debug)]
struct Limits {
    max_in_flight: Option<usize>,
    requests: Option<Rate>,
    tokens: Option<Rate>,
}

/// How an account's limits per minute stand; `None` where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Requests.
    pub requests: Option<Left>,
    /// Tokens.
    pub tokens: Option<Left>,
}

/// A request within its account's limits, to its end. Dropping it ends it.
#[must_use = "dropping a stay ends it"]
pub(crate) struct Stay {
    quotas: Arc<Quotas>,
    account: String,
    /// Where it counts as in flight.
    counted: Vec<Counted>,
    /// The tokens that were taken for it.
    estimate: u64,
    /// The tokens that it has cost, as far as is known: none until it goes to a pod.
    cost: Cell<u64>,
}

/// An account, or a sub-user of it.
type Counted = (String, Option<String>);

/// When to come back if others of the account have to end first: nobody knows when they will.
const SOON: Duration = Duration::from_secs(1);

// === impl Quotas ===

impl Quotas {
    /// The limits of these tenants. Nobody has taken anything.
    #[must_use]
    pub fn new(tenants: &Tenants, sub_user_max_in_flight: Option<usize>, clock: &Arc<dyn Clock>) -> Self {
        let (requests, tokens) = (Arrivals::default(), Arrivals::default());
        let limits = AllLimits::new(tenants, sub_user_max_in_flight, [&requests, &tokens], clock);
        let limits = ArcSwap::from_pointee(limits);
        Self { limits, requests, tokens, in_flight: DashMap::new(), clock: Arc::clone(clock) }
    }

    /// Puts the limits of these tenants in force. What was taken stays taken, whoever's terms an account has now: of a
    /// higher limit more is left, of a lower one less or nothing, but nobody waits longer for that than a minute. Where
    /// there was no limit nobody has taken anything, and requests in flight that nothing limited do not count.
    pub fn set(&self, tenants: &Tenants, sub_user_max_in_flight: Option<usize>) {
        let arrivals = [&self.requests, &self.tokens];
        let new = Arc::new(AllLimits::new(tenants, sub_user_max_in_flight, arrivals, &self.clock));
        let old = self.limits.swap(Arc::clone(&new));
        // Between these two a request may be counted by the new limit for what was taken by the old one.
        let now = self.clock.now().as_nanos();
        type OfLimits = fn(&Limits) -> Option<&Rate>;
        let rates: [(&Arrivals, OfLimits); 2] = [
            (&self.requests, |limits| limits.requests.as_ref()),
            (&self.tokens, |limits| limits.tokens.as_ref()),
        ];
        for (arrivals, rate) in rates {
            arrivals.rescale(now, |account, ahead| {
                let (before, after) = (rate(old.of(account))?, rate(new.of(account))?);
                Some(after.ahead_after(before, ahead))
            });
        }
    }

    /// Counts a request of that account that will probably take so many tokens. `None` if nothing limits it.
    ///
    /// # Errors
    /// [`GatewayError::RateLimited`], if it would pass a limit.
    pub(crate) fn enter(
        self: &Arc<Self>,
        account: &str,
        sub_user: Option<&str>,
        estimate: u64,
    ) -> Result<Option<Stay>, GatewayError> {
        let limits = self.limits.load();
        let (of_sub_users, limits) = (limits.sub_user_max_in_flight, limits.of(account));
        // Whoever owes has to wait, even if it is for nothing.
        let estimate = estimate.max(1);
        let sub_user = sub_user.filter(|_| of_sub_users.is_some());
        if limits.is_none() && sub_user.is_none() {
            return Ok(None);
        }
        let refuse = |limit: &'static str, reason: String, retry_after| {
            metrics::limited(limit);
            Err(GatewayError::RateLimited { reason, retry_after, standing: self.standing(account) })
        };
        let of_all = limits.max_in_flight.map(|most| (most, None));
        let of_sub_user = of_sub_users.zip(sub_user).map(|(most, name)| (most, Some(name.to_owned())));
        let account_of = account.to_owned();
        // Dropping it takes back what has been counted.
        let mut stay = Stay {
            quotas: Arc::clone(self),
            account: account_of,
            counted: Vec::new(),
            estimate: 0,
            cost: Cell::new(0),
        };
        for (most, sub_user) in [of_all, of_sub_user].into_iter().flatten() {
            let who = if sub_user.is_some() { "this user of yours has" } else { "you have" };
            let counted = (account.to_owned(), sub_user);
            if !self.count(&counted, most) {
                return refuse(
                    "in_flight",
                    format!("{who} {most} requests in flight, which is the most"),
                    SOON,
                );
            }
            stay.counted.push(counted);
        }
        if let Some(Err(wait)) = limits.requests.as_ref().map(|rate| rate.take(account, 1)) {
            return refuse("requests", "you have made the requests of a minute".to_owned(), wait);
        }
        if let Some(Err(wait)) = limits.tokens.as_ref().map(|rate| rate.take(account, estimate)) {
            let reason =
                format!("this request needs some {estimate} tokens, more than is left of a minute's");
            return refuse("tokens", reason, wait);
        }
        // Should there be a limit on tokens when it ends, it costs all that it will have taken.
        stay.estimate = if limits.tokens.is_some() { estimate } else { 0 };
        Ok(Some(stay))
    }

    /// How an account's limits stand.
    #[must_use]
    pub fn standing(&self, account: &str) -> Standing {
        let limits = self.limits.load();
        let limits = limits.of(account);
        let left = |rate: &Option<Rate>| rate.as_ref().map(|rate| rate.left(account));
        Standing { requests: left(&limits.requests), tokens: left(&limits.tokens) }
    }

    /// Forgets who has been idle. To be called every minute or so.
    pub fn shrink(&self) {
        let now = self.clock.now().as_nanos();
        [&self.requests, &self.tokens].into_iter().for_each(|arrivals| arrivals.shrink(now));
        self.in_flight.shrink_to_fit();
    }

    /// Counts a request as in flight, unless there are as many as there may be.
    fn count(&self, counted: &Counted, most: usize) -> bool {
        let mut running = self.in_flight.entry(counted.clone()).or_insert(0);
        let has_room = *running < most;
        *running += usize::from(has_room);
        has_room
    }

    fn uncount(&self, counted: &Counted) {
        self.in_flight.remove_if_mut(counted, |_, running| {
            *running -= 1;
            *running == 0
        });
    }
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quotas").field("limits", &self.limits).finish_non_exhaustive()
    }
}

// === impl AllLimits ===

impl AllLimits {
    fn new(
        tenants: &Tenants,
        sub_user_max_in_flight: Option<usize>,
        arrivals: [&Arrivals; 2],
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let limits = |terms: &Terms| Limits::new(&terms.limits, arrivals, clock);
        let named = tenants.named.iter().map(|(name, terms)| (name.clone(), limits(terms))).collect();
        Self { named, others: limits(&tenants.others), sub_user_max_in_flight }
    }

    fn of(&self, account: &str) -> &Limits {
        self.named.get(account).unwrap_or(&self.others)
    }
}

// === impl Limits ===

impl Limits {
    /// `arrivals`: of requests and of tokens.
    fn new(limits: &TenantLimits, arrivals: [&Arrivals; 2], clock: &Arc<dyn Clock>) -> Self {
        let rate = |limit: Option<u32>, arrivals: &Arrivals| {
            Some(Rate::per_minute(NonZeroU32::new(limit?)?, arrivals.clone(), Arc::clone(clock)))
        };
        let [requests, tokens] = arrivals;
        Self {
            max_in_flight: limits.max_in_flight,
            requests: rate(limits.requests_per_minute, requests),
            tokens: rate(limits.tokens_per_minute, tokens),
        }
    }

    const fn is_none(&self) -> bool {
        self.max_in_flight.is_none() && self.requests.is_none() && self.tokens.is_none()
    }
}

// === impl Stay ===

impl Stay {
    /// The request goes to a pod: from now on it costs what was estimated, unless somebody knows better.
    pub(crate) fn begin(&self) {
        self.cost.set(self.estimate);
    }

    /// The request has cost so many tokens, as far as is known.
    pub(crate) fn cost(&self, tokens: u64) {
        self.cost.set(tokens);
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        for counted in &self.counted {
            self.quotas.uncount(counted);
        }
        if let Some(rate) = &self.quotas.limits.load().of(&self.account).tokens {
            rate.correct(&self.account, i128::from(self.cost.get()) - i128::from(self.estimate));
        }
    }
}

impl fmt::Debug for Stay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stay")
            .field("estimate", &self.estimate)
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}

// === impl Standing ===

/// The names that OpenAI gives them: the limit, what is left, and when all of it is there again.
static REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
static TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// Every header that tells how limits stand: only the gateway itself sets them.
pub(crate) fn headers() -> impl Iterator<Item = &'static HeaderName> {
    REQUESTS.iter().chain(&TOKENS)
}

impl Standing {
    /// Tells it by OpenAI's headers; nothing of a limit that there is not.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        for ([limit, remaining, reset], left) in [(&REQUESTS, self.requests), (&TOKENS, self.tokens)] {
            let Some(left) = left else { continue };
            headers.insert(limit.clone(), left.limit.into());
            headers.insert(remaining.clone(), left.remaining.into());
            // Digits and letters: it is always one.
            if let Ok(span) = HeaderValue::try_from(span(left.reset)) {
                headers.insert(reset.clone(), span);
            }
        }
    }
}

/// As OpenAI writes it: `250ms`, `7s`, `1m30s`; rounded up.
fn span(time: Duration) -> String {
    let millis = time.as_nanos().div_ceil(1_000_000);
    let seconds = millis.div_ceil(1000);
    match (millis, seconds / 60) {
        (0..1000, _) => format!("{millis}ms"),
        (_, 0) => format!("{seconds}s"),
        (_, minutes) => format!("{minutes}m{}s", seconds % 60),
    }
}
