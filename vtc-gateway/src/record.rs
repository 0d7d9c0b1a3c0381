//! What became of requests, and who was served what: the memory behind the log, its explanations and the live feed.
//!
//! `Trail` goes along with a request and notes what is decided about it; when the last who holds it lets go, the request
//! is over: its [`Decision`] is told outside (`journal`: the log, traces) and joins the last few hundred; what little of it a
//! replay needs is kept for longer, as an [`Arrival`]. Beside them each account has its `Served`: what it has in flight and
//! what flowed to it, pod by pod.
//!
//! # What it costs, and what it never holds
//!
//! A request takes one look into a sharded map and some locks that are held for a few statements; a streamed event takes one.
//! Memory is bounded: so many decisions and arrivals, texts cut to [`LONGEST_TEXT`], and at most [`MOST_USERS`] accounts, those beyond
//! together in one. There are no prompts in it, no answers and no keys.

mod arrivals;
mod decision;
mod recent;
pub(crate) mod routes;
mod served;
mod story;
mod trail;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actix_web::HttpRequest;
use actix_web::http::header::HeaderValue;
use dashmap::DashMap;
use vtc_core::queue::Weight;
use vtc_core::{Clock, Tick};

pub use self::arrivals::{Arrival, Arrivals, Fate, Recorded};
pub use self::decision::{CLIENT_LEFT, Decision, Ending, Look, Refused, Seen, Try, Turn};
pub use self::recent::Recent;
pub(crate) use self::served::Served;
pub use self::served::{Flow, Numbers};
pub use self::story::Story;
pub(crate) use self::trail::Trail;
use crate::journal::Journal;
use crate::lock::Lock;
use crate::request::Endpoint;
use crate::settings::RecordSetting;

/// What became of requests, and who was served what.
pub struct Record {
    clock: Arc<dyn Clock>,
    /// Where it is told, too.
    journal: Journal,
    /// The time of day at the clock's origin.
    origin: SystemTime,
    /// How many decisions are kept.
    room: usize,
    /// The last, newest at the back.
    decisions: Lock<VecDeque<Arc<Decision>>>,
    /// Who came when, for longer.
    arrivals: Lock<Arrivals>,
    users: DashMap<Arc<str>, Arc<Served>>,
    /// Those of them that have something in flight, and those that had it since they were looked at last.
    stirring: Lock<Vec<Arc<Served>>>,
    /// Whoever found no room among them.
    others: Arc<Served>,
    sums: Lock<Sums>,
}

/// What is counted of all requests together.
#[derive(Debug)]
pub(crate) struct Sums {
    /// Requests that have ended, and how many of them were refused.
    pub(crate) ended: u64,
    pub(crate) refused: u64,
    /// Times to first tokens.
    pub(crate) first_tokens: Recent,
    /// Times that requests have waited, by pool.
    pub(crate) waits: BTreeMap<Arc<str>, Recent>,
}

/// The longest text that is kept of a model's name, a failure or a refusal, in bytes.
pub const LONGEST_TEXT: usize = 300;
/// The most accounts of which is known what flows to them.
pub const MOST_USERS: usize = 20_000;
/// The account of those beyond; no other has this name.
pub const OTHERS: &str = "@others";
/// While there are not more accounts, each request's place in the queue is counted, whether its client asks or not: that
/// costs as much as there are users before its own.
const FEW_USERS: usize = 256;
/// How many times are kept of all users together, and of each pool.
const TIMES: usize = 1024;

// === impl Record ===

impl Record {
    /// One with room for so many. Accounts are forgotten that have been idle for longer than [`Record::shrink`] is
    /// told.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a log is read by people: it needs the time of day, once")]
    pub(crate) fn new(clock: Arc<dyn Clock>, setting: RecordSetting, journal: Journal) -> Self {
        let since_origin = clock.now().since(Tick::ZERO);
        let now = SystemTime::now();
        Self {
            origin: now.checked_sub(since_origin).unwrap_or(now),
            room: setting.requests,
            decisions: Lock::default(),
            arrivals: Lock::new(Arrivals::new(setting.arrivals)),
            users: DashMap::new(),
            stirring: Lock::default(),
            others: Arc::new(Served::new(OTHERS.into())),
            sums: Lock::new(Sums {
                ended: 0,
                refused: 0,
                first_tokens: Recent::new(TIMES),
                waits: BTreeMap::new(),
            }),
            clock,
            journal,
        }
    }

    /// A request has come. What is known of it is noted in what this returns.
    pub(crate) fn begin(
        self: &Arc<Self>,
        endpoint: Endpoint,
        client: &HttpRequest,
        request_id: &HeaderValue,
    ) -> Rc<Trail> {
        // It was read as visible text.
        let id = request_id.to_str().unwrap_or_default();
        Rc::new(Trail::new(Arc::clone(self), endpoint, client, id))
    }

    /// What was to be told outside and is not yet, is told, if that does not take too long.
    pub(crate) fn flush(&self) {
        self.journal.flush();
    }

    /// Whether to count who is before a request in the queue though its client did not ask.
    pub(crate) fn counts_those_ahead(&self) -> bool {
        self.room > 0 && self.users.len() <= FEW_USERS
    }

