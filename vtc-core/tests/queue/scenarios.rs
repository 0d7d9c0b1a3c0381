//! The paper's workloads in scripted time: a step is 50 ms, a pod holds 10,000 tokens, requests are 256/256.

use crate::model::{Job, Rules};
use crate::pods::{Queue, Script, merged, run, steadily};

const PER_SECOND: u64 = 20;
const POOL: u64 = 10_000;
/// What one user can be charged beyond another who waits: twice what the pod holds.
const U: u64 = 2 * POOL;

fn job(user: usize, weight: u32) -> Job {
    Job { user, weight: weight * 1000, input: 256, output: 256, predicted: 256 }
}

/// Requests at so many per second.
fn at_rate(job: Job, per_second: f64, seconds: std::ops::Range<u64>) -> Script {
    steadily(job, per_second / PER_SECOND as f64, seconds.start * PER_SECOND..seconds.end * PER_SECOND)
}

/// Service per user between two moments, and the largest gap between any two users' service since the first.
#[derive(Debug)]
struct Outcome {
    served: Vec<u64>,
    gap: u64,
}

fn outcome(
    discipline: &'static str,
    users: usize,
    script: &Script,
    seconds: std::ops::Range<u64>,
) -> Outcome {
    let mut line = Queue::new(Rules::of(discipline), users);
    let (mut before, mut outcome) = (None, Outcome { served: Vec::new(), gap: 0 });
    run(&mut line, users, &[POOL], script, seconds.end * PER_SECOND, |_, moment| {
        if moment.step >= seconds.start * PER_SECOND {
            let before = before.get_or_insert_with(|| moment.served.to_vec());
            outcome.served = moment.served.iter().zip(before).map(|(now, then)| now - *then).collect();
            outcome.gap =
                outcome.gap.max(outcome.served.iter().max().unwrap() - outcome.served.iter().min().unwrap());
        }
    });
    outcome
}

/// What each was served, as a multiple of what the first was.
fn ratios(served: &[u64]) -> Vec<f64> {
    served.iter().map(|service| *service as f64 / served[0] as f64).collect()
}

fn near(actual: f64, expected: f64, part: f64) -> bool {
    (actual / expected - 1.0).abs() <= part
}

#[test]
fn overload_is_shared_half_and_half() {
    let script = merged([at_rate(job(0, 1), 1.5, 0..360), at_rate(job(1, 1), 3.0, 0..360)]);
    let gap = |discipline| outcome(discipline, 2, &script, 30..360).gap;
    for discipline in ["vtc-fair", "vtc-pred", "vtc-max-fair", "drr"] {
        let Outcome { served, gap } = outcome(discipline, 2, &script, 30..360);
        assert!(gap <= 2 * U, "{discipline}: {gap}");
        assert!(near(ratios(&served)[1], 1.0, 0.01), "{discipline}: {served:?}");
    }
    assert!(gap("vtc-pred") < gap("vtc-fair"), "charged in advance, the lead is smaller");
    assert!(gap("fcfs") > 2 * U, "whoever asks for more gets more");
    assert!(near(ratios(&outcome("fcfs", 2, &script, 30..360).served)[1], 2.0, 0.01));
}

#[test]
fn overload_by_many_is_shared_by_all() {
    let rate = |user| if user < 3 { 0.4 } else { 0.6 };
    let script = merged((0..8).map(|user| at_rate(job(user, 1), rate(user), 0..360)));
    let gap = |discipline| outcome(discipline, 8, &script, 30..360).gap;
    for discipline in ["vtc-fair", "vtc-pred", "vtc-max-fair", "drr"] {
        assert!(4 * gap(discipline) < gap("fcfs"), "{discipline}");
    }
    assert!(2 * gap("vtc-pred") < gap("vtc-fair"), "charged in advance, the lead is smaller");
}

#[test]
fn overload_is_shared_by_weight() {
    type Rate = fn(usize) -> f64;
    // As in the paper, where each asks in proportion to its weight; and where all ask for the same, for longer, as one
    // request is already two parts in a hundred of what the least is served in 330 s.
    let cases: [(Rate, u64); 2] = [(|user| 0.4 * (user + 1) as f64, 360), (|_| 1.6, 1440)];
    for (rate, end) in cases {
        let served = |weight: fn(usize) -> u32| {
            let script = merged((0..4).map(|user| at_rate(job(user, weight(user)), rate(user), 0..end)));
            ratios(&outcome("vtc-fair", 4, &script, 30..end).served)
        };
        let weighted = served(|user| user as u32 + 1);
        for (ratio, weight) in weighted.iter().zip(1..) {
            assert!(near(*ratio, f64::from(weight), 0.01), "{weighted:?}");
        }
        let equal = served(|_| 1);
        assert!(equal.iter().all(|ratio| near(*ratio, 1.0, 0.02)), "the weights are what does it: {equal:?}");
    }
}

#[test]
fn whoever_comes_back_gets_half_and_without_the_lift_nearly_all() {
    // One is served alone for three minutes; then both want more than there is.
    let script = merged([at_rate(job(0, 1), 3.0, 0..360), at_rate(job(1, 1), 3.0, 180..360)]);
    let share = |discipline| {
        let served = outcome(discipline, 2, &script, 180..300).served;
        served[1] as f64 / (served[0] + served[1]) as f64
    };
    for discipline in ["vtc-fair", "vtc-pred", "vtc-max-fair", "drr"] {
        assert!(near(share(discipline), 0.5, 0.05), "{discipline}: {}", share(discipline));
    }
    assert!(share("lcf") > 0.95, "it is served alone until it has caught up: {}", share("lcf"));
}
