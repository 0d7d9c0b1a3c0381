//! What the dispatcher does about each message. Most of it is in the pool; here is the order in which it is done.

use std::sync::Arc;

use actix::{Actor, Context, Handler, MessageResult};
use vtc_core::queue::QueueLimits;
use vtc_core::{Clock, Pod};

use super::DispatcherActor;
use super::alarm::Ring;
use super::drain_rate::SOONEST;
use super::messages::{Cancel, Ended, Enqueue, ForgetPool, GetQueues, Move, ReportPod, SetLimits, SetPool};
use super::pool::Pool;
use super::refusal::Refusal;
use super::snapshot::{DispatcherSnapshot, PoolSnapshot};

impl<C: Clock> Actor for DispatcherActor<C> {
    type Context = Context<Self>;
}

impl<C: Clock> Handler<Enqueue<C>> for DispatcherActor<C> {
    type Result = ();

    fn handle(&mut self, Enqueue { waiter, place }: Enqueue<C>, ctx: &mut Context<Self>) {
        drop(place);
        if waiter.reply.is_closed() {
            return;
        }
        let Some(&index) = self.by_name.get(&waiter.request.pool) else {
            return waiter.refuse(Refusal::NoPods { retry_after: SOONEST });
        };
        let now = self.now();
        // Whoever has waited too long takes nobody's place.
        let may_go = self.expire(index, now);
        self.dispatch(may_go, now, ctx);
        let longest_wait = waiter.request.longest_wait.or(self.config.longest_wait);
        let deadline = longest_wait.map(|wait| waiter.asked.saturating_add(wait));
        if let Some(pool) = self.pools.get_mut(&index) {
            // The level at which a user comes in is that of now.
            pool.read_meters(now, self.config.meter_age, &mut self.fleet);
            pool.enqueue(waiter, deadline, &self.router, now);
        }
        self.dispatch(vec![index], now, ctx);
        // After it had its chance: a request that may not wait at all.
        let may_go = self.expire(index, now);
        self.dispatch(may_go, now, ctx);
        self.set_alarm(index, now, ctx);
    }
}

impl<C: Clock> Handler<Cancel> for DispatcherActor<C> {
    type Result = ();

    fn handle(&mut self, Cancel(spot): Cancel, ctx: &mut Context<Self>) {
        // Nothing: it was refused, or it was closed when it came.
        let Some(spot) = spot.get() else { return };
        if self.pools.get_mut(&spot.pool).is_some_and(|pool| pool.cancel(spot.id)) {
            // It may have been what did not fit.
            let mut pools = self.behind(spot.pool);
            pools.push(spot.pool);
            self.dispatch(pools, self.now(), ctx);
            self.forget_if_done(spot.pool);
        }
    }
}

impl<C: Clock> Handler<Ended> for DispatcherActor<C> {
    type Result = ();

    fn handle(&mut self, Ended { key, ending }: Ended, ctx: &mut Context<Self>) {
        let Some(pool) = self.pools.get_mut(&key.pool) else { return };
        let Some(seat) = pool.end(key, ending, &mut self.fleet) else { return };
        let mut pools = self.next_at(seat);
        // Its user may have had as much running as it may, and counters have changed.
        pools.push(key.pool);
        self.dispatch(pools, self.now(), ctx);
        self.forget_if_done(key.pool);
    }
}

impl<C: Clock> Handler<Move> for DispatcherActor<C> {
    type Result = Option<Arc<Pod>>;

    fn handle(&mut self, Move { key, avoid }: Move, _: &mut Context<Self>) -> Self::Result {
        // The pod that it leaves is suspect: nobody goes there now.
        let pool = self.pools.get_mut(&key.pool)?;
        pool.move_on(key, &avoid, &self.router, &mut self.fleet)
    }
}

impl<C: Clock> Handler<SetPool> for DispatcherActor<C> {
    type Result = ();

    fn handle(&mut self, SetPool { pool: name, pods }: SetPool, ctx: &mut Context<Self>) {
        let index = match self.by_name.get(&name) {
            Some(&index) => index,
            None => {
                let index = self.numbers;
                // What would be wrong with it was wrong when the dispatcher was made.
                let Ok(queue) = self.config.queue(self.router.tracker().config().weights) else { return };
                self.numbers += 1;
                self.pools.insert(index, Pool::new(Arc::clone(&name), index, queue));
                self.by_name.insert(name, index);
                self.exchange.opened(self.fleet.replicas());
                index
            }
        };
        let Some(pool) = self.pools.get_mut(&index) else { return };
        pool.is_forgotten = false;
        let before = pool.set_pods(pods, &mut self.fleet);
        let seats: Vec<_> = pool.pods.seats().iter().chain(before.seats()).copied().collect();
        self.dispatch(self.next_at_all(seats), self.now(), ctx);
    }
}

impl<C: Clock> Handler<ForgetPool> for DispatcherActor<C> {
    type Result = ();

    fn handle(&mut self, ForgetPool(name): ForgetPool, ctx: &mut Context<Self>) {
        let Some(&index) = self.by_name.get(&name) else { return };
        let Some(pool) = self.pools.get_mut(&index) else { return };
        pool.is_forgotten = true;
        let before = pool.set_pods(Vec::new(), &mut self.fleet);
        self.dispatch(self.next_at_all(before.seats().iter().copied()), self.now(), ctx);
        self.forget_if_done(index);
    }
}

impl<C: Clock> Handler<SetLimits> for DispatcherActor<C> {
    type Result = ();

    fn handle(&mut self, SetLimits(limits): SetLimits, ctx: &mut Context<Self>) {
        let users = self.config.limits.users;
        self.config.limits = QueueLimits { users, ..limits };
        self.pools.values_mut().for_each(|pool| pool.queue.set_limits(limits));
        // Users who had as much running as they might may go.
        self.dispatch(self.pools.keys().copied().collect(), self.now(), ctx);
    }
}

impl<C: Clock> Handler<ReportPod> for DispatcherActor<C> {
    type Result = ();

    fn handle(&mut self, ReportPod { pod, report }: ReportPod, ctx: &mut Context<Self>) {
        if let Some(seat) = self.fleet.report(&pod, report) {
            self.dispatch(self.next_at(seat), self.now(), ctx);
        }
    }
}

impl<C: Clock> Handler<Ring> for DispatcherActor<C> {
    type Result = ();

    fn handle(&mut self, _: Ring, ctx: &mut Context<Self>) {
        self.alarm = None;
        let now = self.now();
        let pools: Vec<_> = self.pools.keys().copied().collect();
        for index in pools {
            let may_go = self.expire(index, now);
            self.dispatch(may_go, now, ctx);
            self.set_alarm(index, now, ctx);
        }
    }
}

impl<C: Clock> Handler<GetQueues> for DispatcherActor<C> {
    type Result = MessageResult<GetQueues>;

    fn handle(&mut self, GetQueues { top }: GetQueues, _: &mut Context<Self>) -> Self::Result {
        let now = self.now();
        for pool in self.pools.values_mut() {
            pool.read_meters(now, self.config.meter_age, &mut self.fleet);
            pool.drain.note(now, pool.queue.waiting() > 0);
        }
        let tracker = self.router.tracker();
        MessageResult(DispatcherSnapshot {
            pools: self.pools.values().map(|pool| PoolSnapshot::of(pool, tracker, top)).collect(),
            pods: self.fleet.standings(),
        })
    }
}
