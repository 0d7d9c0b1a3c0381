//! What the measures are: by hand, and by a naive reference.
#![expect(clippy::unwrap_used, reason = "a test")]

mod by_hand;
mod naive;

use vtc_sim::measure::{Recorder, RunSummary, Setting};
use vtc_sim::request::Outcome;

/// All of them, recorded.
fn recorded(setting: &Setting, outcomes: &[Outcome]) -> RunSummary {
    let mut recorder = Recorder::new(setting.clone());
    outcomes.iter().for_each(|outcome| recorder.add(outcome));
    recorder.finish()
}
