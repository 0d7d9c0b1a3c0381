//! Published and measured figures, and how near the simulator comes.
//!
//! The arena trace is read where the environment variable `VTC_TRACES` says it is.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::PathBuf;

use vtc_bench::trace;
use vtc_sim::measure::{Recorder, RunSummary, Setting};
use vtc_sim::simulator::{Setup, simulate};
use vtc_sim::workload::{self, Replay, Workload};

const SEEDS: u64 = 5;

/// A run, measured for the time in which requests come.
fn summary_of(policy: &str, workload: &Workload, seed: u64) -> RunSummary {
    summary_within(policy, workload, seed, workload.duration)
}

/// The same, measured for the first `duration` seconds.
fn summary_within(policy: &str, workload: &Workload, seed: u64, duration: f64) -> RunSummary {
    let mut recorder = Recorder::new(Setting::new(duration).unwrap());
    let setup = Setup { seed, ..Setup::new(policy.parse().unwrap()) };
    simulate(&setup, &workload.clients, workload.arrivals(seed), |outcome| recorder.add(outcome)).unwrap();
    recorder.finish()
}

/// The mean over so many seeds of a measure of a policy on a workload.
fn mean(policy: &str, workload: &Workload, seeds: u64, measure: impl Fn(&RunSummary) -> f64) -> f64 {
    let runs = (1..=seeds).map(|seed| measure(&summary_of(policy, workload, seed)));
    runs.sum::<f64>() / seeds as f64
}

/// Prints a row, and holds it within a part of what was measured.
#[track_caller]
fn near(what: &str, simulated: f64, measured: f64, within: f64) {
    let deviation = simulated / measured - 1.0;
    println!("{what:<44}{measured:>12.2}{simulated:>12.2}{:>+8.1} %", 100.0 * deviation);
    assert!(deviation.abs() <= within, "{what}: {simulated} is not within {within} of {measured}");
}

fn arena() -> Option<Replay> {
    let folder = std::env::var_os("VTC_TRACES")?;
    let trace = trace::read(PathBuf::from(folder).join("vtc_arena_fcfs.csv")).unwrap();
    Some(trace.replay(None, 0).unwrap())
}

/// One run of this trace is one draw: arrivals that are moved by milliseconds move `vtc-fair` by a tenth, up or down. So
/// what is held to the measured figure is the mean over arrivals moved by up to 50 ms.
#[test]
fn the_arena_trace_comes_out_as_it_was_measured() {
    let Some(replay) = arena() else {
        eprintln!("skipped: VTC_TRACES does not name the folder with vtc_arena_fcfs.csv");
        return;
    };
    let workload = |replay| Workload::of_trace("arena", replay).lasting(600.0);
    let as_it_is = workload(replay.clone());
    let moved = workload(replay.with_jitter(0.05).unwrap());
    let diff = |run: &RunSummary| run.avg_diff;
    let refused = |run: &RunSummary| run.refused as f64;
    for (policy, measured, tokens) in
        [("fcfs", 433.53, 776.9), ("vtc-fair", 251.66, 778.8), ("rpm:5", 83.58, 340.4)]
    {
        println!(
            "arena, {policy}, Avg Diff of the trace as it is {:.2}",
            diff(&summary_of(policy, &as_it_is, 1))
        );
        near(&format!("arena, {policy}, Avg Diff"), mean(policy, &moved, 20, diff), measured, 0.06);
        let simulated = mean(policy, &moved, 5, throughput);
        near(&format!("arena, {policy}, tokens/s"), simulated, tokens, 0.035);
    }
    near("arena, rpm:5, refused", mean("rpm:5", &as_it_is, 1, refused), 919.0, 0.01);
}

#[test]
fn two_who_want_too_much_come_out_as_they_were_measured() {
    let workload = workload::by_name("overload").unwrap();
    let diff = |run: &RunSummary| run.avg_diff;
    near("overload, fcfs, Avg Diff", mean("fcfs", &workload, SEEDS, diff), 439.0, 0.035);
    near("overload, vtc-fair, Avg Diff", mean("vtc-fair", &workload, SEEDS, diff), 122.0, 0.06);
    near("overload, vtc-pred-50, Avg Diff", mean("vtc-pred-50", &workload, 40, diff), 11.0, 0.2);
    near("overload, vtc-oracle, Avg Diff", mean("vtc-oracle", &workload, SEEDS, diff), 1.0, 0.5);
}

