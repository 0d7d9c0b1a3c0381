//! The engine in real time: one local task lets the time of each step pass and then tells the
//! requests how far they came.
//!
//! Everything here stays on one thread, so the engine is shared through a `RefCell` that is never
//! borrowed across an await. A request holds a [`Seat`]; dropping the seat frees its place in the
//! engine before the drop returns.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::task::JoinHandle;
use futures_util::Stream;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::demo::engine::admission::{Limits, Refused};
use crate::demo::engine::{Engine, Gauges, Profile, Progress, Request, RequestId, Step, StepKind};

/// How far the engine may be behind its own schedule and still make up for it. Timers are coarse to
/// a millisecond and late by a little; without catching up, every step would be slower than the
/// model says. A longer lag is a stall of the whole process and is not run after.
const CATCH_UP: Duration = Duration::from_millis(20);

/// An engine that runs. Dropping it stops the engine: requests make no more progress.
#[derive(Debug)]
pub(super) struct LiveEngine {
    shared: Rc<Shared>,
    driver: JoinHandle<()>,
}

/// A request's place in the engine, from submission to its end: the stream of its progress.
#[derive(Debug)]
pub(super) struct Seat {
    id: RequestId,
    shared: Rc<Shared>,
    progress: UnboundedReceiver<Progress>,
}

/// Tokens since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Input tokens of every prefill.
    pub(super) prompt_tokens: u64,
    /// Output tokens of every step.
    pub(super) generation_tokens: u64,
}

#[derive(Debug)]
struct Shared {
    engine: RefCell<Engine>,
    /// Where each request's progress goes. What waits there is bounded by the request's output.
    listeners: RefCell<HashMap<RequestId, UnboundedSender<Progress>>>,
    totals: Cell<Totals>,
    submitted: Notify,
}

// === impl LiveEngine ===

impl LiveEngine {
    /// Starts an engine on the local set of this thread.
    pub(super) fn start(profile: Profile) -> Self {
        let shared = Rc::new(Shared {
            engine: RefCell::new(Engine::new(profile)),
            listeners: RefCell::default(),
            totals: Cell::default(),
            submitted: Notify::new(),
        });
        let driver = actix_web::rt::spawn(drive(Rc::clone(&shared)));
        Self { shared, driver }
    }

    /// Queues a request.
    pub(super) fn submit(&self, request: Request) -> Result<Seat, Refused> {
        let id = self.shared.engine.borrow_mut().submit(request)?;
        let (sender, progress) = unbounded_channel();
        self.shared.listeners.borrow_mut().insert(id, sender);
        self.shared.submitted.notify_one();
        Ok(Seat { id, shared: Rc::clone(&self.shared), progress })
    }

    pub(super) fn gauges(&self) -> Gauges {
        self.shared.engine.borrow().gauges()
    }

    pub(super) fn totals(&self) -> Totals {
        self.shared.totals.get()
    }

    pub(super) fn limits(&self) -> Limits {
        self.shared.engine.borrow().profile().limits
    }
}

