//! Whether a pod gets requests, by what became of those it got: a circuit breaker.
//!
//! *Closed*, the pod gets requests, until several in a row fail or too large a part of those in a window. *Open*, it gets
//! none for a while, the longer the more often in a row that happens. *Half open*, it gets one at a time: if that is answered
//! the breaker closes, and opens again if it is not.

use std::time::Duration;

use vtc_core::Tick;

use super::sliding::SlidingCounts;
use crate::settings::BreakerSetting;

/// What is remembered of a pod's requests. Plain numbers; the time and the dice are arguments.
#[derive(Debug)]
pub(super) struct Breaker {
    setting: BreakerSetting,
    state: State,
    /// Failures since the last success.
    in_a_row: u32,
    /// Successes and failures.
    outcomes: SlidingCounts,
    /// How often it has opened since it was last closed.
    openings: u32,
    /// How many probes there were.
    probes: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open {
        until: Tick,
    },
    /// Its time is over: the one request that finds out, if it is under way.
    HalfOpen {
        probe: Option<u64>,
    },
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BreakerState {
    /// The pod gets requests.
    #[default]
    Closed,
    /// It gets none.
    Open,
    /// It gets one, which shows whether it gets more.
    HalfOpen,
}

// === impl Breaker ===

impl Breaker {
    /// Closed.
    pub(super) fn new(setting: BreakerSetting) -> Self {
        let outcomes = SlidingCounts::new(setting.window);
        Self { setting, state: State::Closed, in_a_row: 0, outcomes, openings: 0, probes: 0 }
    }

    /// What counts from now on. It stands as it stood; with another window the outcomes of late are forgotten.
    pub(super) fn set(&mut self, setting: BreakerSetting) {
        if setting.window != self.setting.window {
            self.outcomes = SlidingCounts::new(setting.window);
        }
        self.setting = setting;
    }

    /// How it stands.
    pub(super) fn state(&self, now: Tick) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { until } if now < until => BreakerState::Open,
            State::Open { .. } | State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// When it becomes half open, if it is open.
    pub(super) fn open_until(&self) -> Option<Tick> {
        match self.state {
            State::Open { until } => Some(until),
            State::Closed | State::HalfOpen { .. } => None,
        }
    }

    /// The pod has answered.
    pub(super) fn succeeded(&mut self, now: Tick) {
        match self.state(now) {
            BreakerState::Closed => {
                self.in_a_row = 0;
                self.outcomes.add(now, 1, 0);
            }
            // Of a request that began before it opened.
            BreakerState::Open => {}
            BreakerState::HalfOpen => self.close(),
        }
    }

    /// The pod has failed. `dice`, from 0 to 1, says how long it stays open, if this opens it: between half the time and
    /// all of it, so that pods that failed together are not tried together.
    pub(super) fn failed(&mut self, now: Tick, dice: f64) {
        match self.state(now) {
            BreakerState::Closed => {
                self.in_a_row += 1;
                self.outcomes.add(now, 0, 1);
                if self.is_too_much(now) {
                    self.open(now, dice);
                }
            }
            BreakerState::Open => {}
            BreakerState::HalfOpen => self.open(now, dice),
        }
    }

    /// Takes the place of the one request that a half open breaker lets through, if it is free: which one it is.
    pub(super) fn claim(&mut self, now: Tick) -> Option<u64> {
        if self.state(now) != BreakerState::HalfOpen
            || matches!(self.state, State::HalfOpen { probe: Some(_) })
        {
            return None;
        }
        self.probes += 1;
        self.state = State::HalfOpen { probe: Some(self.probes) };
        Some(self.probes)
    }

    /// That request has ended, maybe without an outcome: then the next may have its place.
    pub(super) fn release(&mut self, ended: u64) {
        if let State::HalfOpen { probe } = &mut self.state {
            *probe = probe.filter(|probe| *probe != ended);
        }
    }

    fn is_too_much(&self, now: Tick) -> bool {
        let (successes, failures) = self.outcomes.sums(now);
        let all = successes + failures;
        let is_many =
            all >= u64::from(self.setting.least) && failures as f64 >= self.setting.ratio * all as f64;
        self.in_a_row >= self.setting.in_a_row || is_many
    }

    fn open(&mut self, now: Tick, dice: f64) {
        let BreakerSetting { back_off, longest_back_off, .. } = self.setting;
        let doubled = back_off.saturating_mul(2_u32.saturating_pow(self.openings)).min(longest_back_off);
        let wait = doubled.mul_f64(0.5 + dice.clamp(0.0, 1.0) / 2.0);
        self.openings = self.openings.saturating_add(1);
        self.state = State::Open { until: now.saturating_add(wait.max(Duration::from_nanos(1))) };
    }

    fn close(&mut self) {
        self.state = State::Closed;
        (self.in_a_row, self.openings) = (0, 0);
        self.outcomes.clear();
    }
}

// === impl BreakerState ===

impl BreakerState {
    /// A word for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;

