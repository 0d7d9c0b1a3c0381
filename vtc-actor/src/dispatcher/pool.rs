//! One pool: its queue, its pods, and the requests of it that run.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use slab::Slab;
use vtc_core::queue::{Dispatched, Head, RequestId, Weight};
use vtc_core::{Arrival, Clock, FairQueue, MeterReader, Pod, PodTable, RouteRequest, Router, Tick, Ticket};
use vtc_core::{UnknownPolicy, meter};

use super::DispatcherActor;
use super::drain_rate::{DrainRate, SOONEST};
use super::fleet::{Fleet, PoolPod, SeatKey};
use super::messages::{Spot, Waiter};
use super::permit::{Ending, Grant, Permit, RunningKey};
use super::refusal::Refusal;
use super::snapshot::Outcomes;

pub(super) struct Pool<C: Clock> {
    pub(super) name: Arc<str>,
    /// Its place among the pools.
    index: usize,
    pub(super) queue: FairQueue<Waiter<C>>,
    /// Its pods, ordered by name, and their seats, in the same order.
    table: PodTable,
    seats: Vec<SeatKey>,
    running: Slab<Running>,
    /// Users with something that waits or runs.
    pub(super) present: HashMap<Arc<str>, Present>,
    pub(super) drain: DrainRate,
    pub(super) outcomes: Outcomes,
    /// When the meters were last read.
    metered: Tick,
}

/// A user with something that waits or runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Present {
    /// Of its last request.
    pub(super) weight: Weight,
    requests: usize,
}

/// A request that runs.
#[derive(Debug)]
struct Running {
    id: RequestId,
    user: Option<Arc<str>>,
    policy: Option<Cow<'static, str>>,
    seat: SeatKey,
    /// Tokens that it holds there.
    input: u64,
    output: u64,
    meter: MeterReader,
}

/// What a dispatch needs beside its pool.
pub(super) struct Desk<'a, C: Clock> {
    pub(super) router: &'a Router<C>,
    pub(super) fleet: &'a mut Fleet,
    pub(super) actor: &'a dyn Fn() -> Addr<DispatcherActor<C>>,
    pub(super) now: Tick,
}

/// Where a request goes.
struct Placed<C: Clock> {
    ticket: Ticket<C>,
    policy: &'static str,
    seat: SeatKey,
    input: u64,
    output: u64,
}

/// Room for so many is kept when the last one has left.
const KEPT: usize = 1024;

// === impl Pool ===

impl<C: Clock> Pool<C> {
    pub(super) fn new(name: Arc<str>, index: usize, queue: FairQueue<Waiter<C>>) -> Self {
        Self {
            name,
            index,
            queue,
            table: PodTable::default(),
            seats: Vec::new(),
            running: Slab::new(),
            present: HashMap::new(),
            drain: DrainRate::default(),
            outcomes: Outcomes::default(),
            metered: Tick::ZERO,
        }
    }

    /// Puts these pods in force, instead of those before.
    pub(super) fn set_pods(&mut self, mut pods: Vec<PoolPod>, fleet: &mut Fleet) {
        pods.sort_by(|a, b| a.pod.name().cmp(b.pod.name()));
        pods.dedup_by(|later, first| later.pod.name() == first.pod.name());
        // Those that stay are listed twice for a moment, so that none is taken away in between.
        let seats = pods.iter().map(|pod| fleet.list(pod)).collect();
        for seat in std::mem::replace(&mut self.seats, seats) {
            fleet.unlist(seat);
        }
        self.table = PodTable::new(pods.into_iter().map(|listed| listed.pod));
    }

    /// Takes a request in, or refuses it.
    pub(super) fn enqueue(&mut self, waiter: Waiter<C>, deadline: Option<Tick>, router: &Router<C>) {
        if let Err(unknown) = policy(router, waiter.request.policy.as_deref()) {
            return waiter.refuse(unknown.into());
        }
        if self.table.is_empty() {
            return waiter.refuse(Refusal::NoPods { retry_after: SOONEST });
        }
        let (spot, user) = (Arc::clone(&waiter.spot), waiter.request.user.clone());
        let (weight, explain) = (waiter.request.weight, waiter.request.explain);
        let arrival = Arrival {
            user: user.as_deref().unwrap_or_default(),
            weight,
            input: waiter.request.input_tokens,
            max_output: waiter.request.max_output,
            bytes: waiter.request.bytes,
            deadline,
            payload: waiter,
        };
        let id = match self.queue.push(arrival) {
            Ok(id) => id,
            Err(refused) => {
                self.outcomes.refused += 1;
                let retry_after = self.drain.retry_after(self.queue.waiting());
                return refused.payload.refuse(Refusal::Full { reason: refused.reason, retry_after });
            }
        };
        self.outcomes.taken += 1;
        let ahead = if explain { self.queue.ahead(user.as_deref().unwrap_or_default()) } else { None };
        self.enter(user, weight);
        // It is set once: a spot is made for one request.
        let _ = spot.set(Spot { pool: self.index, id, ahead });
    }

