//! The tool itself: short runs on the real core are clean and check what they promise to check.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

fn options(flags: &str) -> Options {
    Cli::try_parse_from(["stress"].into_iter().chain(flags.split_whitespace())).unwrap().options
}

fn unchecked(flags: &str) -> Vec<&'static str> {
    let report = run(&options(flags)).unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.work.operations > 0);
    serde_json::to_string(&report).unwrap();
    report.laws.iter().filter(|law| law.outcome == Outcome::Unchecked).map(|law| law.law).collect()
}

#[test]
fn a_scripted_run_checks_every_law() {
    assert_eq!(unchecked("--seconds 1 --users 50 --staleness 0s"), [""; 0]);
    assert_eq!(unchecked("--seconds 1 --users 50 --max-users 10 --threads 3 --skew uniform"), [""; 0]);
}

#[test]
fn a_real_run_says_what_it_did_not_check() {
    let outlasting = [Law::EverythingExpires.name(), Law::IdleAccountsClose.name()];
    assert_eq!(unchecked("--seconds 0.3 --users 50 --clock coarse"), outlasting);
}

#[test]
fn flags_that_are_not_allowed_are_refused_with_what_is() {
    for (flags, allowed) in [
        ("--threads 0", "1..=256"),
        ("--threads many", "invalid digit"),
        ("--users 0", "1..=10000000"),
        ("--seconds 0", "above 0"),
        ("--seconds NaN", "above 0"),
        ("--seconds -1", "above 0"),
        ("--skew zipf:-1", "like `zipf:1.1`"),
        ("--pods 0", "1..=10000"),
        ("--clock sundial", "scripted, coarse"),
        ("--max-users 0", "1.."),
    ] {
        let Err(error) = Cli::try_parse_from(["stress"].into_iter().chain(flags.split_whitespace())) else {
            panic!("{flags} was accepted")
        };
        assert!(error.to_string().contains(allowed), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
    for (flags, allowed) in [("--window 0s", "at least 1 unit"), ("--window 1500us", "whole milliseconds")] {
        assert!(run(&options(flags)).unwrap_err().to_string().contains(allowed), "{flags}");
    }
}
