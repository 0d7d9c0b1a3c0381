//! How long single calls take while a million users are refreshed or forgotten beside them.
//!
//! ```sh
//! cargo run --release -p vtc-bench --bin latency
//! ```
//!
//! One thread charges and routes, and takes the time of each call: from the end of the one before to its own end, so
//! that nothing that stops the thread escapes; reading the clock and noting the time are in it. Another
//! thread does the work beside it. The kernel takes the core away now and then: so the same is measured beside
//! nothing, and beside a thread that only keeps a core busy; and what Linux says the thread waited for a core
//! during a slow call is subtracted in columns of their own ("awake"). That a hypervisor takes the core away,
//! nobody sees.

use std::hint::spin_loop;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use vtc_bench::{core_wait, users};
use vtc_core::{Clock, ManualClock, PreciseClock, RouteRequest, Router, Tick, TokenTracker, VtcConfig};

const MILLION: usize = 1_000_000;
const ACTIVE: usize = 1000;
/// How long it is measured, where the work beside it has no end.
const SPAN: Duration = Duration::from_secs(3);
/// How often a million users are forgotten.
const ROUNDS: usize = 3;
/// Calls from which on the kernel is asked whether the thread waited for a core.
const SLOW: Duration = Duration::from_micros(20);
/// What no call should exceed.
const LIMIT: Duration = Duration::from_millis(1);

/// The times of one kind of call, in nanoseconds.
struct Times {
    wall: Histogram<u64>,
    awake: Histogram<u64>,
}

/// Takes the times of calls, one after the other.
struct Meter {
    clock: PreciseClock,
    last: Tick,
    waited: Duration,
    charges: Times,
    routes: Times,
}

