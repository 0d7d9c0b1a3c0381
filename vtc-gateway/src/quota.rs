//! How much an account may at a time: requests in flight, requests and tokens per minute.
//!
//! A request is counted when it comes, with its estimate of tokens, and that is put right when it ends: what it took more
//! is owed, what it took less is given back. So over any time an account takes at most a minute's worth, what the time
//! brings, and what its requests in flight take beyond their estimates: who owes waits until that is paid. A request that
//! no pod served gives its tokens back, but it has been a request.
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

use actix_web::HttpResponseBuilder;
use actix_web::http::header::HeaderName;
use dashmap::DashMap;
use vtc_core::Clock;

pub use self::rate::Left;
use self::rate::Rate;
use crate::error::GatewayError;
use crate::metrics;
use crate::tenant::{TenantLimits, Tenants};

/// The limits of all accounts, and how they stand.
#[derive(Debug)]
pub struct Quotas {
    named: HashMap<String, Limits>,
    others: Limits,
    sub_user_max_in_flight: Option<usize>,
    /// Requests in flight by account, of those who have any and a limit on them; sub-users by theirs and their name.
    in_flight: DashMap<Counted, usize>,
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
        let limits = |limits: &TenantLimits| Limits::new(limits, clock);
        let named = tenants.named.iter().map(|(name, terms)| (name.clone(), limits(&terms.limits))).collect();
        let others = limits(&tenants.others.limits);
        Self { named, others, sub_user_max_in_flight, in_flight: DashMap::new() }
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
        let limits = self.of(account);
        // Whoever owes has to wait, even if it is for nothing.
        let estimate = estimate.max(1);
        let sub_user = sub_user.filter(|_| self.sub_user_max_in_flight.is_some());
        if limits.is_none() && sub_user.is_none() {
            return Ok(None);
        }
        let refuse = |limit: &'static str, reason: String, retry_after| {
            metrics::limited(limit);
            Err(GatewayError::RateLimited { reason, retry_after, standing: self.standing(account) })
        };
        let of_all = limits.max_in_flight.map(|most| (most, None));
        let of_sub_user =
            self.sub_user_max_in_flight.zip(sub_user).map(|(most, name)| (most, Some(name.to_owned())));
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
        stay.estimate = estimate;
        Ok(Some(stay))
    }

    /// How an account's limits stand.
    #[must_use]
    pub fn standing(&self, account: &str) -> Standing {
        let limits = self.of(account);
        let left = |rate: &Option<Rate>| rate.as_ref().map(|rate| rate.left(account));
        Standing { requests: left(&limits.requests), tokens: left(&limits.tokens) }
    }

    /// Forgets who has been idle. To be called every minute or so.
    pub fn shrink(&self) {
        for limits in self.named.values().chain([&self.others]) {
            [&limits.requests, &limits.tokens].into_iter().flatten().for_each(Rate::shrink);
        }
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

    fn of(&self, account: &str) -> &Limits {
        self.named.get(account).unwrap_or(&self.others)
    }
}

// === impl Limits ===

impl Limits {
    fn new(limits: &TenantLimits, clock: &Arc<dyn Clock>) -> Self {
        let rate = |limit: Option<u32>| Some(Rate::per_minute(NonZeroU32::new(limit?)?, Arc::clone(clock)));
        Self {
            max_in_flight: limits.max_in_flight,
            requests: rate(limits.requests_per_minute),
            tokens: rate(limits.tokens_per_minute),
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
        if let Some(rate) = &self.quotas.of(&self.account).tokens {
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
const REQUESTS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: [HeaderName; 3] = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// Every header that tells how limits stand: only the gateway itself sets them.
pub(crate) fn headers() -> impl Iterator<Item = HeaderName> {
    REQUESTS.into_iter().chain(TOKENS)
}

impl Standing {
    /// Tells it by OpenAI's headers; nothing of a limit that there is not.
    pub(crate) fn tell(&self, response: &mut HttpResponseBuilder) {
        for ([limit, remaining, reset], left) in [(REQUESTS, self.requests), (TOKENS, self.tokens)] {
            let Some(left) = left else { continue };
            response.insert_header((limit, left.limit));
            response.insert_header((remaining, left.remaining));
            response.insert_header((reset, span(left.reset)));
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