impl Drop for LiveEngine {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Runs the engine for ever: step after step, and asleep while there is nothing to do.
async fn drive(shared: Rc<Shared>) {
    let mut due = Instant::now();
    loop {
        let step = shared.engine.borrow_mut().step();
        let Some(step) = step else {
            shared.submitted.notified().await;
            due = Instant::now();
            continue;
        };
        due = end_of_step(due, Instant::now(), step.duration);
        tokio::time::sleep_until(due).await;
        shared.deliver(&step);
    }
}

/// When a step ends that follows one that was due at `due`.
fn end_of_step(due: Instant, now: Instant, duration: Duration) -> Instant {
    let lag = now.saturating_duration_since(due);
    let begin = if lag <= CATCH_UP { due } else { now };
    begin + duration
}

// === impl Shared ===

impl Shared {
    fn deliver(&self, step: &Step) {
        let mut totals = self.totals.get();
        if let StepKind::Prefill { input_tokens } = step.kind {
            totals.prompt_tokens += u64::from(input_tokens);
        }
        let mut listeners = self.listeners.borrow_mut();
        for &progress in &step.progress {
            totals.generation_tokens += u64::from(progress.produced > 0);
            if let Some(listener) = listeners.get(&progress.id) {
                // Fails only for a seat that is being dropped.
                let _ = listener.send(progress);
            }
            if progress.finished {
                listeners.remove(&progress.id);
            }
        }
        self.totals.set(totals);
    }
}

// === impl Seat ===

impl Seat {
    pub(super) const fn id(&self) -> RequestId {
        self.id
    }
}

/// Ends after the progress that is `finished`.
impl Stream for Seat {
    type Item = Progress;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Progress>> {
        self.progress.poll_recv(cx)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.shared.engine.borrow_mut().cancel(self.id);
        self.shared.listeners.borrow_mut().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use tokio::task::LocalSet;

    use super::*;
    use crate::demo::latency::LatencyModel;

    const SHORT: Request = Request { client: 0, input_tokens: 100, output_tokens: 300 };

    #[tokio::test(start_paused = true)]
    async fn a_request_takes_the_time_of_its_steps_without_drift() {
        let local = LocalSet::new();
        local
            .run_until(async {
                let engine = LiveEngine::start(Profile::a10g());
                let begin = Instant::now();
                let seat = engine.submit(SHORT).unwrap();
                let progress: Vec<Progress> = seat.collect().await;
                let model = LatencyModel::a10g();
                let expected = (1..SHORT.output_tokens)
                    .map(|produced| model.decode_step(1, SHORT.input_tokens + produced))
                    .sum::<Duration>()
                    + model.prefill_step(SHORT.input_tokens);
                let error = begin.elapsed().saturating_sub(expected);
                assert!(begin.elapsed() >= expected);
                // 300 timers, each rounded up to a millisecond, are late by one rounding in all.
                assert!(error <= Duration::from_millis(1), "{error:?}");
                assert_eq!(progress.len(), 300);
                assert!(progress[299].finished);
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn totals_count_what_was_read_and_written() {
        let local = LocalSet::new();
        local
            .run_until(async {
                let engine = LiveEngine::start(Profile::a10g());
                let seats = [engine.submit(SHORT).unwrap(), engine.submit(SHORT).unwrap()];
                let embedding = Request { output_tokens: 0, ..SHORT };
                let only_read = engine.submit(embedding).unwrap();
                assert_eq!(only_read.collect::<Vec<_>>().await.len(), 1);
                for seat in seats {
                    seat.collect::<Vec<_>>().await;
                }
                let expected = Totals { prompt_tokens: 300, generation_tokens: 600 };
                assert_eq!(engine.totals(), expected);
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_seat_is_free_at_once_and_the_others_go_on() {
        let local = LocalSet::new();
        local
            .run_until(async {
                let engine = LiveEngine::start(Profile::a10g());
                let mut leaves = engine.submit(SHORT).unwrap();
                let stays = engine.submit(SHORT).unwrap();
                leaves.next().await.unwrap();
                assert_eq!(engine.gauges().running, 2);
                drop(leaves);
                assert_eq!(engine.gauges().running, 1);
                assert_eq!(stays.collect::<Vec<_>>().await.len(), 300);
                assert!(engine.shared.listeners.borrow().is_empty());
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_ends_an_idle_time_begins_when_it_comes() {
        let local = LocalSet::new();
        local
            .run_until(async {
                let engine = LiveEngine::start(Profile::a10g());
                // Shorter than what the schedule would make up for.
                tokio::time::sleep(CATCH_UP / 2).await;
                let begin = Instant::now();
                let mut seat = engine.submit(SHORT).unwrap();
                seat.next().await.unwrap();
                assert!(begin.elapsed() >= LatencyModel::a10g().prefill_step(100));
            })
            .await;
    }

    #[test]
    fn a_stall_of_the_process_is_not_run_after() {
        let due = Instant::now();
        let step = Duration::from_millis(30);
        let end = |lag| end_of_step(due, due + lag, step).duration_since(due);
        assert_eq!(end(Duration::ZERO), step);
        assert_eq!(end(CATCH_UP), step);
        let stall = Duration::from_secs(3);
        assert_eq!(end(stall), stall + step);
    }
}