    fn setting() -> BreakerSetting {
        BreakerSetting {
            in_a_row: 3,
            ratio: 0.5,
            least: 6,
            window: Duration::from_millis(100),
            back_off: Duration::from_millis(10),
            longest_back_off: Duration::from_millis(70),
        }
    }

    fn at(ms: u64) -> Tick {
        Tick::from_nanos(ms * MS)
    }

    #[test]
    fn the_back_off_doubles_up_to_the_longest_and_starts_anew_after_a_success() {
        let mut breaker = Breaker::new(setting());
        let mut now = 0;
        (0..3).for_each(|_| breaker.failed(at(now), 1.0));
        for wait in [10, 20, 40, 70, 70] {
            assert_eq!(breaker.open_until(), Some(at(now + wait)));
            now += wait;
            breaker.failed(at(now), 1.0);
        }
        now += 70;
        breaker.succeeded(at(now));
        assert_eq!(breaker.state(at(now)), BreakerState::Closed);
        (0..3).for_each(|_| breaker.failed(at(now), 0.0));
        assert_eq!(breaker.open_until(), Some(at(now + 5)), "half of it, if the dice say so");
    }

    #[test]
    fn half_open_it_lets_one_through_at_a_time() {
        let mut breaker = Breaker::new(setting());
        assert_eq!(breaker.claim(at(0)), None, "closed");
        (0..3).for_each(|_| breaker.failed(at(0), 1.0));
        assert_eq!(breaker.claim(at(9)), None, "open");
        let first = breaker.claim(at(10)).unwrap();
        assert_eq!(breaker.claim(at(11)), None);
        breaker.release(first);
        let second = breaker.claim(at(12)).unwrap();
        breaker.release(first);
        assert_eq!(breaker.claim(at(13)), None, "an old one gives back nothing");
        breaker.failed(at(14), 1.0);
        assert_eq!(breaker.state(at(14)), BreakerState::Open);
        breaker.release(second);
        assert_eq!(breaker.claim(at(15)), None);
    }

    #[derive(Clone, Copy, Debug)]
    enum Act {
        Succeed,
        Fail,
        Claim,
        Release,
    }

    /// The same from all that ever happened.
    #[derive(Default)]
    struct Naive {
        /// Since it was last closed, or made: when, and whether the pod answered.
        outcomes: Vec<(u64, bool)>,
        /// When it opened, and for how long, since it was last closed.
        openings: Vec<(u64, u64)>,
        claimed: bool,
    }

    impl Naive {
        fn state(&self, now: u64) -> BreakerState {
            match self.openings.last() {
                None => BreakerState::Closed,
                Some((since, wait)) if now < since + wait => BreakerState::Open,
                Some(_) => BreakerState::HalfOpen,
            }
        }

        fn outcome(&mut self, now: u64, success: bool) {
            let state = self.state(now);
            let opens = match state {
                BreakerState::Open => return,
                BreakerState::HalfOpen if success => {
                    *self = Self::default();
                    return;
                }
                BreakerState::HalfOpen => true,
                BreakerState::Closed => {
                    self.outcomes.push((now, success));
                    let live = || self.outcomes.iter().filter(|(at, _)| at / 10 + 10 > now / 10);
                    let bad = live().filter(|(_, success)| !success).count();
                    let row = self.outcomes.iter().rev().take_while(|(_, success)| !success).count();
                    !success && (row >= 3 || (live().count() >= 6 && 2 * bad >= live().count()))
                }
            };
            if opens {
                let wait = (10 << self.openings.len()).min(70);
                self.openings.push((now, wait));
                self.claimed = false;
            }
        }
    }

    proptest! {
        #[test]
        fn it_stands_as_all_that_happened_says(
            acts in prop::collection::vec(
                (0_u64..12, prop_oneof![
                    4 => Just(Act::Succeed), 5 => Just(Act::Fail), 1 => Just(Act::Claim), 1 => Just(Act::Release),
                ]),
                0..300,
            ),
        ) {
            let (mut breaker, mut naive) = (Breaker::new(setting()), Naive::default());
            let (mut now, mut held) = (0, None);
            for (step, act) in acts {
                now += step;
                match act {
                    Act::Succeed => {
                        breaker.succeeded(at(now));
                        naive.outcome(now, true);
                    }
                    Act::Fail => {
                        breaker.failed(at(now), 1.0);
                        naive.outcome(now, false);
                    }
                    Act::Claim => {
                        let claimed = breaker.claim(at(now));
                        let free = naive.state(now) == BreakerState::HalfOpen && !naive.claimed;
                        prop_assert_eq!(claimed.is_some(), free);
                        if free {
                            (held, naive.claimed) = (claimed, true);
                        }
                    }
                    Act::Release => {
                        if let Some(probe) = held.take() {
                            breaker.release(probe);
                            naive.claimed = false;
                        }
                    }
                }
                prop_assert_eq!(breaker.state(at(now)), naive.state(now));
            }
        }
    }
}
