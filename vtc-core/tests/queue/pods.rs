//! Pods in scripted time, and a watch on who is served how much.

use std::collections::HashMap;

use vtc_core::queue::RequestId;
use vtc_core::{Arrival, FairQueue, Usage};

use crate::model::{Job, Model, Rules};
use crate::order;

/// Something that says who goes next.
pub trait Line {
    fn push(&mut self, number: u64, job: Job);
    /// The number of the request that goes, if `fits` agrees.
    fn pop(&mut self, fits: &mut dyn FnMut(&Job) -> bool) -> Option<u64>;
    /// No more go for now.
    fn formed(&mut self) {}
    fn token(&mut self, number: u64);
    fn end(&mut self, number: u64, job: &Job);
    /// The counter of a user who waits.
    fn counter(&self, user: usize) -> u128;
}

/// The queue that is tested.
#[derive(Debug)]
pub struct Queue {
    queue: FairQueue<(u64, Job)>,
    ids: HashMap<u64, RequestId>,
    names: Vec<String>,
}

/// Requests that arrive: when, and what. Sorted by time.
pub type Script = Vec<(u64, Job)>;

/// What is seen after each event.
#[derive(Debug)]
pub struct Moment<'a> {
    pub step: u64,
    /// How many requests of each user wait.
    pub waiting: &'a [usize],
    /// How many requests of each user run.
    pub running: &'a [usize],
    /// The service of each user so far: input and twice the output, not divided by weight.
    pub served: &'a [u64],
    pub event: Event,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Arrived(usize),
    Dispatched(usize),
    /// Some request fits in no pod, or nobody waits.
    Formed,
    Token,
}

impl Queue {
    pub fn new(rules: Rules, users: usize) -> Self {
        let names = (0..users).map(order::name).collect();
        Self { queue: order::queue(&rules), ids: HashMap::new(), names }
    }
}

impl Line for Queue {
    fn push(&mut self, number: u64, job: Job) {
        let mut arrival = Arrival::new(&self.names[job.user], job.input, (number, job));
        arrival.weight = job.weight();
        arrival.max_output = Some(job.predicted);
        self.ids.insert(number, self.queue.push(arrival).unwrap());
    }

    fn pop(&mut self, fits: &mut dyn FnMut(&Job) -> bool) -> Option<u64> {
        self.queue.pop(|head| fits(&head.payload.1).then_some(())).map(|dispatched| dispatched.payload.0)
    }

    fn token(&mut self, number: u64) {
        assert!(self.queue.delivered(self.ids[&number], 1));
    }

    fn end(&mut self, number: u64, job: &Job) {
        assert!(self.queue.settle(self.ids[&number], Usage::new(job.input, job.output)));
    }

    fn counter(&self, user: usize) -> u128 {
        self.queue.standing(&self.names[user]).unwrap().counter.units()
    }
}

impl Line for Model {
    fn push(&mut self, number: u64, job: Job) {
        self.push(number, job);
    }

    fn pop(&mut self, fits: &mut dyn FnMut(&Job) -> bool) -> Option<u64> {
        self.pop(|_, job, _| fits(job)).map(|(number, _)| number)
    }

    fn formed(&mut self) {
        self.formed();
    }

    fn token(&mut self, number: u64) {
        self.delivered(number, 1);
    }

    fn end(&mut self, number: u64, job: &Job) {
        self.settle(number, job.input, job.output);
    }

    fn counter(&self, user: usize) -> u128 {
        self.counter(user)
    }
}

/// Runs pods that hold `capacities` tokens each for `steps` steps. In a step requests arrive, are dispatched to the
/// first pod that has room for all the tokens they will ever hold, and each that runs writes a token.
///
/// Whether work was conserved: whenever somebody waited and nobody went, what goes next fitted in no pod.
pub fn run(
    line: &mut dyn Line,
    users: usize,
    capacities: &[u64],
    script: &[(u64, Job)],
    steps: u64,
    mut watch: impl FnMut(&dyn Line, Moment<'_>),
) -> bool {
    let mut conserved = true;
    let mut free = capacities.to_vec();
    let mut arriving = (0u64..).zip(script).peekable();
    let mut running: Vec<(u64, Job, usize, u64)> = Vec::new();
    let (mut waiting, mut served, mut runs) = (vec![0; users], vec![0; users], vec![0; users]);
    for step in 0..steps {
        macro_rules! seen {
            ($event:expr) => {
                watch(
                    line,
                    Moment { step, waiting: &waiting, running: &runs, served: &served, event: $event },
                )
            };
        }
        while let Some((number, (_, job))) = arriving.next_if(|(_, (at, _))| *at <= step) {
            waiting[job.user] += 1;
            line.push(number, *job);
            seen!(Event::Arrived(job.user));
        }
        loop {
            let mut asked = false;
            let chosen = line.pop(&mut |job| {
                asked = true;
                free.iter().any(|free| *free >= job.size())
            });
            let Some(number) = chosen else {
                conserved &= asked || waiting.iter().all(|waiting| *waiting == 0);
                break;
            };
            let job = script[usize::try_from(number).unwrap()].1;
            let pod = free.iter().position(|free| *free >= job.size()).unwrap();
            free[pod] -= job.size();
            running.push((number, job, pod, 0));
            waiting[job.user] -= 1;
            runs[job.user] += 1;
            served[job.user] += job.input;
            seen!(Event::Dispatched(job.user));
        }
        line.formed();
        seen!(Event::Formed);
        for (number, job, _, done) in &mut running {
            if *done < job.output {
                *done += 1;
                line.token(*number);
                served[job.user] += 2;
                seen!(Event::Token);
            }
        }
        running.retain(|(number, job, pod, done)| {
            let ended = *done == job.output;
            if ended {
                line.end(*number, job);
                free[*pod] += job.size();
                runs[job.user] -= 1;
            }
            !ended
        });
    }
    conserved
}

/// Requests of one user, one every `1 / rate` steps within a span.
pub fn steadily(job: Job, rate: f64, span: std::ops::Range<u64>) -> Script {
    let count = ((span.end - span.start) as f64 * rate) as u64;
    (0..count).map(|number| (span.start + (number as f64 / rate) as u64, job)).collect()
}

/// Several scripts as one.
pub fn merged(scripts: impl IntoIterator<Item = Script>) -> Script {
    let mut all: Script = scripts.into_iter().flatten().collect();
    all.sort_by_key(|(at, _)| *at);
    all
}
