//! The one timer of a dispatcher, for the earliest deadline.

use std::time::Duration;

use actix::{Message, WeakAddr};
use tokio::task::JoinHandle;
use vtc_core::{Clock, Tick};

use super::DispatcherActor;

/// The alarm rings.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Ring;

/// Rings once. It keeps nobody alive: an actor that has no address any more ends, and its alarm with it.
#[derive(Debug)]
pub(super) struct Alarm {
    pub(super) at: Tick,
    task: JoinHandle<()>,
}

/// The step of the runtime's timers: a shorter wait would be rounded up to it anyway.
const TIMER_STEP: Duration = Duration::from_millis(1);

// === impl Alarm ===

impl Alarm {
    /// Sets it to `at`.
    pub(super) fn set<C: Clock>(at: Tick, now: Tick, actor: WeakAddr<DispatcherActor<C>>) -> Self {
        let wait = at.since(now).max(TIMER_STEP);
        let task = actix::spawn(async move {
            tokio::time::sleep(wait).await;
            if let Some(actor) = actor.upgrade() {
                actor.do_send(Ring);
            }
        });
        Self { at, task }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.task.abort();
    }
}
