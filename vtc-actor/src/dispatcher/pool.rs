//! One pool: its queue, its pods, the requests of it that run, and who is there.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use vtc_core::queue::{Counter, Dispatched, RequestId, Weight};
use vtc_core::{Arrival, Clock, FairQueue, Pod, Router, Tick, meter};

use super::DispatcherActor;
use super::drain_rate::{DrainRate, SOONEST};
use super::fleet::{Fleet, PoolPod, SeatKey};
use super::messages::{Spot, Waiter};
use super::permit::{Ending, Grant, Permit, RunningKey};
use super::placing::{Placed, PoolPods, policy};
use super::refusal::Refusal;
use super::running::{Running, RunningRequests};
use super::snapshot::Outcomes;

pub(super) struct Pool<C: Clock> {
    pub(super) name: Arc<str>,
    /// Its place among the pools.
    pub(super) index: usize,
    /// Whether it is to be forgotten once nothing waits or runs there.
    pub(super) is_forgotten: bool,
    /// When it had its last turn: the number of that turn, 0 before the first.
    pub(super) turn: u64,
    pub(super) queue: FairQueue<Waiter<C>>,
    pub(super) pods: PoolPods,
    running: RunningRequests,
    /// Users with something that waits or runs.
    pub(super) present: HashMap<Arc<str>, Present>,
    pub(super) drain: DrainRate,
    pub(super) outcomes: Outcomes,
    /// What other replicas were last told of the queue: whether it is alone, its level, and how many it has dispatched.
    pub(super) told: Option<(bool, Option<Counter>, u64)>,
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

/// What a dispatch needs beside its pool.
pub(super) struct Desk<'a, C: Clock> {
    pub(super) router: &'a Router<C>,
    pub(super) fleet: &'a mut Fleet,
    /// The pods at which it is another pool's turn.
    pub(super) others: &'a HashSet<SeatKey>,
    pub(super) actor: &'a dyn Fn() -> Addr<DispatcherActor<C>>,
    pub(super) now: Tick,
}

/// Room for so many users is kept when the last one has left.
const KEPT: usize = 1024;

// === impl Pool ===

impl<C: Clock> Pool<C> {
    pub(super) fn new(name: Arc<str>, index: usize, queue: FairQueue<Waiter<C>>) -> Self {
        Self {
            name,
            index,
            is_forgotten: false,
            turn: 0,
            queue,
            pods: PoolPods::default(),
            running: RunningRequests::default(),
            present: HashMap::new(),
            drain: DrainRate::default(),
            outcomes: Outcomes::default(),
            told: None,
            metered: Tick::ZERO,
        }
    }

    /// Puts these pods in force, instead of those before, whose seats it returns.
    pub(super) fn set_pods(&mut self, mut pods: Vec<PoolPod>, fleet: &mut Fleet) -> PoolPods {
        pods.sort_by(|a, b| a.pod.name().cmp(b.pod.name()));
        pods.dedup_by(|later, first| later.pod.name() == first.pod.name());
        // Those that stay are listed twice for a moment, so that none is taken away in between.
        let seats = pods.iter().map(|pod| fleet.list(pod, self.index)).collect();
        let pods = PoolPods::new(pods.into_iter().map(|listed| listed.pod), seats);
        let before = mem::replace(&mut self.pods, pods);
        for seat in before.seats() {
            fleet.unlist(*seat, self.index);
        }
        before
    }

    /// Whether it is to be forgotten, and nothing waits or runs there any more.
    pub(super) fn is_done(&self) -> bool {
        self.is_forgotten && self.present.is_empty()
    }

    /// Takes a request in, or refuses it.
    pub(super) fn enqueue(
        &mut self,
        waiter: Waiter<C>,
        deadline: Option<Tick>,
        router: &Router<C>,
        now: Tick,
    ) {
        if let Err(unknown) = policy(router, waiter.request.policy.as_deref()) {
            return waiter.refuse(unknown.into());
        }
        if self.pods.is_empty() {
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
                let retry_after = self.retry_after(now);
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
        let Self { queue, pods, .. } = self;
        let open = |seat| !desk.others.contains(&seat);
        let mut is_left = false;
        let placed = queue.pop(|head| {
            is_left = head.yields && pods.has_place(head, open, desk.fleet);
            if head.yields { None } else { pods.place(head, open, desk.router, desk.fleet) }
        });
        if is_left {
            queue.left_room();
        }
        let Some(dispatched) = placed else { return false };
        let Dispatched { id, place, prepaid, counter, payload: waiter } = dispatched;
        let Placed { ticket, policy, among, seat, input, output } = place;
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
        let permit = Permit::new(ticket, meter, grant, among, (desk.actor)(), key);
        // If whoever asked has left, the permit comes back here and is dropped: it voids itself.
        drop(reply.send(Ok(permit)));
        true
    }

    /// Deals the places that are free among the replicas, of which this is one.
    pub(super) fn deal(&mut self, replica: &str, fleet: &Fleet) {
        let places = self.pods.seats().iter().map(|seat| fleet.places(*seat));
        self.queue.deal(replica, places.sum());
    }

    /// Charges what has flowed, if it was not done within `age`. O(running).
    pub(super) fn read_meters(&mut self, now: Tick, age: Duration, fleet: &mut Fleet) {
        if !age.is_zero() && now.since(self.metered) < age {
            return;
        }
        self.metered = now;
        for running in self.running.iter_mut() {
            running.read_meter(&mut self.queue, fleet);
        }
    }

    /// A running request has ended: where it ran. Nothing happens if it does not run.
    pub(super) fn end(&mut self, key: RunningKey, ending: Ending, fleet: &mut Fleet) -> Option<SeatKey> {
        let mut running = self.running.remove(key)?;
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
        Some(running.seat)
    }

    /// A running request has to leave its pod: for which other? It holds its place there already.
    pub(super) fn move_on(
        &mut self,
        key: RunningKey,
        avoid: &[Box<str>],
        router: &Router<C>,
        fleet: &mut Fleet,
    ) -> Option<Arc<Pod>> {
        let running = self.running.get_mut(key)?;
        fleet.suspect(running.seat);
        let (pod, seat) = self.pods.another(running, avoid, router, fleet)?;
        let tokens = running.tokens();
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
        let retry_after = self.retry_after(now);
        for (_, waiter) in expired {
            self.outcomes.expired += 1;
            self.leave(waiter.request.user.as_deref());
            let waited = now.since(waiter.asked);
            waiter.refuse(Refusal::Expired { waited, retry_after });
        }
        true
    }

    /// When it is worth to come back.
    fn retry_after(&mut self, now: Tick) -> Duration {
        let waiting = self.queue.waiting();
        self.drain.note(now, waiting > 0);
        self.drain.retry_after(waiting)
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

// === impl Waiter ===

impl<C: Clock> Waiter<C> {
    /// Says no. If whoever asked has left, nobody hears it.
    pub(super) fn refuse(self, refusal: Refusal) {
        drop(self.reply.send(Err(refusal)));
    }
}
