//! The fair queue: whoever has been served least goes next.
//!
//! Requests wait here until a pod has room. Each user has a *virtual counter* of the service it was given, divided by
//! its weight. The user with the least counter goes next, and every token that is served is charged to its user as it
//! flows, so users who always want more get the same service per weight, whatever their requests look like: many or
//! few, long or short. Users who want less get all they want, and what they leave is shared by the others.
//!
//! It is a plain data structure: no clock, no thread, no I/O. The same calls give the same choices.
//!
//! Source: Sheng et al., *Fairness in Serving Large Language Models*, OSDI'24 ([arXiv
//! 2401.00588](https://arxiv.org/abs/2401.00588)): the algorithm VTC, its variants and its bounds. The bounds that hold
//! here, why, and which of them are the paper's: [`bounds`].
//!
//! # Drawbacks first
//!
//! - **A large request holds everybody up.** If what goes next fits nowhere, nobody goes until it does. Whoever passes it
//!   over leaves it waiting without end as long as smaller ones come.
//! - **It is fair over the long run, not at each moment.** A user can be ahead by what it has in flight, and that grows
//!   with the fleet: [`bounds`] says by how much. Charging predictions ([`VtcPred`](discipline::VtcPred)) makes it one
//!   request, if they are right; a limit on what one user runs ([`QueueLimits::running_per_user`]) makes it smaller too,
//!   but leaves room idle when only that user wants it.
//! - **Whoever invents names is a new user each time,** and comes in at the level of those who wait. Let names be
//!   authenticated; [`QueueLimits::users`] bounds the harm, as all beyond it are one user.
//! - **An estimate of the input that is wrong** is a wrong charge until the request ends.
//! - **Fair is not always fast.** Shared by tokens, a mix of very different requests can fill pods worse than in the
//!   order of arrival.
//!
//! # How it works
//!
//! ```text
//! a request of u arrives                  if nothing of u waits, u comes into the order:
//!                                           level = the least counter of those in the order,
//!                                                   else that of the user who left it last, if there is one
//!                                           counter[u] = max(counter[u], level)              the lift
//! is there room?                          the user k with the least counter goes; ties: whose request waits longest
//!                                           no place for the first request of k: nobody goes        the stop
//!                                           counter[k] += cost(input, prediction) / weight     charged at once
//! a request of u has delivered a token    counter[u] += what the cost grew by / weight, past the prediction
//! a request of u has ended                counter[u] += (cost(usage) - what was charged) / weight      may be less
//! ```
//!
//! The **lift** is a maximum. Whoever was away gets no credit for what it did not ask for, as it would be served alone
//! until that is used up; and whoever is ahead stays ahead, or it would pay to leave and come back. Both branches are
//! needed: without the second, all would be forgiven whenever nobody waits for a moment.
//!
//! The **stop** keeps a promise: the least counter does not fall behind. The charge is made **at once** and not when a
//! batch is complete, or one user would fill all of it.
//!
//! What differs between disciplines is in [`discipline`]; each is one file:
//!
//! | name | |
//! | --- | --- |
//! | `fcfs` | one line: no fairness |
//! | `vtc-fair` | as above, nothing predicted |
//! | `vtc-pred` | as above |
//! | `vtc-max-fair` | nobody is lifted who comes; all are raised when somebody is chosen, and start anew when pods run empty |
//! | `drr` | deficit round robin: counters compared by the round |
//! | `lcf` | no lift: shows what the lift is worth |
//!
//! Users stand in an ordered set by counter and tie; the requests of one user in a linked list, so that one that is
//! cancelled leaves at once; deadlines in a heap. Push, pop, a token and an end each cost O(log users). A counter never
//! overflows: [`Counter`] says why.
//!
//! # Who is forgotten
//!
//! A user with nothing that waits or runs is forgotten once its counter can no longer matter, so memory follows those
//! who are there and those who are ahead of them. This changes no decision:
//!
//! Whoever comes in gets `max(counter, level)`, and somebody nobody knows has the counter 0. The two are the same if the
//! counter is at most every level there will ever be. What runs can still be refunded, and so a level can fall; but not
//! below the least *base*. The base of a user is its counter less what its running requests have been charged.
//!
//! 1. A base never falls. A charge moves the counter and what is running alike; an end adds what stays charged; the lift
//!    raises both.
//! 2. Let S be the least base of the users who have something that waits or runs, and if nobody is in the order, of the
//!    one who left it last. The level is the counter of one of them, and no counter is below its base: level >= S.
//! 3. S never falls. Bases do not; whoever leaves can only raise a minimum; whoever was idle and comes in has a base of
//!    at least the level, by the lift, and so of at least S; and so has whoever leaves the order last.
//!
//! So every level to come is at least S, and an idle user with a counter of at most S is forgotten. (What the *running*
//! requests were charged has to be left out: a user that does not wait may be far below the level, be charged up to it,
//! come in, and be refunded.) `lcf`, which has no lift, forgets nobody who was charged; `fcfs`, which goes by no
//! counter, everybody; `vtc-max-fair` whoever is at the floor it has raised all to.
//!
//! # Several replicas
//!
//! Queues of several replicas can be one queue, whichever of them a request enters: [`news`].
//!
//! # How to use it
//!
//! ```
//! use vtc_core::queue::{QueueFull, discipline::{self, DisciplineOptions}};
//! use vtc_core::{Arrival, FairQueue, Usage};
//!
//! let discipline = discipline::by_name("vtc-fair", &DisciplineOptions::default())?;
//! let mut queue = FairQueue::new(discipline);
//!
//! // Whatever is wanted back goes in: here a text, in a server the way to answer.
//! queue.push(Arrival::new("whale", 900, "its first"))?;
//! queue.push(Arrival::new("whale", 900, "its second"))?;
//! let id = queue.push(Arrival::new("minnow", 20, "hello"))?;
//!
//! // Whenever there may be room: the place that is found for a request comes back with it.
//! let mut free = vec![1000, 500];
//! let mut room = |need: u64| {
//!     let pod = free.iter().position(|free| *free >= need)?;
//!     free[pod] -= need;
//!     Some(pod)
//! };
//! let first = queue.pop(|head| room(head.input)).expect("pod 0 has room");
//! assert_eq!((first.payload, first.place), ("its first", 0));
//! let second = queue.pop(|head| room(head.input)).expect("pod 1 has room");
//! assert_eq!((second.payload, second.id), ("hello", id));
//! assert!(queue.pop(|head| room(head.input)).is_none(), "its second waits for 900 tokens of room");
//!
//! // As tokens flow, and in the end.
//! queue.delivered(second.id, 5);
//! queue.settle(second.id, Usage::new(20, 5));
//! queue.close(first.id);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Each request that was taken in leaves once: it is dispatched, [cancelled](FairQueue::cancel) or
//! [expired](FairQueue::expire); and each that was dispatched ends once: it is [settled](FairQueue::settle),
//! [closed](FairQueue::close) or [voided](FairQueue::void). The first call does it, and any that come later find nothing
//! and say so.

