//! The queue decides as its naive twin does, which scans lists and never forgets anybody.

use std::collections::HashMap;

use proptest::prelude::*;
use vtc_core::predict::AsAllowed;
use vtc_core::queue::discipline::{self, DisciplineOptions};
use vtc_core::queue::{QueueLimits, RequestId};
use vtc_core::{Arrival, FairQueue, Tokens, Usage};

use crate::model::{Job, Model, Rules};

const USERS: usize = 6;

#[derive(Clone, Debug)]
enum Action {
    Push(Job),
    /// Dispatches, if the request that goes next reads no more than this.
    Pop(u64),
    /// What happens to one of those that wait or run, by its place among them.
    Cancel(usize),
    Deliver(usize, u64),
    Settle(usize, u64, u64),
    Close(usize),
    Void(usize),
}

fn job() -> impl Strategy<Value = Job> {
    let weight = prop_oneof![4 => Just(1000), 1 => Just(500), 1 => Just(3000), 1 => Just(1)];
    (0..USERS, weight, 0..20u64, 0..20u64, 0..20u64)
        .prop_map(|(user, weight, input, output, predicted)| Job { user, weight, input, output, predicted })
}

fn action() -> impl Strategy<Value = Action> {
    let any = 0..100usize;
    prop_oneof![
        6 => job().prop_map(Action::Push),
        1 => Just(Action::Pop(10)),
        5 => Just(Action::Pop(u64::MAX)),
        1 => any.clone().prop_map(Action::Cancel),
        4 => (any.clone(), 1..6u64).prop_map(|(which, tokens)| Action::Deliver(which, tokens)),
        3 => (any.clone(), 0..20u64, 0..20u64).prop_map(|(which, input, output)| Action::Settle(which, input, output)),
        1 => any.clone().prop_map(Action::Close),
        1 => any.prop_map(Action::Void),
    ]
}

pub fn name(user: usize) -> String {
    format!("user-{user}")
}

/// A queue with these rules, and predictions that the jobs bring along.
pub fn queue<R>(rules: &Rules) -> FairQueue<R> {
    let options = DisciplineOptions { quantum: Tokens::new(rules.quantum as f64 / 1e6).unwrap() };
    let limits = QueueLimits { running_per_user: rules.running_per_user, ..QueueLimits::NONE };
    FairQueue::new(discipline::by_name(rules.discipline, &options).unwrap())
        .with_predictor(AsAllowed)
        .with_limits(limits)
}

