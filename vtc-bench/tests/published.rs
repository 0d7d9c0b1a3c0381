//! The published table, from the published files, where `VTC_TRACES` says they are.

use std::path::PathBuf;

use vtc_bench::trace;
use vtc_sim::measure::{Recorder, RunSummary, Setting};
use vtc_sim::request::Outcome;

/// All of them, recorded.
fn recorded(setting: &Setting, outcomes: &[Outcome]) -> RunSummary {
    let mut recorder = Recorder::new(setting.clone());
    outcomes.iter().for_each(|outcome| recorder.add(outcome));
    recorder.finish()
}

#[test]
fn all_printed_digits_are_those_of_the_table() {
    let Some(folder) = std::env::var_os("VTC_TRACES").map(PathBuf::from) else {
        eprintln!("skipped: VTC_TRACES does not name the folder with vtc_arena_fcfs.csv");
        return;
    };
    for (name, row) in [
        ("vtc_arena_fcfs.csv", "759.97 433.53 32112.00 776.9"),
        ("vtc_arena_vtc.csv", "368.40 251.66 6549.16 778.8"),
        ("vtc_arena_rpm5.csv", "143.86 83.58 1020.46 340.4"),
    ] {
        let outcomes = trace::read(folder.join(name)).unwrap().outcomes.unwrap();
        let run = recorded(&Setting::new(600.0).unwrap(), &outcomes);
        let found =
            format!("{:.2} {:.2} {:.2} {:.1}", run.max_diff, run.avg_diff, run.diff_var, run.tokens_per_s);
        assert_eq!(found, row, "{name}");
    }
}