pub mod bounds;
mod counter;
mod deadlines;
pub mod discipline;
mod exchange;
mod ledger;
mod limits;
pub mod news;
mod requests;
mod running;
mod sharing;
mod standing;
mod turn;
mod users;

use std::fmt;
use std::mem;

pub use self::counter::{Counter, Weight};
use self::deadlines::Deadlines;
pub use self::discipline::Discipline;
use self::ledger::Ledger;
pub use self::limits::{QueueFull, QueueLimits, Refused};
pub use self::news::{QueueNews, UserNews};
pub use self::requests::RequestId;
use self::requests::{MOST, Request, Requests, Running};
pub use self::standing::Standing;
use self::users::UserIndex;
use crate::clock::Tick;
use crate::cost::{LinearCost, ServiceCost, Usage};
use crate::predict::{Ask, MovingAverage, OutputPredictor, UserName};

/// Requests that wait, and who goes next. See the [module](self) for how it works and how it is used.
///
/// `R` is whatever the caller wants back when the request is dispatched, cancelled or expired.
pub struct FairQueue<R> {
    ledger: Ledger,
    requests: Requests<R>,
    deadlines: Deadlines,
    cost: Box<dyn ServiceCost>,
    predictor: Box<dyn OutputPredictor>,
    limits: QueueLimits,
    /// Bytes of the requests that wait.
    bytes: u64,
    /// How many requests have arrived.
    arrivals: u64,
}

/// A request that wants to be served.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a, R> {
    /// Who is charged.
    pub user: &'a str,
    /// The user's weight. It holds for this request to its end; a request that comes later may bring another.
    pub weight: Weight,
    /// Tokens that will be read: an estimate, until it is settled.
    pub input: u64,
    /// The most tokens that may be written, if the request says so; for the predictor.
    pub max_output: Option<u64>,
    /// Its size, which counts against the queue's limit.
    pub bytes: u64,
    /// When it will have waited too long, if ever.
    pub deadline: Option<Tick>,
    /// Whatever is wanted back.
    pub payload: R,
}

