//! The bounds that `vtc_core::queue::bounds` derives, over random arrivals, lengths, weights, pods and capacities; and
//! that each is broken as soon as the rule that gives it is switched off.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use crate::model::{Job, Model, Rules};
use crate::pods::{Event, Line, Moment, Queue, Script, run};

#[derive(Clone, Debug)]
struct Case {
    users: usize,
    weights: Vec<u32>,
    capacities: Vec<u64>,
    script: Script,
}

/// The most that a charge is rounded by, times more charges than there are.
const ROUNDING: i128 = 1000;

/// Each user comes in one or more phases, of few or many requests at once or one after the other.
fn case(weights: &'static [u32]) -> impl Strategy<Value = Case> {
    let phase = (0..400u64, 1..30u64, 0..4u64, 0..=12u64, 0..=12u64);
    let user = (proptest::sample::select(weights), proptest::collection::vec(phase, 1..4));
    let capacities = proptest::collection::vec(24..60u64, 1..4);
    (proptest::collection::vec(user, 2..6), capacities).prop_map(|(users, capacities)| {
        let mut script = Script::new();
        for (user, (weight, phases)) in users.iter().enumerate() {
            for (start, count, gap, input, output) in phases {
                let job = Job { user, weight: *weight, input: *input, output: *output, predicted: *output };
                script.extend((0..*count).map(|number| (start + number * gap, job)));
            }
        }
        script.sort_by_key(|(at, _)| *at);
        let weights = users.iter().map(|(weight, _)| *weight).collect();
        Case { users: users.len(), weights, capacities, script }
    })
}

const EQUAL: &[u32] = &[1000];
const SEVERAL: &[u32] = &[1000, 2000, 3000, 500];

impl Case {
    /// `U / weight` in a counter's units: all that one user can be charged from the moment it is chosen, until it is
    /// chosen again. With 1 for input and 2 for output that is twice the tokens that the pods hold.
    fn bound(&self, user: usize) -> i128 {
        let tokens: u64 = self.capacities.iter().sum();
        i128::from(tokens) * 2 * 1_000_000_000 / i128::from(self.weights[user])
    }

    fn largest_bound(&self) -> i128 {
        (0..self.users).map(|user| self.bound(user)).max().unwrap()
    }

    /// The cost of the largest request, divided by its weight.
    fn largest_request(&self) -> i128 {
        self.script.iter().map(|(_, job)| i128::from(job.charge(job.input, job.output))).max().unwrap()
    }

