//! The tools as they are called: what one writes, the other reads.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

use serde_json::Value;

fn run(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn refused(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

const SIMULATE: &str = env!("CARGO_BIN_EXE_simulate");
const FAIRNESS: &str = env!("CARGO_BIN_EXE_fairness");
const COMPARE: &str = env!("CARGO_BIN_EXE_compare");

#[test]
fn a_run_has_the_measures_that_its_file_has_and_repeats() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let csv = file.path().to_str().unwrap();
    let arguments =
        ["--workload", "overload-multi", "--policy", "rpm:20", "--seed", "3", "--json", "--csv", csv];
    let simulated = run(SIMULATE, &arguments);
    assert_eq!(simulated, run(SIMULATE, &arguments));
    let simulated: Value = serde_json::from_str(&simulated).unwrap();
    let read: Value = serde_json::from_str(&run(FAIRNESS, &[csv, "--duration", "360", "--json"])).unwrap();
    for name in
        ["max_diff", "avg_diff", "diff_var", "tokens_per_s", "accumulated_gap", "jain_index", "length_s"]
    {
        let (a, b) = (simulated[name].as_f64().unwrap(), read[name].as_f64().unwrap());
        // The file has microseconds.
        assert!(a > 0.0 && (a - b).abs() <= 1e-3 * a, "{name}: {a} {b}");
    }
    for name in ["requests", "refused"] {
        assert_eq!(simulated[name], read[name]);
    }
    assert!(simulated["refused"].as_u64().unwrap() > 0);
}

#[test]
fn a_file_that_a_run_wrote_can_be_run_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let csv = file.path().to_str().unwrap();
    let of = |source: &[&str], more: &[&str]| {
        let text = run(SIMULATE, &[source, &["--policy", "fcfs", "--json"], more].concat());
        serde_json::from_str::<Value>(&text).unwrap()["tokens_per_s"].as_f64().unwrap()
    };
    let first = of(&["--workload", "overload"], &["--csv", csv]);
    let again = of(&["--trace", csv, "--duration", "360"], &[]);
    assert!((first - again).abs() < 1.0, "{first} {again}");
}

#[test]
fn compare_marks_what_differs() {
    let table = run(COMPARE, &["--policies", "fcfs vtc-fair", "--seeds", "2", "--duration", "120"]);
    assert!(table.lines().any(|line| line.starts_with("vtc-fair") && line.contains('*')), "{table}");
}

#[test]
fn what_is_wrong_is_said() {
    assert!(refused(SIMULATE, &["--workload", "overlord"]).contains("there are overload"));
    assert!(refused(SIMULATE, &["--workload", "overload", "--policy", "lottery"]).contains("fcfs"));
}