fn main() -> Result<()> {
    println!(
        "| beside | call | calls | p50 ns | p99 ns | p99.9 ns | max us | awake: max us | awake: over 1 ms |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    refreshing()?;
    refreshing_themselves()?;
    forgetting(true)?;
    forgetting(false)
}

/// A million users, all of them visited. Routes refresh nothing.
fn refreshing() -> Result<()> {
    let mut config = VtcConfig::default();
    config.tracker.staleness = Duration::from_secs(3600);
    let router = router(Router::new(config)?, MILLION);
    let names = users::names(MILLION);
    beside("nothing", &router, &names, || thread::park_timeout(Duration::from_millis(1)))?;
    beside("a busy core", &router, &names, spin_loop)?;
    let upkeep = || {
        router.tracker().upkeep();
    };
    beside("upkeep without a pause", &router, &names, upkeep)
}

/// The same, and nobody keeps a timer: a route that finds the extremes too old refreshes them.
fn refreshing_themselves() -> Result<()> {
    let router = router(Router::new(VtcConfig::default())?, MILLION);
    let nothing = || thread::park_timeout(Duration::from_millis(1));
    beside("nothing, and no upkeep by anyone", &router, &users::names(MILLION), nothing)
}

/// A thousand users go on while a million are forgotten: by the upkeep of another thread; or, if there is none, by
/// whoever comes new: one call in a thousand.
fn forgetting(upkeep: bool) -> Result<()> {
    let clock = ManualClock::new();
    let mut config = VtcConfig::default();
    config.tracker.max_users = 2 * MILLION;
    config.tracker.staleness = Duration::from_secs(3600);
    let router = router(Router::with_clock(config, clock.clone())?, 0);
    let tracker = router.tracker();
    let names = users::names(ACTIVE);
    let mut meter = Meter::new()?;
    let mut left = 0;
    for round in 0..ROUNDS {
        users::open(tracker, MILLION);
        clock.advance(tracker.config().span() + 2 * tracker.config().width());
        names.iter().try_for_each(|name| tracker.update_token_count(name, 10.0, 20.0))?;
        let (done, is_done) = channel::<()>();
        thread::scope(|scope| {
            scope.spawn(|| {
                // Gone when this thread is through.
                let _done = done;
                for _ in (0..1000).take_while(|_| tracker.account_count() > 2 * ACTIVE) {
                    if upkeep {
                        tracker.upkeep();
                    } else {
                        thread::park_timeout(Duration::from_millis(1));
                    }
                }
            });
            meter.measure(&router, &names, (!upkeep).then_some(round), || goes_on(&is_done))
        })?;
        left += tracker.account_count() / MILLION;
    }
    let label = if upkeep { "a million users being forgotten" } else { "the same, and no upkeep by anyone" };
    meter.print(label);
    if left > 0 {
        println!("(in {left} of {ROUNDS} rounds they were not forgotten)");
    }
    Ok(())
}

/// Measures the calls beside a thread that does that work again and again.
fn beside<C: Clock>(label: &str, router: &Router<C>, names: &[String], work: impl Fn() + Sync) -> Result<()> {
    let mut meter = Meter::new()?;
    let (stop, stopped) = channel::<()>();
    thread::scope(|scope| {
        let work = &work;
        scope.spawn(move || {
            while goes_on(&stopped) {
                work()
            }
        });
        let (clock, start) = (meter.clock, meter.last);
        let measured = meter.measure(router, names, None, || clock.now().since(start) < SPAN);
        drop(stop);
        measured
    })?;
    meter.print(label);
    Ok(())
}

fn router<C: Clock>(router: Router<C>, count: usize) -> Router<C> {
    router.pods().set(["pod-0", "pod-1", "pod-2", "pod-3", "pod-4", "pod-5", "pod-6", "pod-7"]);
    users::open(router.tracker(), count);
    router.tracker().upkeep();
    router
}

fn goes_on(stopped: &Receiver<()>) -> bool {
    stopped.try_recv() == Err(TryRecvError::Empty)
}

// === impl Meter ===

impl Meter {
    fn new() -> Result<Self> {
        let clock = PreciseClock::new();
        let (charges, routes) = (Times::new()?, Times::new()?);
        Ok(Self { clock, last: clock.now(), waited: core_wait::waited()?, charges, routes })
    }

    /// Charges and routes in turn, for one user after the other; with `newcomers`, now and then for one who was never
    /// there.
    fn measure<C: Clock>(
        &mut self,
        router: &Router<C>,
        names: &[String],
        newcomers: Option<usize>,
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<()> {
        self.waited = core_wait::waited()?;
        self.last = self.clock.now();
        for (call, name) in names.iter().cycle().enumerate() {
            if call % 64 == 0 && !goes_on() {
                break;
            }
            if let Some(round) = newcomers.filter(|_| call % 1000 == 999) {
                router.tracker().update_token_count(&format!("new-{round}-{call}"), 10.0, 20.0)?;
                self.note(|meter| &mut meter.charges)?;
            }
            router.tracker().update_token_count(name, 10.0, 20.0)?;
            self.note(|meter| &mut meter.charges)?;
            let request = RouteRequest { user: Some(name), input_tokens: 10.0, output_tokens: 20.0 };
            router.route(&request)?.settle(10.0, 15.0)?;
            self.note(|meter| &mut meter.routes)?;
        }
        Ok(())
    }

    /// A call of that kind has just returned.
    fn note(&mut self, kind: impl Fn(&mut Self) -> &mut Times) -> Result<()> {
        let now = self.clock.now();
        let wall = now.since(self.last);
        self.last = now;
        let mut awake = wall;
        if wall >= SLOW {
            let waited = core_wait::waited()?;
            awake = wall.saturating_sub(waited.saturating_sub(self.waited));
            self.waited = waited;
            // Asking took a while, too.
            self.last = self.clock.now();
        }
        kind(self).wall.saturating_record(nanos(wall));
        kind(self).awake.saturating_record(nanos(awake));
        Ok(())
    }

    fn print(&self, label: &str) {
        for (call, Times { wall, awake }) in
            [("charge by name", &self.charges), ("route and settle", &self.routes)]
        {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|quantile| wall.value_at_quantile(quantile));
            let [max, awake_max] = [wall, awake].map(|times| times.max() as f64 / 1e3);
            let over = awake.count_between(nanos(LIMIT), u64::MAX);
            let calls = wall.len();
            println!(
                "| {label} | {call} | {calls} | {p50} | {p99} | {p999} | {max:.0} | {awake_max:.0} | {over} |"
            );
        }
    }
}

// === impl Times ===

impl Times {
    /// From 1 ns to 100 s, to three digits.
    fn new() -> Result<Self> {
        let empty = || Histogram::new_with_bounds(1, 100_000_000_000, 3);
        Ok(Self { wall: empty()?, awake: empty()? })
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
