//! A round: everybody operates for a moment, then all is quiet and the laws are checked.

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use vtc_core::{Clock, PreciseClock, UserHandle};

use super::hand::{self, Hand};
use super::held::Held;
use super::law::Verdicts;
use super::laws;
use super::ledger::Ledger;
use super::sight::Sight;
use super::stage::Stage;
use super::worker::{Leavings, Seat, Worker};

/// Everything that goes from round to round.
#[derive(Debug)]
pub struct Run<'a, C: Clock> {
    stage: &'a Stage<C>,
    hand: Hand,
    seats: Vec<Seat>,
    /// Of whoever ends what the threads leave open.
    last_seat: Seat,
    ledger: Ledger,
    /// What was found.
    pub tally: Tally,
}

/// What a run found.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many rounds there were.
    pub rounds: u32,
    /// What became of the laws.
    pub verdicts: Verdicts,
    /// How long was operated, in real time.
    pub operated: Duration,
    /// How many windows the clock turned over meanwhile.
    pub windows: f64,
    /// Counts that were compared with the one number that they had to be.
    pub exact: u64,
    /// Counts that were compared with a least and a most.
    pub bounded: u64,
}

/// What is still held after a round.
struct Rest<C: Clock> {
    handles: Vec<UserHandle<C>>,
    tickets: Vec<Arc<Held<C>>>,
}

/// Looks that are tried until the time stands still during one.
const LOOKS: usize = 50;
/// How often the progress bar moves.
const BEAT: Duration = Duration::from_millis(50);

// === impl Run ===

impl<'a, C: Clock> Run<'a, C> {
    /// A run, with a seat for each thread and one more.
    pub fn new(stage: &'a Stage<C>, hand: Hand, seats: Vec<Seat>, last_seat: Seat) -> Self {
        let ledger = Ledger::new(stage.term, stage.names.len());
        Self { stage, hand, seats, last_seat, ledger, tally: Tally::default() }
    }

    /// The threads' seats, at the end.
    pub fn seats(&self) -> &[Seat] {
        &self.seats
    }

    /// One round, `span` long. Even ones stand still, odd ones turn, if the clock is scripted.
    pub fn round(&mut self, span: Duration, bar: &ProgressBar) {
        let is_scripted = matches!(self.hand, Hand::Scripted(_));
        let is_still = is_scripted && self.tally.rounds.is_multiple_of(2);
        // Of two rounds of a kind, one ends the tickets while their charges count, the other one when they are gone.
        let ends_late = self.tally.rounds % 4 >= 2;
        self.tally.rounds += 1;

        let mut rest = self.operate(span, is_still, bar);
        self.look(&rest);
        if !ends_late {
            self.end(&mut rest, is_still);
            self.look(&rest);
        }
        if self.hand.can_pass(self.stage.term.longest()) {
            self.walk(&rest);
            self.outlast(&rest);
            if ends_late {
                self.end(&mut rest, false);
                self.look(&rest);
            }
            rest.handles.clear();
            self.outlast(&rest);
            self.ledger.clear();
            self.stage.announced.forget_charges();
        } else if ends_late {
            self.end(&mut rest, false);
            self.look(&rest);
        }
    }

    /// Lets all threads operate.
    fn operate(&mut self, span: Duration, is_still: bool, bar: &ProgressBar) -> Rest<C> {
        let (stage, hand) = (self.stage, &self.hand);
        let barrier = Barrier::new(self.seats.len() + 1);
        let (over, is_over) = channel::<()>();
        let clock = PreciseClock::new();
        stage.is_over.store(false);
        let hand_rng = self.last_seat.rng.fork();
        let (leavings, operated, turned) = thread::scope(|scope| {
            let barrier = &barrier;
            let threads: Vec<_> = self
                .seats
                .iter_mut()
                .map(|seat| {
                    scope.spawn(move || {
                        // The core's own random numbers are of the thread.
                        fastrand::seed(seat.rng.u64(..));
                        let mut worker = Worker::new(seat, stage, is_still);
                        worker.begin();
                        barrier.wait();
                        worker.run()
                    })
                })
                .collect();
            let mut hand_rng = hand_rng;
            let turning =
                (!is_still).then(|| scope.spawn(move || hand.turn(&is_over, &stage.term, &mut hand_rng)));
            barrier.wait();
            let begin = clock.now();
            while clock.now().since(begin) < span {
                hand::wait(BEAT.min(span.saturating_sub(clock.now().since(begin))));
                bar.inc(1);
            }
            stage.is_over.store(true);
            drop(over);
            let leavings: Vec<_> = threads.into_iter().map(joined).collect();
            let operated = clock.now().since(begin);
            (leavings, operated, turning.map(joined).unwrap_or_default())
        });
        self.tally.operated += operated;
        let passed = if matches!(hand, Hand::Real) { operated } else { turned };
        self.tally.windows += passed.div_duration_f64(stage.term.longest());
        self.collect(leavings)
    }

