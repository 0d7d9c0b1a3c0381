//! The laws of the engine, on random histories of submissions, cancellations and steps.

use proptest::prelude::*;

use super::*;

/// What happens to the engine.
#[derive(Clone, Copy, Debug)]
enum Action {
    Submit(Request),
    /// Cancels the submission of this number, counted over all there were.
    Cancel(prop::sample::Index),
    Steps(u8),
}

/// A request as the test follows it from outside.
#[derive(Clone, Copy, Debug)]
struct Followed {
    id: RequestId,
    request: Request,
    /// Tokens so far; `None` while it waits.
    produced: Option<u32>,
    /// Tokens were counted to their end, or it was cancelled.
    gone: bool,
    cancelled: bool,
}

/// The engine beside what its answers add up to.
#[derive(Debug)]
struct Observed {
    engine: Engine,
    requests: Vec<Followed>,
    decodes: u32,
}

impl Observed {
    fn new(limits: Limits) -> Self {
        let latency = LatencyModel::a10g();
        Self { engine: Engine::new(Profile { latency, limits }), requests: Vec::new(), decodes: 0 }
    }

    fn limits(&self) -> Limits {
        self.engine.profile().limits
    }

    fn waiting(&self) -> impl Iterator<Item = &Followed> {
        self.requests.iter().filter(|followed| !followed.gone && followed.produced.is_none())
    }

    fn running(&self) -> impl Iterator<Item = &Followed> {
        self.requests.iter().filter(|followed| !followed.gone && followed.produced.is_some())
    }

    /// The most memory the running would need with `newcomer`, found by counting step by step.
    fn memory_with(&self, newcomer: &Request) -> u32 {
        let joined = (newcomer, newcomer.output_tokens.min(1));
        let batch: Vec<(&Request, u32)> = self
            .running()
            .map(|followed| (&followed.request, followed.produced.unwrap()))
            .chain([joined])
            .collect();
        let mut clients: Vec<u64> = batch.iter().map(|(request, _)| request.client).collect();
        clients.sort_unstable();
        clients.dedup();
        let longest = batch.iter().map(|(request, _)| request.output_tokens).max();
        let tokens = (0..=longest.unwrap())
            .map(|steps| {
                batch
                    .iter()
                    .filter(|(request, produced)| produced + steps <= request.output_tokens)
                    .map(|(request, produced)| request.input_tokens + produced + steps)
                    .sum::<u32>()
            })
            .max();
        tokens.unwrap() + self.limits().kv_per_client * clients.len() as u32
    }

    fn head_fits(&self) -> bool {
        self.waiting().next().is_some_and(|head| {
            self.memory_with(&head.request) < self.limits().kv_pool
                && (self.running().count() as u32) < self.limits().running
        })
    }

    fn submit(&mut self, request: Request) {
        let fits_alone = request.input_tokens <= self.limits().prefill_tokens
            && request.input_tokens + request.output_tokens <= self.limits().context_tokens();
        let submitted = self.engine.submit(request);
        assert_eq!(submitted.is_ok(), fits_alone, "{request:?}");
        if let Ok(id) = submitted {
            self.requests.push(Followed { id, request, produced: None, gone: false, cancelled: false });
        }
    }

    fn cancel(&mut self, which: prop::sample::Index) {
        if self.requests.is_empty() {
            return;
        }
        let at = which.index(self.requests.len());
        let before = self.engine.gauges();
        let was_there = self.engine.cancel(self.requests[at].id);
        let after = self.engine.gauges();
        let left = (before.running + before.waiting) - (after.running + after.waiting);
        assert_eq!(left, usize::from(was_there));
        let followed = &mut self.requests[at];
        assert!(was_there || followed.gone, "a live request can be cancelled");
        if !followed.gone {
            followed.gone = true;
            followed.cancelled = true;
        }
    }

    /// One step, held against every law. False if the engine was idle.
    fn step(&mut self) -> bool {
        let may_admit = self.running().count() == 0 || self.decodes >= self.limits().decodes_between_prefills;
        let must_admit = may_admit && self.head_fits();
        let (running, waiting) = (self.running().count(), self.waiting().count());
        let Some(step) = self.engine.step() else {
            assert_eq!((running, waiting), (0, 0), "idle while something waits");
            return false;
        };
        match step.kind {
            StepKind::Prefill { input_tokens } => {
                assert!(must_admit, "a prefill out of turn");
                self.decodes = 0;
                let mini_batch: Vec<&Followed> = self.waiting().take(step.progress.len()).collect();
                let ids: Vec<RequestId> = mini_batch.iter().map(|followed| followed.id).collect();
                let tokens: u32 = mini_batch.iter().map(|f| f.request.input_tokens).sum();
                let listed: Vec<RequestId> = step.progress.iter().map(|p| p.id).collect();
                assert_eq!(ids, listed, "first come, first served");
                assert_eq!(tokens, input_tokens);
                assert!(input_tokens <= self.limits().prefill_tokens);
                assert_eq!(step.duration, LatencyModel::a10g().prefill_step(tokens));
            }
            StepKind::Decode => {
                assert!(!must_admit, "the head fits and was left waiting");
                self.decodes += 1;
                assert_eq!(step.progress.len(), running, "a decode serves all");
                let context: u32 = self.running().map(|f| f.request.input_tokens + f.produced.unwrap()).sum();
                let expected = LatencyModel::a10g().decode_step(running as u32, context);
                assert_eq!(step.duration, expected);
            }
        }
        assert!(!step.progress.is_empty(), "a step of nothing");
        self.check_room();
        for progress in step.progress {
            let followed = self.requests.iter_mut().find(|f| f.id == progress.id);
            let followed = followed.unwrap();
            assert!(!followed.gone, "progress of a request that left");
            let output = followed.request.output_tokens;
            let expected = (followed.produced.unwrap_or(0) + 1).min(output);
            assert_eq!(progress.produced, expected);
            assert_eq!(progress.finished, expected == output);
            followed.produced = Some(expected);
            followed.gone = progress.finished;
        }
        true
    }

