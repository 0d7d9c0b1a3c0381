//! How long the pods take: as few terms as the record can tell apart.
//!
//! A pod works in steps. A request that was on a pod for some time has seen as many steps as it has tokens, each as long as
//!
//! ```text
//! a + b * (requests on the pod) + c * (tokens of prompts that were read in it)
//! ```
//!
//! and before its first token some time `d` passes besides, as in an engine that lets requests in only now and then.
//!
//! So each request gives one equation, or two where its first token is known: for the time to it, and for what came after.
//! `a`, `b`, `c` and `d` are those of the least squares of the relative errors.

use std::collections::HashMap;

use vtc_sim::simulator::{Capacity, PagedProfile};

use super::history::{History, Past};
use super::least_squares::{Row, fit};

/// What a pod is like, and how well that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The pod.
    pub profile: PagedProfile,
    /// From how many times it is reckoned.
    pub times: usize,
    /// By how much half of these are off at most, as a part of each.
    pub error: f64,
    /// The most requests that were seen on one pod at a time.
    pub most_running: usize,
    /// What passes on a pod before a first token, besides steps, in seconds.
    pub entry: f64,
}

/// From so many requests on something is said.
pub(super) const FEWEST: usize = 20;
/// As many as no pod runs, and tokens as no pod holds: where the record does not tell a limit.
const UNLIMITED: usize = 1_000_000;