    fn run(&self, line: &mut dyn Line, watch: impl FnMut(&dyn Line, Moment<'_>)) -> bool {
        run(line, self.users, &self.capacities, &self.script, 2000, watch)
    }

    /// Whether room is left only where what goes next does not fit.
    fn conserves_work(&self, line: &mut dyn Line) -> bool {
        self.run(line, |_, _| {})
    }

    /// The largest counter of those who wait less the least, at its most. `vtc-max-fair` lifts who comes when it
    /// chooses, so it is looked at then.
    fn spread(&self, line: &mut dyn Line) -> i128 {
        let mut most = 0;
        self.run(line, |line, moment| {
            if matches!(moment.event, Event::Arrived(_)) {
                return;
            }
            let waiting = (0..self.users).filter(|user| moment.waiting[*user] > 0);
            let counters: Vec<_> = waiting.map(|user| line.counter(user) as i128).collect();
            if let (Some(max), Some(min)) = (counters.iter().max(), counters.iter().min()) {
                most = most.max(max - min);
            }
        });
        most
    }

    /// How far the service of two users (divided by their weights) drifts apart in any interval: while both wait, in
    /// either direction; and while the first waits, by what the second is served more. Relative to what is allowed.
    fn worst_drifts(&self, line: &mut dyn Line) -> (f64, f64) {
        let n = self.users;
        // For each pair the least and the largest difference since both wait; the least since the first waits.
        let mut both = vec![None::<(i128, i128)>; n * n];
        let mut first = vec![None::<i128>; n * n];
        let (mut worst_both, mut worst_first) = (0.0f64, 0.0f64);
        self.run(line, |_, moment| {
            let share = |user: usize| {
                i128::from(moment.served[user]) * 1_000_000_000 / i128::from(self.weights[user])
            };
            for f in 0..n {
                for g in (0..n).filter(|g| *g != f) {
                    let (pair, ahead) = (f * n + g, share(g) - share(f));
                    let allowed = |units: i128| (units + ROUNDING) as f64;
                    if moment.waiting[f] == 0 {
                        (first[pair], both[pair]) = (None, None);
                        continue;
                    }
                    let least = first[pair].map_or(ahead, |least| least.min(ahead));
                    first[pair] = Some(least);
                    let limit = allowed(self.bound(f) + 2 * self.bound(g));
                    worst_first = worst_first.max((ahead - least) as f64 / limit);
                    if moment.waiting[g] == 0 {
                        both[pair] = None;
                        continue;
                    }
                    let (low, high) =
                        both[pair].map_or((ahead, ahead), |(low, high)| (low.min(ahead), high.max(ahead)));
                    both[pair] = Some((low, high));
                    worst_both = worst_both.max((high - low) as f64 / allowed(self.bound(f) + self.bound(g)));
                }
            }
        });
        (worst_both, worst_first)
    }

    /// The most service that others are given between the arrival of a user who has nothing and its dispatch: where it
    /// comes in at the level, and anyhow.
    fn worst_delays(&self, line: &mut dyn Line) -> (u64, u64) {
        let n = self.users;
        let mut since = vec![None::<(u64, bool)>; n];
        let (mut at_level_worst, mut any) = (0, 0);
        self.run(line, |line, moment| {
            let others = |user: usize| moment.served.iter().sum::<u64>() - moment.served[user];
            match moment.event {
                Event::Arrived(user) if moment.waiting[user] == 1 && moment.running[user] == 0 => {
                    // If nobody else waits, those who come later come in at its level or above.
                    let level = (0..n).filter(|other| *other != user && moment.waiting[*other] > 0);
                    let level = level.map(|other| line.counter(other)).min();
                    let at_level = level.is_none_or(|level| line.counter(user) <= level);
                    since[user] = Some((others(user), at_level));
                }
                Event::Dispatched(user) => {
                    if let Some((then, at_level)) = since[user].take() {
                        let delay = others(user) - then;
                        any = any.max(delay);
                        if at_level {
                            at_level_worst = at_level_worst.max(delay);
                        }
                    }
                }
                _ => {}
            }
        });
        (at_level_worst, any)
    }

    fn tokens(&self) -> u64 {
        self.capacities.iter().sum()
    }

    fn queue(&self, discipline: &'static str) -> Queue {
        Queue::new(Rules::of(discipline), self.users)
    }

    fn model(&self, rules: Rules) -> Model {
        Model::new(rules, self.users)
    }
}

proptest! {
    #![proptest_config(Config::with_cases(200))]

    #[test]
    fn counters_of_those_who_wait_differ_by_at_most_u(case in case(SEVERAL)) {
        let u = case.largest_bound();
        prop_assert!(case.spread(&mut case.queue("vtc-fair")) <= u);
        prop_assert!(case.spread(&mut case.queue("vtc-max-fair")) <= u);
        let drr = Rules::of("drr");
        prop_assert!(case.spread(&mut Queue::new(drr, case.users)) <= u + drr.quantum as i128);
    }

    #[test]
    fn with_true_predictions_they_differ_by_at_most_one_request(case in case(SEVERAL)) {
        prop_assert!(case.spread(&mut case.queue("vtc-pred")) <= case.largest_request());
    }

    #[test]
    fn with_any_predictions_that_were_reserved_they_differ_by_at_most_2_u(
        case in case(SEVERAL),
        share in proptest::collection::vec(0..=100u64, 1..20),
    ) {
        // What is reserved is the most that may be written: the truth or the prediction, whichever is more.
        let mut case = case;
        let mut share = share.iter().cycle();
        for (_, job) in &mut case.script {
            let part = job.output * share.next().unwrap() / 100;
            (job.output, job.predicted) = if part % 2 == 0 { (part, job.output) } else { (job.output, part) };
        }
        prop_assert!(case.spread(&mut case.queue("vtc-pred")) <= 2 * case.largest_bound());
    }

    #[test]
    fn service_of_two_who_wait_drifts_apart_by_at_most_2_u_and_of_one_who_waits_from_any_by_3_u(
        case in case(SEVERAL),
    ) {
        let (both, first) = case.worst_drifts(&mut case.queue("vtc-fair"));
        prop_assert!(both <= 1.0, "two who wait: {both} of what is allowed");
        prop_assert!(first <= 1.0, "one who waits: {first} of what is allowed");
    }

    #[test]
    fn whoever_comes_at_the_level_goes_before_others_were_served_n_u(case in case(SEVERAL)) {
        let (at_level, _) = case.worst_delays(&mut case.queue("vtc-fair"));
        prop_assert!(at_level <= case.users as u64 * 2 * case.tokens(), "{at_level}");
    }

    #[test]
    fn whoever_comes_goes_before_others_were_served_2_n_less_1_u(case in case(EQUAL)) {
        let (_, any) = case.worst_delays(&mut case.queue("vtc-fair"));
        prop_assert!(any <= (2 * case.users as u64 - 1) * 2 * case.tokens(), "{any}");
    }

    #[test]
    fn no_room_is_left_that_what_goes_next_fits_in(
        case in case(SEVERAL),
        name in proptest::sample::select(&vtc_core::queue::discipline::NAMES),
    ) {
        prop_assert!(case.conserves_work(&mut case.queue(name)));
    }
}

/// Finds a case in which the law does not hold, as small as can be.
fn counterexample(weights: &'static [u32], holds: impl Fn(&Case) -> bool) -> Case {
    let mut runner = TestRunner::new_with_rng(
        Config { failure_persistence: None, ..Config::with_cases(2000) },
        TestRunner::deterministic().rng().clone(),
    );
    let law = |case: Case| match holds(&case) {
        true => Ok(()),
        false => Err(TestCaseError::fail("the law is broken")),
    };
    match runner.run(&case(weights), law) {
        Err(TestError::Fail(_, case)) => case,
        other => panic!("the law holds without the rule: {other:?}"),
    }
}

/// The rules of a discipline, with some switched off.
fn without(discipline: &'static str, off: impl FnOnce(&mut Rules)) -> Rules {
    let mut rules = Rules::of(discipline);
    off(&mut rules);
    rules
}

#[test]
fn without_the_lift_counters_service_and_delays_have_no_bound() {
    let spread = |case: &Case, discipline| case.spread(&mut case.queue(discipline)) <= case.largest_bound();
    let case = counterexample(EQUAL, |case| spread(case, "lcf"));
    assert!(spread(&case, "vtc-fair"), "{case:?}");

    let both = |case: &Case, discipline| case.worst_drifts(&mut case.queue(discipline)).0 <= 1.0;
    let case = counterexample(EQUAL, |case| both(case, "lcf"));
    assert!(both(&case, "vtc-fair"), "{case:?}");

    let first = |case: &Case, discipline| case.worst_drifts(&mut case.queue(discipline)).1 <= 1.0;
    let case = counterexample(EQUAL, |case| first(case, "lcf"));
    assert!(first(&case, "vtc-fair"), "{case:?}");

    // Whoever was away comes back and is served alone: others who were never ahead of anybody wait.
    let delay = |case: &Case, discipline| {
        case.worst_delays(&mut case.queue(discipline)).1 <= (2 * case.users as u64 - 1) * 2 * case.tokens()
    };
    let case = counterexample(EQUAL, |case| delay(case, "lcf"));
    assert!(delay(&case, "vtc-fair"), "{case:?}");
}

#[test]
fn without_the_stop_large_requests_are_passed_over_without_end() {
    let rules = without("vtc-fair", |rules| rules.stop = false);
    let spread = |case: &Case, rules| case.spread(&mut case.model(rules)) <= case.largest_bound();
    let case = counterexample(EQUAL, |case| spread(case, rules));
    assert!(spread(&case, Rules::of("vtc-fair")), "{case:?}");

    let delay = |case: &Case, rules| {
        case.worst_delays(&mut case.model(rules)).0 <= case.users as u64 * 2 * case.tokens()
    };
    let case = counterexample(EQUAL, |case| delay(case, rules));
    assert!(delay(&case, Rules::of("vtc-fair")), "{case:?}");
}

#[test]
fn charged_after_the_batch_is_formed_one_user_gets_the_whole_of_it() {
    let rules = without("vtc-pred", |rules| rules.charge_in_loop = false);
    let spread = |case: &Case, rules| case.spread(&mut case.model(rules)) <= case.largest_request();
    let case = counterexample(EQUAL, |case| spread(case, rules));
    assert!(spread(&case, Rules::of("vtc-pred")), "{case:?}");
}

#[test]
fn with_a_limit_on_what_a_user_runs_room_is_left() {
    let rules = without("vtc-fair", |rules| rules.running_per_user = 1);
    let conserves = |case: &Case, rules| case.conserves_work(&mut Queue::new(rules, case.users));
    let case = counterexample(EQUAL, |case| conserves(case, rules));
    assert!(conserves(&case, Rules::of("vtc-fair")), "{case:?}");
}

#[test]
fn first_come_first_served_bounds_nothing() {
    let spread = |case: &Case, discipline| case.spread(&mut case.queue(discipline)) <= case.largest_bound();
    counterexample(EQUAL, |case| spread(case, "fcfs"));
    counterexample(EQUAL, |case| case.worst_drifts(&mut case.queue("fcfs")).0 <= 1.0);
    counterexample(EQUAL, |case| {
        case.worst_delays(&mut case.queue("fcfs")).0 <= case.users as u64 * 2 * case.tokens()
    });
}
