//! Who goes when there is room: the heads of the pools' queues, each pool in its turn.
//!
//! A pod may serve several pools. Its room is for the pool whose *turn* it is there: of those that list it and have
//! somebody who may go, the one that dispatched longest ago. If its head does not fit, the room stays free, for the same
//! reason for which nobody in a queue passes the head: small requests could keep a large one waiting without end. So while
//! somebody waits in a pool, every other one dispatches at most once to the pods that both list.
//!
//! A pool that shares no pod never looks at another. Elsewhere who may go changes only where room has come free, and at
//! the pods of a pool that has had its turn or has nobody left: there the next in turn is tried, and nobody else.

use std::collections::HashSet;

use actix::{AsyncContext, Context};
use vtc_core::{Clock, Tick};

use super::DispatcherActor;
use super::fleet::SeatKey;
use super::pool::{Desk, Pool};

impl<C: Clock> DispatcherActor<C> {
    /// Dispatches from these pools for as long as their heads have room, and from those whose turn that makes it.
    pub(super) fn dispatch(&mut self, mut pools: Vec<usize>, now: Tick, ctx: &mut Context<Self>) {
        while let Some(index) = pools.pop() {
            if let Some(pool) = self.pools.get_mut(&index)
                && pool.queue.waiting() > 0
            {
                pool.read_meters(now, self.config.meter_age, &mut self.fleet);
            }
            while self.dispatch_one(index, now, ctx) {
                pools.extend(self.behind(index));
            }
            if let Some(pool) = self.pools.get_mut(&index) {
                pool.drain.note(now, pool.queue.waiting() > 0);
            }
        }
    }

    /// Dispatches the head of that pool, if a pod at which it is its turn has room. Says whether it went.
    fn dispatch_one(&mut self, index: usize, now: Tick, ctx: &mut Context<Self>) -> bool {
        let others = self.turns_of_others(index);
        let Some(pool) = self.pools.get_mut(&index) else { return false };
        let actor = || ctx.address();
        let (router, fleet) = (&self.router, &mut self.fleet);
        let went = pool.dispatch(&mut Desk { router, fleet, others: &others, actor: &actor, now });
        if went {
            self.turns += 1;
            pool.turn = self.turns;
        }
        went
    }

    /// The pools whose turn it is where that pod has room.
    pub(super) fn next_at(&self, seat: SeatKey) -> Vec<usize> {
        let pools = self.fleet.pools(seat).iter().filter_map(|index| self.pools.get(index));
        self.next_among(pools, [seat])
    }

    /// The pools whose turn it is where these pods have room. O(pools).
    pub(super) fn next_at_all(&self, seats: impl IntoIterator<Item = SeatKey>) -> Vec<usize> {
        self.next_among(self.pools.values(), seats)
    }

    /// The pools whose turn it is at the pods of this one, which has had its turn or has nobody left.
    pub(super) fn behind(&self, index: usize) -> Vec<usize> {
        let Some(pool) = self.pools.get(&index).filter(|pool| self.shares(pool)) else { return Vec::new() };
        self.next_at_all(self.shared_seats(pool))
    }

    fn next_among<'a>(
        &self,
        pools: impl Iterator<Item = &'a Pool<C>>,
        seats: impl IntoIterator<Item = SeatKey>,
    ) -> Vec<usize>
    where
        C: 'a,
    {
        let mut waiting: Vec<_> = pools.filter(|pool| pool.queue.has_next()).collect();
        if waiting.is_empty() {
            return Vec::new();
        }
        waiting.sort_unstable_by_key(|pool| pool.turn());
        let mut free: Vec<_> = seats.into_iter().filter(|seat| self.fleet.has_room(*seat, 0)).collect();
        let mut next = Vec::new();
        for pool in waiting {
            if free.is_empty() {
                break;
            }
            let before = free.len();
            free.retain(|seat| !self.fleet.pools(*seat).contains(&pool.index));
            if free.len() < before {
                next.push(pool.index);
            }
        }
        next
    }

    /// The pods of this pool at which it is another one's turn.
    fn turns_of_others(&self, index: usize) -> HashSet<SeatKey> {
        let mut others = HashSet::new();
        let Some(this) = self.pools.get(&index).filter(|pool| self.shares(pool)) else { return others };
        let is_before = |pool: &&Pool<C>| pool.turn() < this.turn() && pool.queue.has_next();
        let mut before = self.pools.values().filter(is_before).peekable();
        if before.peek().is_none() {
            return others;
        }
        let mut own: Vec<_> = self.shared_seats(this).collect();
        for pool in before {
            others.extend(own.extract_if(.., |seat| self.fleet.pools(*seat).contains(&pool.index)));
            if own.is_empty() {
                break;
            }
        }
        others
    }

    /// Whether one of its pods serves another pool too.
    fn shares(&self, pool: &Pool<C>) -> bool {
        self.shared_seats(pool).next().is_some()
    }

    /// The pods of this pool that serve others too.
    fn shared_seats(&self, pool: &Pool<C>) -> impl Iterator<Item = SeatKey> {
        pool.pods.seats().iter().copied().filter(|seat| self.fleet.pools(*seat).len() > 1)
    }
}

// === impl Pool ===

impl<C: Clock> Pool<C> {
    /// Its place in the order of turns: the least is next.
    const fn turn(&self) -> (u64, usize) {
        (self.turn, self.index)
    }
}