    fn collect(&mut self, leavings: Vec<Leavings<C>>) -> Rest<C> {
        let mut rest = Rest { handles: Vec::new(), tickets: Vec::new() };
        for leavings in leavings {
            self.ledger.absorb(leavings.log);
            self.tally.verdicts.merge(leavings.verdicts);
            rest.handles.extend(leavings.handles);
            rest.tickets.extend(leavings.tickets);
        }
        rest.tickets.extend(std::iter::from_fn(|| self.stage.crossing.pop()));
        rest.tickets.retain(|held| !held.ticket.has_ended());
        rest
    }

    /// Ends every ticket.
    fn end(&mut self, rest: &mut Rest<C>, is_still: bool) {
        let mut worker = Worker::new(&mut self.last_seat, self.stage, is_still);
        rest.tickets.drain(..).for_each(|held| worker.end(held));
        let leavings = worker.leave();
        self.ledger.absorb(leavings.log);
        self.tally.verdicts.merge(leavings.verdicts);
        rest.tickets = leavings.tickets;
    }

    /// Compares what is seen with what is to be seen.
    fn look(&mut self, rest: &Rest<C>) -> Option<Sight> {
        let sight = self.sight(rest)?;
        let excess = self.excess(rest, &sight);
        self.ledger.absorb(excess.iter().copied());
        let balance = self.ledger.balance(sight.now);
        // They are open still, and may change.
        let undo = |entry: &super::ledger::Entry| super::ledger::Entry {
            surely: -entry.surely,
            perhaps: -entry.perhaps,
            ..*entry
        };
        self.ledger.absorb(excess.iter().map(undo));
        laws::quiet(&mut self.tally.verdicts, &sight, &balance);
        let exact = balance.accounts.iter().filter(|bounds| bounds.is_exact()).count() as u64;
        self.tally.exact += exact;
        self.tally.bounded += balance.accounts.len() as u64 - exact;
        Some(sight)
    }

    fn sight(&self, rest: &Rest<C>) -> Option<Sight> {
        (0..LOOKS).find_map(|_| Sight::take(self.stage, &rest.handles, &rest.tickets))
    }

    /// What open tickets have charged beyond their reservations.
    fn excess(&self, rest: &Rest<C>, sight: &Sight) -> Vec<super::ledger::Entry> {
        let now = self.stage.term.stay(sight.now, sight.now);
        super::sight::open(&rest.tickets).filter_map(|held| held.excess(now)).collect()
    }

    /// Looks again and again while everything expires, step by step.
    fn walk(&mut self, rest: &Rest<C>) {
        let longest = self.stage.term.longest();
        for _ in 0..STEPS {
            self.hand.pass(longest / STEPS);
            self.look(rest);
        }
    }

    /// Lets two windows pass, and looks at what is left.
    fn outlast(&mut self, rest: &Rest<C>) {
        for _ in 0..2 {
            self.hand.pass(self.stage.term.longest());
            self.stage.router.tracker().upkeep();
        }
        if let Some(sight) = self.look(rest) {
            laws::expired(&mut self.tally.verdicts, &sight);
        }
    }
}

/// Steps in which a window passes when everybody watches.
const STEPS: u32 = 7;

/// What a thread made, or its panic.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