    /// The last decisions, the newest first, at most so many.
    #[must_use]
    pub fn latest(&self, limit: usize) -> Vec<Arc<Decision>> {
        self.decisions.with(|decisions| decisions.iter().rev().take(limit).cloned().collect())
    }

    /// The last decision about a request of that name. O(decisions).
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<Decision>> {
        self.decisions.with(|decisions| decisions.iter().rev().find(|decision| decision.id == id).cloned())
    }

    /// Who came when, as far back as that is remembered. O(arrivals / 1,024).
    #[must_use]
    pub fn recorded(&self) -> Recorded {
        self.arrivals.with(|arrivals| arrivals.recorded())
    }

    /// Whether arrivals are remembered at all.
    #[must_use]
    pub fn keeps_arrivals(&self) -> bool {
        self.arrivals.with(|arrivals| arrivals.keeps())
    }

    /// How many decisions it keeps.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.room
    }

    /// That moment by the time of day.
    #[must_use]
    pub fn time_of_day(&self, at: Tick) -> SystemTime {
        self.origin + at.since(Tick::ZERO)
    }

    /// The moment of this call.
    #[must_use]
    pub fn now(&self) -> Tick {
        self.clock.now()
    }

    /// Forgets the accounts that have had nothing in flight for that long, and the pools where nobody has waited of late.
    /// O(accounts).
    pub fn shrink(&self, idle: Duration) {
        let now = self.now();
        self.stirring.with(|stirring| {
            // Where nobody looks, they would stay.
            stirring.retain(|user| {
                user.with(|numbers| {
                    numbers.sight.is_listed = !numbers.is_idle(now, idle);
                    numbers.sight.is_listed
                })
            });
            stirring.shrink_to_fit();
        });
        self.users.retain(|_, user| !user.with(|numbers| numbers.is_idle(now, idle)));
        self.users.shrink_to_fit();
        self.sums.with(|sums| sums.waits.retain(|_, waits| !waits.is_stale(now)));
    }

    /// Does this with each account, that of the others included. O(accounts).
    pub(crate) fn each_user(&self, mut act: impl FnMut(&Arc<Served>)) {
        self.users.iter().for_each(|user| act(user.value()));
        act(&self.others);
    }

    /// How many accounts are known. Those beyond [`MOST_USERS`] are one.
    pub(crate) fn known_users(&self) -> usize {
        self.users.len()
    }

    /// Takes the accounts that have something in flight, and those that had it since the last call, each once. Whoever takes
    /// one has to [give it back](Record::stir) while it has something in flight, and else to say in its numbers that it is
    /// not listed: within the same lock in which it looks, so that no request comes between.
    pub(crate) fn stirred(&self) -> Vec<Arc<Served>> {
        self.stirring.with(std::mem::take)
    }

    /// These have something in flight still.
    pub(crate) fn stir(&self, users: impl IntoIterator<Item = Arc<Served>>) {
        self.stirring.with(|stirring| stirring.extend(users));
    }

    /// Does this with what is counted of all.
    pub(crate) fn sums<R>(&self, act: impl FnOnce(&mut Sums) -> R) -> R {
        self.sums.with(act)
    }

    /// A request of that account is in flight from now on.
    fn enter(&self, account: &str, weight: Weight) -> Arc<Served> {
        let enter = |user: &Arc<Served>| {
            if user.with(|numbers| numbers.enter(weight)) {
                self.stir([Arc::clone(user)]);
            }
            Arc::clone(user)
        };
        // Each enters while its place in the map is held, so that it is not forgotten between the two.
        if let Some(known) = self.users.get(account) {
            return enter(&known);
        }
        if self.users.len() >= MOST_USERS {
            return enter(&self.others);
        }
        let name: Arc<str> = account.into();
        enter(&self.users.entry(Arc::clone(&name)).or_insert_with(|| Arc::new(Served::new(name))))
    }

    /// A request is over.
    fn keep(&self, decision: Decision) {
        let is_refused = decision.refused.is_some();
        self.sums.with(|sums| {
            sums.ended += 1;
            sums.refused += u64::from(is_refused);
        });
        if let Some(arrival) = Arrival::of(&decision) {
            let oldest = self.arrivals.with(|arrivals| arrivals.push(arrival));
            // Outside the lock, as below.
            drop(oldest);
        }
        if self.room == 0 {
            return;
        }
        let decision = Arc::new(decision);
        let oldest = self.decisions.with(|decisions| {
            let oldest = if decisions.len() >= self.room { decisions.pop_front() } else { None };
            decisions.push_back(decision);
            oldest
        });
        // Outside the lock: it frees some texts.
        drop(oldest);
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("room", &self.room)
            .field("users", &self.users.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
impl Record {
    /// One of the default size, that tells nobody else.
    pub(crate) fn of_test(clock: &vtc_core::ManualClock) -> Arc<Self> {
        let journal = Journal::new(&Default::default(), &Default::default()).expect("tells nobody");
        Arc::new(Self::new(Arc::new(clock.clone()), RecordSetting::default(), journal))
    }

    /// A request, of whatever kind.
    pub(crate) fn begin_of_test(self: &Arc<Self>) -> Rc<Trail> {
        let client = actix_web::test::TestRequest::default().to_http_request();
        self.begin(Endpoint::ChatCompletions, &client, &HeaderValue::from_static("id"))
    }
}
