//! What the measures are: by hand, by a naive reference, by the published table.
#![expect(clippy::unwrap_used, reason = "a test")]

mod by_hand;
mod naive;
mod published;

use vtc_bench::measure::{Recorder, RunSummary, Setting};
use vtc_bench::request::Outcome;

/// All of them, recorded.
fn recorded(setting: &Setting, outcomes: &[Outcome]) -> RunSummary {
    let mut recorder = Recorder::new(setting.clone());
    outcomes.iter().for_each(|outcome| recorder.add(outcome));
    recorder.finish()
}
