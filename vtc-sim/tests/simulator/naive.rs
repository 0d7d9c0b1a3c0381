//! A naive simulator of one pod that is its own scheduler: it walks through all requests in every step, charges each
//! token when it comes, and keeps its counters itself. The simulator gives the same times to the nanosecond.

use proptest::prelude::*;
use vtc_core::queue::Weight;
use vtc_sim::request::{Outcome, Request, Served};
use vtc_sim::simulator::{Setup, simulate};
use vtc_sim::workload::Client;

const POOL: u64 = 10_000;

struct Running {
    number: usize,
    written: u64,
    first_token: Option<u64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Discipline {
    Fcfs,
    VtcFair,
}

/// Who stands in the order, and at which level others come in.
struct Order {
    counters: Vec<u64>,
    present: Vec<bool>,
    last_left: Option<usize>,
}

impl Order {
    /// A client comes in if it is not there and has a reason to be; it leaves if it is there and has none.
    fn place(&mut self, client: usize, belongs: bool) {
        if belongs && !self.present[client] {
            let there = (0..self.counters.len()).filter(|other| self.present[*other]);
            let least = there.map(|other| self.counters[other]).min();
            let level = least.or(self.last_left.map(|last| self.counters[last])).unwrap_or(0);
            self.counters[client] = self.counters[client].max(level);
        } else if !belongs && self.present[client] {
            self.last_left = Some(client);
        }
        self.present[client] = belongs;
    }
}

/// What became of each request, by its number; `None`: refused.
fn naive(
    requests: &[Request],
    clients: usize,
    discipline: Discipline,
    cap: usize,
) -> Vec<Option<(u64, u64)>> {
    let at = |request: &Request| (request.arrival * 1e9).round() as u64;
    let wanted = |request: &Request| request.output.max(1);
    let mut fates = vec![None; requests.len()];
    let mut order = Order { counters: vec![0; clients], present: vec![false; clients], last_left: None };
    let mut runs = vec![0; clients];
    let (mut waiting, mut running): (Vec<usize>, Vec<Running>) = (Vec::new(), Vec::new());
    let (mut now, mut since, mut next) = (0, 0, 0);
    while next < requests.len() || !waiting.is_empty() || !running.is_empty() {
        if waiting.is_empty() && running.is_empty() {
            now = now.max(at(&requests[next]));
        }
        // Whoever has come while the last step ran comes in before anything else.
        macro_rules! arrive {
            () => {
                while next < requests.len() && at(&requests[next]) <= now {
                    let (number, request) = (next, &requests[next]);
                    next += 1;
                    if request.input > 3072 || request.input + wanted(request) >= POOL - 32 {
                        continue;
                    }
                    let client = request.client as usize;
                    waiting.push(number);
                    order.place(client, runs[client] < cap);
                }
            };
        }
        arrive!();
        let mut mini = Vec::new();
        if running.is_empty() || since >= 10 {
            loop {
                let may_go =
                    waiting.iter().filter(|number| order.present[requests[**number].client as usize]);
                let key = |number: &&usize| {
                    let counter = order.counters[requests[**number].client as usize];
                    (if discipline == Discipline::Fcfs { 0 } else { counter }, **number)
                };
                let Some(&number) = may_go.min_by_key(key) else { break };
                let request = &requests[number];
                let mut batch: Vec<(u64, u64, u32)> = running
                    .iter()
                    .map(|of| (of.written, &requests[of.number]))
                    .chain(mini.iter().chain([&number]).map(|number| (0, &requests[*number])))
                    .map(|(written, of)| (wanted(of) - written, of.input + written, of.client))
                    .collect();
                batch.sort_by_key(|(left, ..)| std::cmp::Reverse(*left));
                let mut distinct: Vec<_> = batch.iter().map(|(.., client)| *client).collect();
                distinct.sort_unstable();
                distinct.dedup();
                let current = |rank: usize| batch[..=rank].iter().map(|(_, now, _)| now).sum::<u64>();
                let peak = (0..batch.len())
                    .map(|rank| current(rank) + batch[rank].0 * (rank as u64 + 1))
                    .max()
                    .unwrap();
                let read: u64 = mini.iter().map(|number: &usize| requests[*number].input).sum();
                if peak >= POOL - 32 * distinct.len() as u64
                    || read + request.input > 3072
                    || batch.len() > 1000
                {
                    break;
                }
                waiting.retain(|other| *other != number);
                let client = request.client as usize;
                runs[client] += 1;
                order.counters[client] += request.input;
                let waits = waiting.iter().any(|other| requests[*other].client == request.client);
                order.place(client, waits && runs[client] < cap);
                mini.push(number);
            }
        }
        if mini.is_empty() {
            let context: u64 = running.iter().map(|of| requests[of.number].input + of.written).sum();
            now += 31_600_000 + 149_000 * running.len() as u64 + 751 * context;
            since += 1;
        } else {
            now += 55_000_000 + 209_000 * mini.iter().map(|number| requests[*number].input).sum::<u64>();
            since = 0;
        }
        // Who came during the step is lifted by counters of before its tokens came: an arrival is an event of its own.
        let end = now;
        while next < requests.len() && at(&requests[next]) <= end {
            now = at(&requests[next]);
            arrive!();
        }
        now = end;
        if mini.is_empty() {
            for of in &mut running {
                of.written += 1;
                order.counters[requests[of.number].client as usize] += 2;
            }
        } else {
            for &number in &mini {
                running.push(Running { number, written: 1, first_token: Some(now) });
                order.counters[requests[number].client as usize] += 2;
            }
        }
        running.retain(|of| {
            let ended = of.written == wanted(&requests[of.number]);
            if ended {
                // A prompt without an answer is charged no output in the end.
                let excess = 2 * (of.written - requests[of.number].output);
                let client = requests[of.number].client as usize;
                order.counters[client] -= excess;
                runs[client] -= 1;
                let waits = waiting.iter().any(|other| requests[*other].client as usize == client);
                order.place(client, waits && runs[client] < cap);
                fates[of.number] = Some((of.first_token.unwrap(), now));
            }
            !ended
        });
    }
    fates
}

fn requests(clients: u32) -> impl Strategy<Value = Vec<Request>> {
    // Some come and end together.
    let at = prop_oneof![0..20_000_u32, (0..4_u32).prop_map(|at| at * 5000)];
    let one = (at, 0..clients, 0..1500_u64, prop_oneof![0..400_u64, Just(64), Just(2)]);
    proptest::collection::vec(one, 1..60).prop_map(|mut drawn| {
        drawn.sort_unstable();
        let request = |(at, client, input, output): (u32, u32, u64, u64)| {
            let arrival = f64::from(at) / 1000.0;
            // A few that no pod could hold.
            let input = if input == 7 { 4000 } else { input };
            Request { arrival, client, input, output, guess: None, blocks: None }
        };
        drawn.into_iter().map(request).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn the_simulator_and_the_naive_one_agree_to_the_nanosecond(requests in requests(4)) {
        let client = |number| Client { name: format!("{number}").into(), weight: Weight::ONE };
        let clients: Vec<_> = (0..4).map(client).collect();
        for (name, discipline, cap) in [
            ("fcfs", Discipline::Fcfs, usize::MAX),
            ("vtc-fair", Discipline::VtcFair, usize::MAX),
            ("vtc-fair@1", Discipline::VtcFair, 1),
            ("vtc-fair@3", Discipline::VtcFair, 3),
        ] {
            let mut outcomes: Vec<Outcome> = Vec::new();
            let setup = Setup::new(name.parse().unwrap());
            simulate(&setup, &clients, requests.iter().cloned(), |outcome| outcomes.push(*outcome)).unwrap();
            let seconds = |nanos: u64| nanos as f64 / 1e9;
            let fates = naive(&requests, 4, discipline, cap);
            let mut expected: Vec<_> = requests.iter().zip(fates).map(|(request, fate)| Outcome {
                arrival: request.arrival,
                client: request.client,
                input: request.input,
                output: request.output,
                served: fate.map(|(first, end)| Served { first_token: seconds(first), end: seconds(end) }),
            }).collect();
            let key = |of: &Outcome| format!("{of:?}");
            expected.sort_by_key(key);
            outcomes.sort_by_key(key);
            prop_assert_eq!(expected, outcomes, "{}", name);
        }
    }
}