/// What was on one pod, over time.
#[derive(Debug, Default)]
struct Load {
    /// When requests came and went, in order, how many were there from then on, and how many seconds they had spent by then.
    moments: Vec<Moment>,
    /// When prompts began to be read, in order, and how many tokens of them had been by then, this one included.
    prompts: Vec<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Moment {
    at: f64,
    running: f64,
    spent: f64,
}

// === impl Fit ===

impl Fit {
    /// What the record says of the pods. `capacity`: what the queue gives each, if there is one; without a queue a pod runs
    /// at most as many as were seen to get tokens at the same time, as it is the pod where requests wait. Pure;
    /// O(requests * log(requests)).
    #[must_use]
    pub fn of(history: &History, capacity: Option<Capacity>) -> Self {
        let served =
            || history.requests.iter().filter(|it| it.is_served && it.pod != 0 && it.duration > it.waited);
        let mut pods: HashMap<u32, Vec<&Past>> = HashMap::new();
        served().for_each(|it| pods.entry(it.pod).or_default().push(it));
        let waits_in_pod = capacity.is_none();
        let loads: HashMap<u32, Load> =
            pods.iter().map(|(pod, of)| (*pod, Load::of(of, waits_in_pod))).collect();
        let rows: Vec<Row> = served().flat_map(|it| rows(it, &loads[&it.pod], waits_in_pod)).collect();
        let [step, request, prompt, entry] = fit(&rows);
        let mut errors: Vec<f64> = rows
            .iter()
            .map(|[steps, requests, prompts, entries]| {
                (step * steps + request * requests + prompt * prompts + entry * entries - 1.0).abs()
            })
            .collect();
        errors.sort_unstable_by(f64::total_cmp);

        let most = |of: fn(&Past) -> Option<[f64; 2]>| {
            pods.values().map(|pod| most_at_a_time(pod, of)).max().unwrap_or(0)
        };
        let most_running = most(|it| Some([it.at + it.waited, it.at + it.duration]));
        // While they get tokens: whoever has none may wait inside the pod.
        let most_writing = most(|it| Some([it.at + it.first_token?, it.at + it.duration]));
        let largest = served().map(|it| it.input + it.output.max(1)).max().unwrap_or(1);
        let page = PagedProfile::default().page_tokens;
        let tokens = capacity.map_or(u64::MAX, |capacity| capacity.tokens).min(UNLIMITED as u64 * 1000);
        let profile = PagedProfile {
            // A step takes some time even where the record cannot tell: time must go on.
            step_ms: (step * 1e3).max(1e-3),
            prefill_per_token_ms: prompt * 1e3,
            decode_per_request_ms: request * 1e3,
            decode_per_context_token_us: 0.0,
            pool_tokens: tokens.max(largest + 2 * page),
            max_running: match capacity {
                None if most_writing > 0 => most_writing,
                // As many as it has slots for, as a rule.
                Some(capacity) if capacity.running < UNLIMITED => capacity.running,
                _ => UNLIMITED,
            },
            prefix_tokens: 0,
            ..PagedProfile::default()
        };
        let error = errors.get(errors.len() / 2).copied().unwrap_or(1.0);
        Self { profile, times: rows.len(), error, most_running, entry }
    }
}

/// The equations of one request, each divided by the time that it is about.
fn rows(of: &Past, load: &Load, waits_in_pod: bool) -> impl Iterator<Item = Row> {
    let (begin, end) = (of.at + of.waited, of.at + of.duration);
    let row = move |steps: f64, from: f64, to: f64, prompts: f64, entry: f64| {
        let time = to - from;
        (steps >= 1.0 && time > 1e-6)
            .then(|| [steps / time, steps * load.running(from, to) / time, prompts / time, entry / time])
    };
    let first = of.first_token.map(|time| of.at + time).filter(|first| (begin..=end).contains(first));
    let steps = of.output as f64;
    let read = |from, to| load.read(from, to);
    let rows = match first {
        // Where requests wait in the pod, the time to the first token says little about a step.
        Some(first) if waits_in_pod => [None, row(steps - 1.0, first, end, read(first, end), 0.0)],
        Some(first) => [
            row(1.0, begin, first, read(begin, first), 1.0),
            row(steps - 1.0, first, end, read(first, end), 0.0),
        ],
        None if waits_in_pod => [None, None],
        None => [row(steps, begin, end, read(begin, end), 1.0), None],
    };
    rows.into_iter().flatten()
}

/// The most spans that have a moment in common.
fn most_at_a_time(requests: &[&Past], span: fn(&Past) -> Option<[f64; 2]>) -> usize {
    let spans = requests.iter().filter_map(|it| span(it));
    let mut changes: Vec<(f64, i32)> = spans.flat_map(|[from, to]| [(from, 1), (to, -1)]).collect();
    // Whoever goes goes first.
    changes.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let running = changes.iter().scan(0, |now, (_, change)| {
        *now += change;
        Some(*now)
    });
    // Never negative: who goes has come.
    running.max().unwrap_or(0).max(0) as usize
}

// === impl Load ===

impl Load {
    /// Of the requests of one pod. Those that may have waited inside it count from just before their first token on.
    fn of(requests: &[&Past], waits_in_pod: bool) -> Self {
        const JUST: f64 = 1e-6;
        let begin = |it: &Past| match waits_in_pod {
            true => it.first_token.map(|time| it.at + time - JUST),
            false => Some(it.at + it.waited),
        };
        let known = || requests.iter().filter_map(|it| Some((*it, begin(it)?)));
        let mut changes: Vec<(f64, f64)> =
            known().flat_map(|(it, begin)| [(begin, 1.0), (it.at + it.duration, -1.0)]).collect();
        changes.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut now = Moment::default();
        let moments = changes.into_iter().map(|(at, change)| {
            let spent = now.spent + now.running * (at - now.at);
            now = Moment { at, running: now.running + change, spent };
            now
        });
        let moments = moments.collect();
        let mut prompts: Vec<(f64, f64)> = known().map(|(it, begin)| (begin, it.input as f64)).collect();
        prompts.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut sum = 0.0;
        for (_, tokens) in &mut prompts {
            sum += *tokens;
            *tokens = sum;
        }
        Self { moments, prompts }
    }

    /// How many requests there were between these moments, on average.
    fn running(&self, from: f64, to: f64) -> f64 {
        (self.spent(to) - self.spent(from)) / (to - from)
    }

    /// How many seconds all requests had spent by then.
    fn spent(&self, at: f64) -> f64 {
        let after = self.moments.partition_point(|moment| moment.at <= at);
        after
            .checked_sub(1)
            .and_then(|last| self.moments.get(last))
            .map_or(0.0, |last| last.spent + last.running * (at - last.at))
    }

