//! The `fairness` tool: what it prints, and what it says of what it cannot read.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

/// The run that `tests/measure/by_hand.rs` works out.
const RUN: &str = "\
arrival_s,client,input_tokens,output_tokens,first_token_s,latency_s
0,alice,100,100,0,300
100,bob,60,60,0,60
120,bob,10,10,-1,-1
";

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.csv");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

fn fairness(text: &str, flags: &[&str]) -> Output {
    let (_folder, path) = file(text);
    Command::new(env!("CARGO_BIN_EXE_fairness")).arg(path).args(flags).output().unwrap()
}

#[track_caller]
fn printed(text: &str, flags: &[&str]) -> String {
    let output = fairness(text, flags);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_table_has_the_figures_and_their_units() {
    let table = printed(RUN, &["--duration", "230", "--batch-tokens", "1000"]);
    for row in [
        "Max Diff                        1.00  weighted tokens/s\n",
        "Avg Diff                        0.37  weighted tokens/s\n",
        "Diff Var                        0.18  (weighted tokens/s)^2\n",
        "  Avg while arriving            0.50  weighted tokens/s\n",
        "throughput                       1.1  tokens/s, input and output\n",
        "accumulated gap                   70  weighted tokens, at 100 s; 2U is 4000\n",
        "requests                           3  2 served, 1 refused\n",
        "length                       300.000  s\n",
    ] {
        assert!(table.contains(row), "no {row:?} in\n{table}");
    }
    let bob = table.lines().find(|line| line.starts_with("bob")).unwrap();
    let fields: Vec<_> = bob.split_whitespace().collect();
    assert_eq!(fields, ["bob", "1", "1", "1", "180", "0.00", "0.00", "0.00", "60.00", "60.00", "60.00"]);
}

#[test]
fn the_json_has_the_same() {
    let json = printed(RUN, &["--duration", "230", "--json", "--weight", "alice=0.5", "--weight", "bob=3"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["max_diff"], 1.0);
    assert_eq!(json["clients"][1]["weight"], 3.0);
    assert_eq!(json["accumulated_gap"].as_f64().unwrap().round(), 340.0);
    for key in ["avg_diff", "diff_var", "tokens_per_s", "jain_index", "length_s"] {
        assert!(json[key].is_f64(), "{key}");
    }
}

#[test]
fn the_formula_is_in_the_help_with_its_units() {
    let help = printed("", &["--help"]);
    for part in ["min(m - y_i, |r_i - y_i|)", "weighted tokens per second", "JSON keys: max_diff, avg_diff"] {
        assert!(help.contains(part), "{part}");
    }
}

#[test]
fn pictures_are_written_where_they_are_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("report").to_str().unwrap().to_owned();
    printed(RUN, &["--duration", "230", "--report", &target]);
    let page = std::fs::read_to_string(folder.path().join("report/report.html")).unwrap();
    assert!(page.contains("alice") && page.contains("How fair a run was"));
    let file = folder.path().join("report/report.html").to_str().unwrap().to_owned();
    let output = fairness(RUN, &["--duration", "230", "--report", &file]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with(&format!("error: cannot write into {file}: ")), "{said}");
}

#[test]
fn what_cannot_be_measured_is_said_in_one_line() {
    let good = ["--duration", "600"];
    for (text, flags, expected) in [
        (RUN, &["--duration", "20"][..], "duration: \"20\" is not allowed; give seconds above 30"),
        (
            RUN,
            &["--duration", "600", "--window", "-1"],
            "window: \"-1\" is not allowed; give seconds above 0",
        ),
        (RUN, &[], "--duration <S>"),
        (RUN, &["--duration", "600", "--weight", "carol=2"], "run.csv has no client \"carol\""),
        (RUN, &["--duration", "600", "--weight", "bob=0"], "a number from 0.001 to 1000"),
        ("", &good, "run.csv: there are no requests in it"),
        ("a,b\n", &good, "run.csv: the first line is of no known format"),
        (&RUN.replace("300", "x"), &good, "run.csv:2: latency_s is \"x\"; give seconds from 0"),
        (
            "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,2\n",
            &good,
            "run.csv: says which requests came, not what became of them",
        ),
    ] {
        let output = fairness(text, flags);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(expected), "{said}\nshould contain {expected}");
        assert!(said.starts_with("error: ") && !said.contains("backtrace"), "{said}");
    }
}