/// The request that would go next.
#[derive(Debug)]
pub struct Head<'a, R> {
    /// Its name.
    pub id: RequestId,
    /// Tokens that it reads.
    pub input: u64,
    /// The output that its dispatch will charge in advance: 0 if the discipline does not.
    pub prepaid: u64,
    /// The most tokens that may be written, if the request says so.
    pub max_output: Option<u64>,
    /// Whether somebody who is further behind waits at another replica, so that its place should be left to that one. If
    /// there is room for it and it is left, [say so](FairQueue::left_room).
    pub yields: bool,
    /// What it came with.
    pub payload: &'a R,
}

/// A request that goes: from now on it runs, until it is [settled](FairQueue::settle), [closed](FairQueue::close) or
/// [voided](FairQueue::void).
#[derive(Debug)]
#[must_use = "it runs, and has to be ended"]
pub struct Dispatched<R, P> {
    /// Its name, as before.
    pub id: RequestId,
    /// The place that was found for it.
    pub place: P,
    /// The output that was charged in advance.
    pub prepaid: u64,
    /// The user's counter before this dispatch was charged: why it was chosen.
    pub counter: Counter,
    /// What it came with.
    pub payload: R,
}

// === impl Arrival ===

impl<'a, R> Arrival<'a, R> {
    /// A request of weight 1, without size, limit or deadline.
    #[must_use]
    pub const fn new(user: &'a str, input: u64, payload: R) -> Self {
        Self { user, weight: Weight::ONE, input, max_output: None, bytes: 0, deadline: None, payload }
    }
}

// === impl FairQueue ===

impl<R> FairQueue<R> {
    /// An empty queue with the paper's cost (1 for input, 2 for output) and average, and the default limits.
    #[must_use]
    pub fn new(discipline: Box<dyn Discipline>) -> Self {
        Self {
            ledger: Ledger::new(discipline),
            requests: Requests::new(),
            deadlines: Deadlines::default(),
            cost: Box::new(LinearCost::default()),
            predictor: Box::new(MovingAverage::new(100_000).capped()),
            limits: QueueLimits::default(),
            bytes: 0,
            arrivals: 0,
        }
    }

    /// The same with another cost.
    #[must_use]
    pub fn with_cost(self, cost: impl ServiceCost + 'static) -> Self {
        Self { cost: Box::new(cost), ..self }
    }

    /// The same with another predictor, for disciplines that charge in advance.
    #[must_use]
    pub fn with_predictor(self, predictor: impl OutputPredictor + 'static) -> Self {
        Self { predictor: Box::new(predictor), ..self }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: QueueLimits) -> Self {
        Self { limits, ..self }
    }

    /// Other limits from now on, but for that on users, which holds to the end. What waits or runs beyond them goes on to:
    /// they are asked when a request comes, or wants to go. O(users log users) if what a user may run has changed, else
    /// O(1).
    pub fn set_limits(&mut self, limits: QueueLimits) {
        let users = self.limits.users;
        let before = mem::replace(&mut self.limits, QueueLimits { users, ..limits });
        if before.running_per_user == limits.running_per_user {
            return;
        }
        let waiting = self.ledger.users.iter().filter(|(_, account)| account.line.len > 0);
        let waiting: Vec<_> = waiting.map(|(user, _)| user).collect();
        for user in waiting {
            self.ledger.changed(user, self.head(user));
        }
    }

    /// Takes a request in. O(log users) if the user had none that waited, else O(1).
    ///
    /// # Errors
    /// It would pass a limit: here it is back, and nothing has changed.
    pub fn push(&mut self, arrival: Arrival<'_, R>) -> Result<RequestId, Refused<R>> {
        let name = UserName::new(arrival.user);
        let found = self.ledger.users.find(name, self.limits.users);
        if let Some(reason) = self.full(found, arrival.bytes) {
            return Err(Refused { payload: arrival.payload, reason });
        }
        let user = found.unwrap_or_else(|| self.ledger.users.open(name, self.limits.users));
        let number = self.arrivals;
        self.arrivals += 1;
        self.bytes += arrival.bytes;
        let (deadline, line) = (arrival.deadline, &mut self.ledger.users[user].line);
        let id = self.requests.append(line, Request::new(number, user, arrival));
        let alone = line.len == 1;
        if let Some(deadline) = deadline {
            self.deadlines.insert(deadline, id);
        }
        // Behind others of its user it changes nothing here.
        if alone {
            self.ledger.changed(user, self.head(user));
        } else {
            self.ledger.share(user, 0);
        }
        Ok(id)
    }