    /// How many tokens of prompts began to be read from the one moment on, before the other.
    fn read(&self, from: f64, to: f64) -> f64 {
        let by = |at: f64| {
            let after = self.prompts.partition_point(|(begin, _)| *begin < at);
            after.checked_sub(1).and_then(|last| self.prompts.get(last)).map_or(0.0, |(_, sum)| *sum)
        };
        by(to) - by(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(at: f64, waited: f64, first: Option<f64>, duration: f64, output: u64) -> Past {
        Past {
            at,
            user: 0,
            input: 100,
            output,
            guess: 10,
            pod: 1,
            waited,
            first_token: first,
            duration,
            is_served: true,
        }
    }

    fn history(requests: Vec<Past>) -> History {
        let users = vec![("alice".into(), vtc_core::queue::Weight::ONE)];
        History {
            pool: "m".into(),
            users,
            requests,
            warm_up: 0.0,
            span: 60.0,
            is_cut: false,
            left_out: [0, 0],
        }
    }

    const ROOM: Option<Capacity> = Some(Capacity { running: usize::MAX, tokens: u64::MAX });

    #[test]
    fn a_load_is_what_is_there_at_a_time() {
        let (a, b) = (past(0.0, 1.0, None, 5.0, 9), past(2.0, 1.0, None, 2.0, 9));
        let load = Load::of(&[&a, &b], false);
        // One from 1 s to 5 s, the other from 3 s to 4 s.
        assert_eq!(load.running(1.0, 5.0), 1.25);
        assert_eq!(load.running(3.0, 4.0), 2.0);
        assert_eq!(load.running(0.0, 1.0), 0.0);
        assert_eq!((load.read(0.0, 3.0), load.read(1.0, 3.5), load.read(3.5, 9.0)), (100.0, 200.0, 0.0));
        let span: fn(&Past) -> Option<[f64; 2]> = |it| Some([it.at + it.waited, it.at + it.duration]);
        assert_eq!(most_at_a_time(&[&a, &b], span), 2);
        assert_eq!(
            most_at_a_time(&[&a, &past(4.0, 1.0, None, 3.0, 9)], span),
            1,
            "one goes as the other comes"
        );
    }

    /// Pods whose steps take 20 ms, and 2 ms more for each request and 1 ms for each prompt token, and that let nobody in for
    /// 50 ms: 1 at a time, and 3 at a time.
    fn steps(waited: f64) -> Vec<Past> {
        let alone = (0..20).map(|number| {
            let at = f64::from(number) * 10.0;
            past(at, waited, Some(waited + 0.022 + 0.15), waited + 0.022 * 11.0 + 0.15, 11)
        });
        let together = (0..60).map(|number| {
            let at = 1000.0 + f64::from(number / 3) * 10.0;
            past(at, waited, Some(waited + 0.026 + 0.35), waited + 0.026 * 11.0 + 0.35, 11)
        });
        alone.chain(together).collect()
    }

    #[test]
    fn steps_are_told_from_requests_and_from_prompts() {
        let fit = Fit::of(&history(steps(0.5)), ROOM);
        let near =
            |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-6, "{found} {expected}");
        near(fit.profile.step_ms, 20.0);
        near(fit.profile.decode_per_request_ms, 2.0);
        near(fit.profile.prefill_per_token_ms, 1.0);
        assert!(fit.error < 1e-9, "{}", fit.error);
        near(fit.entry, 0.05);
        assert_eq!((fit.times, fit.most_running), (160, 3));
        assert_eq!(fit.profile.max_running, UNLIMITED, "the queue's capacity decides");
    }

    #[test]
    fn where_requests_wait_in_the_pod_their_first_tokens_say_nothing_of_its_steps() {
        let mut requests = steps(0.0);
        // Half of them wait for a second.
        for it in requests.iter_mut().step_by(2) {
            it.first_token = it.first_token.map(|first| first + 1.0);
            it.duration += 1.0;
        }
        let fit = Fit::of(&history(requests), None);
        assert_eq!(fit.times, 80);
        assert_eq!(fit.profile.max_running, 2, "as many as got tokens together");
        assert!((15.0..30.0).contains(&fit.profile.step_ms), "{}", fit.profile.step_ms);
    }

    #[test]
    fn of_no_times_there_is_a_pod_all_the_same() {
        let fit = Fit::of(&history(vec![past(0.0, 0.0, None, 0.0, 0)]), ROOM);
        assert_eq!((fit.times, fit.error), (0, 1.0));
        assert!(fit.profile.step_ms > 0.0);
    }
}