/// The gap is an extreme of few numbers, but for `fcfs`, where it grows: the others are held to be of the size of what
/// was measured, and of its order.
#[test]
fn accumulated_gaps_come_out_as_they_were_measured() {
    for (name, gaps) in [
        ("overload", [237_738.0, 9050.0, 1789.0, 377.0]),
        ("overload-multi", [34_823.0, 3250.0, 1350.0, 762.0]),
    ] {
        let workload = workload::by_name(name).unwrap().lasting(600.0);
        // To the last of the 19 ticks of 600 s.
        let gap = |policy, seed| summary_within(policy, &workload, seed, 541.5 + 30.0).gap.max;
        let policies = ["fcfs", "vtc-fair", "vtc-pred-50", "vtc-oracle"];
        let simulated =
            policies.map(|policy| (1..=SEEDS).map(|seed| gap(policy, seed)).sum::<f64>() / SEEDS as f64);
        for ((policy, simulated), measured) in policies.iter().zip(simulated).zip(gaps) {
            let within = if *policy == "fcfs" { 0.035 } else { 0.4 };
            near(&format!("{name}, {policy}, gap over 600 s"), simulated, measured, within);
        }
        assert!(simulated.windows(2).all(|pair| pair[0] > 1.3 * pair[1]), "{simulated:?}");
        let two_u = 2.0 * 2.0 * 10_000.0;
        assert!(simulated[1..].iter().all(|gap| *gap <= two_u));
    }
}

#[test]
fn service_is_shared_by_weight() {
    let workload = workload::by_name("overload-weighted").unwrap();
    for (client, ratio) in [(1, 2.0), (2, 3.0), (3, 3.996)] {
        let since_warm_up = |run: &RunSummary, client: usize| {
            let curve = &run.clients[client].curve;
            curve[360] - curve[30]
        };
        let measure = |run: &RunSummary| since_warm_up(run, client) / since_warm_up(run, 0);
        near(
            "overload-weighted, vtc-fair, to the first",
            mean("vtc-fair", &workload, SEEDS, measure),
            ratio,
            0.02,
        );
    }
}

/// The line that a ramp leaves is the small difference of two large numbers, what comes and what is served: on pods whose
/// times are 3 % longer the 36 s of `fcfs` are 44 s, and the 4.5 s of `on-off-less` 3.7 s.
#[test]
fn the_quiet_client_is_spared_the_line_of_the_other() {
    let p99 = |run: &RunSummary| run.clients[0].first_token.quantile(0.99).unwrap();
    let average = |run: &RunSummary| run.clients[0].first_token.mean().unwrap();
    let increase = workload::by_name("increase").unwrap();
    near("increase, fcfs, quiet p99 first token (s)", mean("fcfs", &increase, SEEDS, p99), 48.0, 0.3);
    near(
        "increase, vtc-fair, quiet p99 first token (s)",
        mean("vtc-fair", &increase, SEEDS, p99),
        0.71,
        0.15,
    );
    let on_off = workload::by_name("on-off-less").unwrap();
    near("on-off-less, fcfs, quiet mean first token (s)", mean("fcfs", &on_off, SEEDS, average), 85.0, 0.1);
    near(
        "on-off-less, vtc-fair, quiet mean first token (s)",
        mean("vtc-fair", &on_off, SEEDS, average),
        3.5,
        0.3,
    );
}

#[test]
fn fairness_costs_throughput_where_requests_are_very_different() {
    let workload = workload::by_name("short-long-2").unwrap();
    let fcfs = mean("fcfs", &workload, SEEDS, throughput);
    let fair = mean("vtc-fair", &workload, SEEDS, throughput);
    near("short-long-2, fcfs, tokens/s", fcfs, 1923.0, 0.035);
    near("short-long-2, vtc-fair, tokens/s", fair, 1671.0, 0.035);
}

fn throughput(run: &RunSummary) -> f64 {
    run.tokens_per_s
}