    /// Dispatches whoever goes next, if there is room. Says whether somebody went.
    pub(super) fn dispatch(&mut self, desk: &mut Desk<'_, C>) -> bool {
        let Self { queue, table, seats, .. } = self;
        let Some(dispatched) = queue.pop(|head| place(head, table, seats, desk)) else { return false };
        let Dispatched { id, place, prepaid, counter, payload: waiter } = dispatched;
        let Placed { ticket, policy, seat, input, output } = place;
        desk.fleet.take(seat, input.saturating_add(output));
        let (meter, reader) = meter();
        let Waiter { request, asked, reply, spot } = waiter;
        let slot = self.running.insert(Running {
            id,
            user: request.user,
            policy: request.policy,
            seat,
            input,
            output,
            meter: reader,
        });
        self.outcomes.dispatched += 1;
        self.drain.dispatched(desk.now);
        let grant = Grant {
            pool: Arc::clone(&self.name),
            waited: desk.now.since(asked),
            counter,
            ahead: spot.get().and_then(|spot| spot.ahead),
            prepaid,
            discipline: self.queue.discipline(),
            policy,
        };
        let key = RunningKey { pool: self.index, slot, id };
        let permit = Permit::new(ticket, meter, grant, (desk.actor)(), key);
        // If whoever asked has left, the permit comes back here and is dropped: it voids itself.
        drop(reply.send(Ok(permit)));
        true
    }

    /// Charges what has flowed, if it was not done within `age`. O(running).
    pub(super) fn read_meters(&mut self, now: Tick, age: Duration, fleet: &mut Fleet) {
        if !age.is_zero() && now.since(self.metered) < age {
            return;
        }
        self.metered = now;
        for (_, running) in &mut self.running {
            running.read_meter(&mut self.queue, fleet);
        }
    }

    /// A running request has ended. Nothing happens if it does not run.
    pub(super) fn end(&mut self, key: RunningKey, ending: Ending, fleet: &mut Fleet) {
        if self.running.get(key.slot).is_none_or(|running| running.id != key.id) {
            return;
        }
        let mut running = self.running.remove(key.slot);
        running.read_meter(&mut self.queue, fleet);
        fleet.give_back(running.seat, running.tokens());
        let count = match ending {
            Ending::Settled(usage) => {
                self.queue.settle(key.id, usage);
                &mut self.outcomes.settled
            }
            Ending::Closed => {
                self.queue.close(key.id);
                &mut self.outcomes.closed
            }
            Ending::Abandoned => {
                self.queue.close(key.id);
                &mut self.outcomes.abandoned
            }
            Ending::Voided => {
                self.queue.void(key.id);
                &mut self.outcomes.voided
            }
            Ending::PodFailed => {
                fleet.suspect(running.seat);
                self.queue.void(key.id);
                &mut self.outcomes.voided
            }
        };
        *count += 1;
        self.leave(running.user.as_deref());
        if self.running.is_empty() && self.running.capacity() > KEPT {
            self.running = Slab::new();
        }
    }

    /// A running request has to leave its pod: for which other? It holds its place there already.
    pub(super) fn move_on(
        &mut self,
        key: RunningKey,
        avoid: &[Box<str>],
        router: &Router<C>,
        fleet: &mut Fleet,
    ) -> Option<Arc<Pod>> {
        let running = self.running.get_mut(key.slot).filter(|running| running.id == key.id)?;
        fleet.suspect(running.seat);
        let tokens = running.tokens();
        let others = |room: bool| {
            let pods = self.table.pods().iter().zip(&self.seats);
            let others = pods.filter(|(pod, seat)| {
                **seat != running.seat
                    && !avoid.iter().any(|name| **name == *pod.name())
                    && (!room || fleet.has_room(**seat, tokens))
            });
            PodTable::new(others.map(|(pod, _)| Arc::clone(pod)))
        };
        let roomy = others(true);
        let candidates = if roomy.is_empty() { others(false) } else { roomy };
        let policy = policy(router, running.policy.as_deref()).ok()?;
        let pod = Arc::clone(router.choose(&candidates, policy, running.user.as_deref())?);
        let seat = seat_of(&self.table, &self.seats, pod.name())?;
        fleet.give_back(running.seat, tokens);
        fleet.take(seat, tokens);
        running.seat = seat;
        Some(pod)
    }