    /// Dispatches the request that goes next, if there is a place for it. `fits` is asked about that one alone: if it
    /// finds no place, nobody goes, as whoever is passed over for being large would wait without end. O(log users).
    pub fn pop<P>(&mut self, fits: impl FnOnce(&Head<'_, R>) -> Option<P>) -> Option<Dispatched<R, P>> {
        self.ledger.raise();
        let user = self.ledger.next()?;
        let account = &self.ledger.users[user];
        let (id, request, payload) = self.requests.first(&account.line)?;
        let (input, max_output) = (request.input, request.max_output);
        let ask = Ask { user: account.name(), input, max_output };
        let prepaid = match self.ledger.discipline().prepays() {
            true => self.predictor.predict(&ask).unwrap_or(0),
            false => 0,
        };
        let yields = self.ledger.yields(user);
        let place = fits(&Head { id, input, prepaid, max_output, yields, payload })?;
        let counter = self.ledger.counter(account);
        let charged = request.weight.charge(self.cost.cost(Usage::new(input, prepaid)));
        let (bytes, deadline) = (request.bytes, request.deadline);
        let account = &mut self.ledger.users[user];
        account.running += 1;
        let payload = self.requests.start(&mut account.line, id, Running { prepaid, output: 0, charged })?;
        self.left(bytes, deadline);
        self.ledger.start(user, charged, self.head(user));
        if let Some(sharing) = &mut self.ledger.sharing {
            sharing.turn.dispatched();
        }
        Some(Dispatched { id, place, prepaid, counter, payload })
    }

    /// Takes a waiting request back: it is not charged. `None` if it does not wait. O(log users).
    pub fn cancel(&mut self, id: RequestId) -> Option<R> {
        let request = self.requests.waiting(id)?;
        let (user, bytes, deadline) = (request.user, request.bytes, request.deadline);
        let payload = self.requests.remove_waiting(&mut self.ledger.users[user].line, id)?;
        self.left(bytes, deadline);
        self.ledger.changed(user, self.head(user));
        Some(payload)
    }

    /// Takes out the waiting requests whose deadline is at `now` or before, the earliest first: they are not charged.
    /// Those that are not asked for stay. O(log) each.
    pub fn expire(&mut self, now: Tick) -> impl Iterator<Item = (RequestId, R)> + use<'_, R> {
        std::iter::from_fn(move || {
            let (_, id) = self.deadlines.earliest().filter(|(deadline, _)| *deadline <= now)?;
            self.cancel(id).map(|payload| (id, payload))
        })
    }

    /// The earliest deadline of all that wait. O(1).
    #[must_use]
    pub fn next_deadline(&self) -> Option<Tick> {
        self.deadlines.earliest().map(|(deadline, _)| deadline)
    }

    /// Forgets all users whose counter can no longer matter, and if nothing waits or runs, gives back the memory that a
    /// crowd of users took. Every call forgets some, so that none takes long; this is for quiet times, in which no call
    /// comes. O(log users) each.
    pub fn tidy(&mut self) {
        self.ledger.forget(usize::MAX);
        self.ledger.compact();
    }

    /// Which limit one more request of so many bytes would pass.
    fn full(&self, user: Option<UserIndex>, bytes: u64) -> Option<QueueFull> {
        let QueueLimits { requests, bytes: most, per_user, .. } = self.limits;
        let own = user.map_or(0, |user| self.ledger.users[user].line.len as usize);
        if self.waiting() >= requests || self.requests.len() >= MOST {
            Some(QueueFull::Requests { limit: requests })
        } else if self.bytes.checked_add(bytes).is_none_or(|sum| sum > most) {
            Some(QueueFull::Bytes { limit: most })
        } else if own >= per_user {
            Some(QueueFull::User { limit: per_user })
        } else {
            None
        }
    }

    /// A request no longer waits.
    fn left(&mut self, bytes: u64, deadline: Option<Tick>) {
        self.bytes -= bytes;
        if deadline.is_some() {
            self.deadlines.left(|id| self.requests.waiting(id).is_some());
        }
    }

    /// When the first of the user's waiting requests arrived, if the user may be chosen.
    fn head(&self, user: UserIndex) -> Option<u64> {
        let account = &self.ledger.users[user];
        let may_run = (account.running as usize) < self.limits.running_per_user.max(1);
        let head = self.requests.first(&account.line).filter(|_| may_run);
        head.map(|(id, ..)| id.arrival())
    }
}

impl<R> fmt::Debug for FairQueue<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FairQueue")
            .field("discipline", &self.ledger.discipline().name())
            .field("waiting", &self.waiting())
            .field("running", &self.running())
            .finish_non_exhaustive()
    }
}