/// Plays the same on both and compares each choice and each counter. If it is shared, the queue has exchanges between
/// them, with nobody.
fn play(rules: Rules, actions: &[Action], is_shared: bool) -> Result<(), TestCaseError> {
    let (mut queue, mut model) = (queue::<u64>(&rules), Model::new(rules, USERS));
    let names: Vec<_> = (0..USERS).map(name).collect();
    let mut ids: HashMap<u64, RequestId> = HashMap::new();
    let pick = |all: Vec<u64>, which: usize| (!all.is_empty()).then(|| all[which % all.len()]);
    for (number, action) in (0..).zip(actions) {
        if is_shared {
            prop_assert!(queue.export(number % 3 == 0).alone);
            queue.import([]);
            queue.deal("this", Some(0));
        }
        match *action {
            Action::Push(job) => {
                let mut arrival = Arrival::new(&names[job.user], job.input, number);
                arrival.weight = job.weight();
                arrival.max_output = Some(job.predicted);
                ids.insert(number, queue.push(arrival).unwrap());
                model.push(number, job);
            }
            Action::Pop(most) => {
                let expected = model.pop(|_, job, _| job.input <= most).map(|(number, _)| number);
                let chosen = queue.pop(|head| (head.input <= most).then_some(()));
                prop_assert_eq!(chosen.map(|chosen| chosen.payload), expected);
            }
            Action::Cancel(which) => {
                if let Some(number) = pick(model.waiting(), which) {
                    model.cancel(number);
                    prop_assert_eq!(queue.cancel(ids[&number]), Some(number));
                    prop_assert_eq!(queue.cancel(ids[&number]), None, "once");
                }
            }
            Action::Deliver(which, tokens) => {
                if let Some(number) = pick(model.running(), which) {
                    model.delivered(number, tokens);
                    prop_assert!(queue.delivered(ids[&number], tokens));
                }
            }
            Action::Settle(which, input, output) => {
                if let Some(number) = pick(model.running(), which) {
                    model.settle(number, input, output);
                    prop_assert!(queue.settle(ids[&number], Usage::new(input, output)));
                    prop_assert!(!queue.settle(ids[&number], Usage::new(input, output)), "once");
                }
            }
            Action::Close(which) => {
                if let Some(number) = pick(model.running(), which) {
                    model.close(number);
                    prop_assert!(queue.close(ids[&number]));
                    prop_assert!(!queue.delivered(ids[&number], 1));
                }
            }
            Action::Void(which) => {
                if let Some(number) = pick(model.running(), which) {
                    model.void(number);
                    prop_assert!(queue.void(ids[&number]));
                    prop_assert!(!queue.close(ids[&number]));
                }
            }
        }
        prop_assert_eq!(queue.waiting(), model.waiting().len());
        prop_assert_eq!(queue.running(), model.running().len());
        for (user, name) in names.iter().enumerate() {
            let Some(standing) = queue.standing(name) else { continue };
            // `fcfs` forgets what those had who have nothing.
            if rules.discipline != "fcfs" {
                prop_assert_eq!(standing.counter.units(), model.counter(user), "{} after {:?}", name, action);
            }
            prop_assert_eq!(queue.ahead(name).is_some(), model.waits(user));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn each_discipline_chooses_as_its_twin_that_never_forgets(
        name in proptest::sample::select(&discipline::NAMES),
        actions in proptest::collection::vec(action(), 0..200),
        running_per_user in prop_oneof![3 => Just(usize::MAX), 1 => 1..4usize],
        is_shared: bool,
    ) {
        play(Rules { running_per_user, ..Rules::of(name) }, &actions, is_shared)?;
    }
}

/// What a ring with deficits does, written down as such: users who always want more, nothing refunded.
#[test]
fn drr_is_a_ring_with_deficits() {
    proptest!(|(
        lengths in proptest::collection::vec((0..20u64, 0..20u64), 200),
        users in 1..5usize,
        quantum in 1..60u64,
    )| {
        let rules = Rules { quantum: u128::from(quantum) * 1_000_000, ..Rules::of("drr") };
        let mut queue = queue::<usize>(&rules);
        let mut deficits = vec![0i128; users];
        let mut lines = vec![Vec::new(); users];
        for (number, (input, output)) in lengths.iter().enumerate() {
            let user = number % users;
            queue.push(Arrival::new(&name(user), *input, number)).unwrap();
            lines[user].insert(0, (number, *input, *output));
        }
        // All stand in the ring as the first round begins.
        deficits.fill(i128::from(quantum));
        for _ in 0..lengths.len() - 2 * users {
            let user = loop {
                match deficits.iter().position(|deficit| *deficit > 0) {
                    Some(user) => break user,
                    None => deficits.iter_mut().for_each(|deficit| *deficit += i128::from(quantum)),
                }
            };
            let Some((number, input, output)) = lines[user].pop() else { break };
            let chosen = queue.pop(|_| Some(())).unwrap();
            prop_assert_eq!(chosen.payload, number);
            deficits[user] -= i128::from(input);
            for _ in 0..output {
                queue.delivered(chosen.id, 1);
                deficits[user] -= 2;
            }
            queue.settle(chosen.id, Usage::new(input, output));
            if lines.iter().any(Vec::is_empty) {
                break;
            }
        }
    });
}