    /// Whoever asked has left. If the request waits, it leaves too; if it does not, it has been answered.
    pub(super) fn cancel(&mut self, id: RequestId) -> bool {
        let Some(waiter) = self.queue.cancel(id) else { return false };
        self.outcomes.cancelled += 1;
        self.leave(waiter.request.user.as_deref());
        true
    }

    /// Answers those who have waited for as long as they may. Says whether there were any.
    pub(super) fn expire(&mut self, now: Tick) -> bool {
        if self.queue.next_deadline().is_none_or(|deadline| deadline > now) {
            return false;
        }
        let expired: Vec<_> = self.queue.expire(now).collect();
        let retry_after = self.drain.retry_after(self.queue.waiting());
        for (_, waiter) in expired {
            self.outcomes.expired += 1;
            self.leave(waiter.request.user.as_deref());
            let waited = now.since(waiter.asked);
            waiter.refuse(Refusal::Expired { waited, retry_after });
        }
        true
    }

    /// One more request of the user waits.
    fn enter(&mut self, user: Option<Arc<str>>, weight: Weight) {
        let new = Present { weight, requests: 0 };
        let present = self.present.entry(user.unwrap_or_default()).or_insert(new);
        present.weight = weight;
        present.requests += 1;
    }

    /// One request of the user neither waits nor runs any more.
    fn leave(&mut self, user: Option<&str>) {
        let user = user.unwrap_or_default();
        let Some(present) = self.present.get_mut(user) else { return };
        present.requests -= 1;
        if present.requests == 0 {
            self.present.remove(user);
        }
        if self.present.is_empty() {
            // With nobody there, all whose counters cannot matter any more are forgotten, and not a few at a time.
            self.queue.tidy();
            if self.present.capacity() > KEPT {
                self.present = HashMap::new();
            }
        }
    }
}

/// Where the head of a queue goes, if a pod has room for it.
fn place<C: Clock>(
    head: &Head<'_, Waiter<C>>,
    table: &PodTable,
    seats: &[SeatKey],
    desk: &Desk<'_, C>,
) -> Option<Placed<C>> {
    let request = &head.payload.request;
    let input = head.input;
    let guess = if head.prepaid > 0 { head.prepaid } else { request.output_tokens };
    let output = head.max_output.map_or(guess, |most| guess.min(most));
    let has_room = |seat: SeatKey| desk.fleet.has_room(seat, input.saturating_add(output));
    let roomy;
    let pods = if seats.iter().all(|seat| has_room(*seat)) {
        table
    } else {
        let pods = table.pods().iter().zip(seats).filter(|(_, seat)| has_room(**seat));
        roomy = PodTable::new(pods.map(|(pod, _)| Arc::clone(pod)));
        &roomy
    };
    if pods.is_empty() {
        return None;
    }
    let policy = policy(desk.router, request.policy.as_deref()).ok()?;
    let route = RouteRequest {
        user: request.user.as_deref(),
        input_tokens: input as f64,
        output_tokens: request.output_tokens as f64,
    };
    // The policy is known since the request came, and whole numbers are finite: neither is ever an error.
    let ticket = desk.router.route_among(pods, policy, &route).ok()?;
    let seat = seat_of(table, seats, ticket.pod().name())?;
    Some(Placed { ticket, policy: policy.name(), seat, input, output })
}

fn policy<'a, C: Clock>(
    router: &'a Router<C>,
    name: Option<&str>,
) -> Result<&'a dyn vtc_core::Policy, UnknownPolicy> {
    name.map_or_else(|| Ok(router.default_policy()), |name| router.policy(name))
}

/// The seat of the pod of that name.
fn seat_of(table: &PodTable, seats: &[SeatKey], name: &str) -> Option<SeatKey> {
    let at = table.pods().binary_search_by(|pod| pod.name().cmp(name)).ok()?;
    seats.get(at).copied()
}

// === impl Running ===

impl Running {
    /// Charges what has flowed since the last time. What passes the guess, it holds on the pod as well.
    fn read_meter<R>(&mut self, queue: &mut FairQueue<R>, fleet: &mut Fleet) {
        let more = self.meter.advance();
        if more > 0 {
            queue.delivered(self.id, more);
            let grown = self.meter.read().saturating_sub(self.output);
            self.output += grown;
            fleet.grow(self.seat, grown);
        }
    }

    fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

// === impl Waiter ===

impl<C: Clock> Waiter<C> {
    /// Says no. If whoever asked has left, nobody hears it.
    pub(super) fn refuse(self, refusal: Refusal) {
        drop(self.reply.send(Err(refusal)));
    }
}