    fn check_room(&self) {
        let gauges = self.engine.gauges();
        assert!(gauges.running as u32 <= self.limits().running);
        assert!((0.0..1.0).contains(&gauges.kv_usage), "{gauges:?}");
        assert!(self.engine.context_tokens() < self.limits().kv_pool);
    }
}

fn requests() -> impl Strategy<Value = Request> {
    (0_u64..4, 0_u32..150, 0_u32..120).prop_map(|(client, input_tokens, output_tokens)| Request {
        client,
        input_tokens,
        output_tokens,
    })
}

fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => requests().prop_map(Action::Submit),
        1 => any::<prop::sample::Index>().prop_map(Action::Cancel),
        3 => (1_u8..30).prop_map(Action::Steps),
    ]
}

/// Small enough that every limit is met.
fn tight_limits() -> impl Strategy<Value = Limits> {
    (1_u32..6, 0_u32..12).prop_map(|(running, decodes_between_prefills)| Limits {
        kv_pool: 400,
        kv_per_client: 32,
        running,
        prefill_tokens: 130,
        decodes_between_prefills,
    })
}

proptest! {
    #[test]
    fn every_history_keeps_every_law_and_ends_with_all_output_made(
        limits in tight_limits(),
        actions in prop::collection::vec(actions(), 1..60),
    ) {
        let mut observed = Observed::new(limits);
        for action in actions {
            match action {
                Action::Submit(request) => observed.submit(request),
                Action::Cancel(which) => observed.cancel(which),
                Action::Steps(steps) => {
                    for _ in 0..steps {
                        observed.step();
                    }
                }
            }
        }
        while observed.step() {}
        for followed in &observed.requests {
            prop_assert!(followed.gone);
            if !followed.cancelled {
                prop_assert_eq!(followed.produced, Some(followed.request.output_tokens));
            }
        }
        let gauges = observed.engine.gauges();
        prop_assert_eq!((gauges.running, gauges.waiting, gauges.kv_usage), (0, 0, 0.0));
    }
}

#[test]
fn cancelling_the_batch_lets_the_queue_in_at_the_next_step() {
    let mut engine = Engine::new(Profile::a10g());
    let whole_pod = Request { client: 0, input_tokens: 3_000, output_tokens: 6_900 };
    let first = engine.submit(whole_pod).unwrap();
    let second = engine.submit(whole_pod).unwrap();
    for _ in 0..100 {
        let step = engine.step().unwrap();
        assert!(step.progress.iter().all(|progress| progress.id == first));
    }
    assert!(engine.cancel(first));
    assert!(!engine.cancel(first));
    assert_eq!(engine.gauges().kv_usage, 0.0);
    let step = engine.step().unwrap();
    assert_eq!(step.kind, StepKind::Prefill { input_tokens: 3_000 });
    assert_eq!(step.progress[0].id, second);
}

#[test]
fn a_request_for_no_output_is_done_after_its_prefill() {
    let mut engine = Engine::new(Profile::a10g());
    let id = engine.submit(Request { client: 0, input_tokens: 7, output_tokens: 0 }).unwrap();
    let step = engine.step().unwrap();
    assert_eq!(step.kind, StepKind::Prefill { input_tokens: 7 });
    let done = Progress { id, produced: 0, finished: true };
    assert_eq!(step.progress, [done]);
    assert_eq!(engine.gauges().running, 1);
    assert_eq!(engine.step(), None);
    assert_eq!(engine.gauges().running, 0);
}

#[test]
fn a_pod_that_may_run_nothing_says_so_instead_of_queueing() {
    let limits = Limits { running: 0, ..Limits::a10g() };
    let mut engine = Engine::new(Profile { limits, ..Profile::a10g() });
    let request = Request { client: 0, input_tokens: 1, output_tokens: 1 };
    assert_eq!(engine.submit(request), Err(Refused::NothingRuns));
}
