//! Ten minutes of real traffic through the router: the file `vtc_arena_vtc.csv` in the folder that `VTC_TRACES` names.
//! Without that folder the test says that it skips.
//!
//! Each request is routed when it arrived, with an estimate, and settled with its true usage when it ended. After
//! every event its user's count must be what the three rules for corrections say.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use vtc_core::{ManualClock, RouteRequest, Router, Tick, Ticket, TokenTracker, VtcConfig};

/// A line of the trace; times in nanoseconds.
struct Request {
    arrival: u64,
    client: String,
    input: f64,
    output: f64,
    end: u64,
}

/// A charge as the rules say: in a bucket, weighted.
struct Charge {
    bucket: u64,
    tokens: f64,
}

/// The default bucket: 5 s, of which 60 lie before that of now.
const WIDTH: u64 = 5_000_000_000;
const BEFORE_NOW: u64 = 60;

#[derive(Default)]
struct Naive(BTreeMap<String, Vec<Charge>>);

impl Naive {
    fn charge(&mut self, client: &str, bucket: u64, tokens: f64) {
        self.0.entry(client.to_owned()).or_default().push(Charge { bucket, tokens });
    }

    /// An excess is charged now; a refund comes out of the bucket of the charge, if that is in the window still.
    fn correct(&mut self, client: &str, charged_in: u64, now: u64, difference: f64) {
        if difference > 0.0 {
            self.charge(client, now, difference);
        } else if charged_in + BEFORE_NOW >= now {
            self.charge(client, charged_in, difference);
        }
    }

    fn count(&self, client: &str, now: u64) -> f64 {
        let charges = self.0.get(client).into_iter().flatten();
        charges.filter(|charge| charge.bucket + BEFORE_NOW >= now).map(|charge| charge.tokens).sum()
    }
}

fn trace() -> Option<String> {
    let folder = std::env::var_os("VTC_TRACES")?;
    Some(std::fs::read_to_string(PathBuf::from(folder).join("vtc_arena_vtc.csv")).unwrap())
}

fn requests(csv: &str) -> Vec<Request> {
    let nanos = |seconds: &str| Duration::from_secs_f64(seconds.parse().unwrap()).as_nanos() as u64;
    let parse = |line: &str| {
        let fields: Vec<_> = line.trim().split(',').collect();
        let arrival = nanos(fields[0]);
        Request {
            arrival,
            client: fields[1].to_owned(),
            input: fields[2].parse().unwrap(),
            output: fields[3].parse().unwrap(),
            end: arrival + nanos(fields[5]),
        }
    };
    csv.lines().skip(1).map(parse).collect()
}

#[test]
fn the_arena_trace_is_counted_as_the_rules_say() {
    let Some(csv) = trace() else {
        eprintln!("skipped: VTC_TRACES does not name the folder with vtc_arena_vtc.csv");
        return;
    };
    let requests = requests(&csv);
    assert_eq!(requests.len(), 1_500);

    let clock = ManualClock::new();
    let mut config = VtcConfig::default();
    config.tracker.staleness = Duration::ZERO;
    let router = Router::with_clock(config, clock.clone()).unwrap();
    router.pods().set(["a", "b", "c", "d"]);
    let mut naive = Naive::default();
    let mut tickets: BTreeMap<usize, Ticket<ManualClock>> = BTreeMap::new();

    let arrivals = requests.iter().enumerate().map(|(i, request)| (request.arrival, false, i));
    let ends = requests.iter().enumerate().map(|(i, request)| (request.end, true, i));
    let mut events: Vec<_> = arrivals.chain(ends).collect();
    events.sort_unstable();
    for (at, is_end, i) in events {
        clock.set(Tick::from_nanos(at));
        let request = &requests[i];
        let (bucket, guess) = (at / WIDTH, (request.input * 1.5).ceil());
        let estimate = request.input + 2.0 * guess;
        if is_end {
            assert!(tickets.remove(&i).unwrap().settle(request.input, request.output).unwrap());
            let actual = request.input + 2.0 * request.output;
            naive.correct(&request.client, request.arrival / WIDTH, bucket, actual - estimate);
        } else {
            let user = Some(request.client.as_str());
            let routed = RouteRequest { user, input_tokens: request.input, output_tokens: guess };
            tickets.insert(i, router.route(&routed).unwrap());
            naive.charge(&request.client, bucket, estimate);
        }
        let counted = router.tracker().token_count(&request.client);
        assert_eq!(counted, naive.count(&request.client, bucket), "{} at {at} ns", request.client);
        let extremes = router.tracker().extremes();
        let counts = || naive.0.keys().map(|client| naive.count(client, bucket)).filter(|count| *count > 0.0);
        assert_eq!(extremes.max, counts().fold(0.0, f64::max));
        assert_eq!(extremes.users, counts().count());
    }
    assert!(router.pods().table().pods().iter().all(|pod| pod.in_flight() == 0));
}
