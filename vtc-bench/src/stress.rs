//! The stress tool: random operations from all threads, then the laws.
//!
//! A run is a series of rounds. In a round every thread draws actions: charges by name and through handles that it
//! takes and drops, routes with every policy, tickets that are settled, closed or dropped, here or on another thread,
//! by one or by two that race, progress, moves to another pod, reads of everything, the upkeep, new tables of pods, and
//! what must be refused. Each thread logs what it charged, in whole thousandths of tokens, and between which two looks
//! at the clock. Then the threads stop, and what the core shows is compared with the logs.
//!
//! # Which law is exact when
//!
//! A charge counts for at least the window, and at most a bucket's width longer; that, and no more, is what the laws
//! take for granted of the tracker's buckets. So each count has a *least* and a *most* at each moment.
//!
//! | phase | what is exact |
//! | --- | --- |
//! | a round in which the scripted clock **stands still** | least and most are the same number: every count, to the thousandth, and the sum. So are a thread's reads of the account that it has to itself, while the others sweep, list and close |
//! | a round in which one thread **turns the scripted clock**, so that windows pass dozens of times a second | the bounds: what was charged within the window must be there, what is older than the window and a bucket must not, what was charged between may. A refund that may have come too late widens them. A thread's reads of its own account show at least what must be there |
//! | a round on the **real coarse clock** | as one that turns; with the default window of 5 minutes nothing expires during a run, and the bounds are one number |
//! | **after a round**, quiet | the counts, as above; the extremes against the counts, the requests in flight against the open tickets, the endings, the cap: always exact. Then the window passes in steps, and each step is compared |
//! | **two windows later** | everything is 0, and only accounts are open to which somebody holds a handle or a ticket; every second round keeps its tickets until then, so that refunds are moot and late excesses count anew |
//! | **at any time** | no count is negative or above what had been announced to be charged, no pod shows more in flight than tickets had been announced and not ended |
//!
//! Under a cap (`--max-users` below the users) nobody can tell from outside on which account a charge by name fell:
//! such charges widen the bounds of their user's account and of the shared one; their sum stays exact. Charges through
//! handles and tickets are known by the account's name.
//!
//! With `--clock coarse` and a window of more than 2 s nobody waits for it to pass: what expires and what is closed is
//! not checked, and the report says so.
//!
//! # What the figures mean
//!
//! Throughput counts operations over the time of the rounds, the checks between them left out, the bookkeeping of the
//! threads included: it is what the tool does, not what the core can do; `cargo bench` tells that. Latencies are of a
//! sample and include one look at the precise clock: the row `(nothing)` shows how much that is. With more threads than
//! cores the upper percentiles show the scheduler.

mod amount;
mod announced;
mod hand;
mod held;
mod law;
mod laws;
mod ledger;
mod operation;
mod options;
mod report;
mod round;
mod sight;
mod skew;
mod stage;
mod worker;

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use vtc_core::{Clock, CoarseClock, ConfigError, ManualClock};

use self::hand::Hand;
pub use self::law::Law;
use self::operation::{Mix, Pace};
pub use self::options::{Options, Time};
pub use self::report::{KindReport, LawReport, Outcome, Report, Settings, Work};
use self::round::Run;
pub use self::skew::Skew;
use self::stage::Stage;
use self::worker::Seat;

/// How long a round is.
const ROUND: Duration = Duration::from_millis(250);

/// Runs, and says what was found.
///
/// # Errors
/// The first flag that the core does not allow.
///
/// # Panics
/// If the core panics on any thread.
pub fn run(options: &Options) -> Result<Report, ConfigError> {
    match options.clock {
        Time::Scripted => {
            let clock = ManualClock::new();
            run_with(options, clock.clone(), Hand::Scripted(clock))
        }
        Time::Coarse => run_with(options, CoarseClock::new(), Hand::Real),
    }
}

fn run_with<C: Clock>(options: &Options, clock: C, hand: Hand) -> Result<Report, ConfigError> {
    let stage = Stage::new(options, clock)?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..));
    let seat = |number: u32| Seat {
        number: number as usize,
        rng: fastrand::Rng::with_seed(seed.wrapping_add(number.into())),
        draws: options.skew.draws(options.users, seed.wrapping_add(number.into())),
        mix: Mix::new(options.users),
        pace: Pace::new(),
    };
    let mut run = Run::new(&stage, hand, (0..options.threads).map(seat).collect(), seat(options.threads));

    let span = Duration::from_secs_f64(options.seconds);
    let bar = progress_bar(span);
    while run.tally.operated < span {
        run.round(ROUND.min(span.saturating_sub(run.tally.operated)), &bar);
        bar.set_position(millis(run.tally.operated));
    }
    bar.finish_and_clear();

    let mut pace = Pace::new();
    run.seats().iter().for_each(|seat| pace.merge(&seat.pace));
    Ok(Report::new(Settings::new(options, seed, stage.term.window()), &run.tally, &pace))
}

/// On the terminal, if standard error is one.
fn progress_bar(span: Duration) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {elapsed} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(millis(span)).with_style(style)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
