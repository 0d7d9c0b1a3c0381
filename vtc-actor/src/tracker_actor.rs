//! The actor: the router's messages, and the duties that want a timer.

mod schedule;

use std::fmt;
use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler, MessageResult};
use vtc_core::{Clock, CoarseClock, Router};

use self::schedule::Schedule;
use crate::messages::Request;

/// Serves a router's messages and does its upkeep.
///
/// It lives as long as an address of it does (a [`TrackerHandle`](crate::TrackerHandle) holds one), and
/// ends at its next upkeep after that. Several actors may share one router: then whichever comes first
/// does the upkeep, and the others find it done.
///
/// An app that wants more from it than [`Request`]s can do (to stop it, say) writes a
/// `Handler` for a message of its own.
pub struct TrackerActor<C = CoarseClock> {
    router: Arc<Router<C>>,
    schedule: Schedule,
}

// === impl TrackerActor ===

impl<C: Clock> TrackerActor<C> {
    /// An actor for that router, to be started by one of the functions of [`Actor`].
    #[must_use]
    pub fn new(router: Arc<Router<C>>) -> Self {
        let schedule = Schedule::new(router.tracker().config());
        Self { router, schedule }
    }

    /// The router that it serves.
    #[must_use]
    pub fn router(&self) -> &Arc<Router<C>> {
        &self.router
    }

    /// Does what is due, and comes back after a period for as long as anybody has an address.
    ///
    /// The period counts from the end of the work. An interval would make up for the rounds that it
    /// missed, and with an upkeep longer than the period the actor would do nothing else.
    fn keep_up(&mut self, ctx: &mut Context<Self>) {
        let tracker = self.router.tracker();
        if self.schedule.is_due(tracker.clock().now().since(tracker.last_extremes().as_of)) {
            tracker.upkeep();
        }
        if ctx.connected() {
            ctx.run_later(self.schedule.period(), Self::keep_up);
        }
    }
}

impl<C: Clock> Actor for TrackerActor<C> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.keep_up(ctx);
    }
}

impl<C: Clock, M: Request<C>> Handler<M> for TrackerActor<C> {
    type Result = MessageResult<M>;

    fn handle(&mut self, request: M, _: &mut Context<Self>) -> Self::Result {
        MessageResult(request.serve(&self.router))
    }
}

impl<C> fmt::Debug for TrackerActor<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackerActor").field("schedule", &self.schedule).finish_non_exhaustive()
    }
}
