//! Predictors made of predictors, and the one that needs to learn nothing.

use super::{Ask, OutputPredictor};

/// The first predictor's guess, or else the second's. Both learn.
#[derive(Clone, Debug)]
pub struct Or<A, B> {
    pub(super) first: A,
    pub(super) second: B,
}

/// A predictor's guess, but never more than the request allows.
#[derive(Clone, Debug)]
pub struct Capped<P> {
    pub(super) inner: P,
}

/// That every answer will be as long as its request allows; nothing where it does not say.
///
/// Charges the most in advance, and so leaves nobody ahead by what is in flight. In a simulator that gives the true
/// length as the limit, it is the paper's oracle.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsAllowed;

// === impl Or ===

impl<A: OutputPredictor, B: OutputPredictor> OutputPredictor for Or<A, B> {
    fn predict(&self, ask: &Ask<'_>) -> Option<u64> {
        self.first.predict(ask).or_else(|| self.second.predict(ask))
    }

    fn observe(&mut self, ask: &Ask<'_>, output: u64) {
        self.first.observe(ask, output);
        self.second.observe(ask, output);
    }
}

// === impl Capped ===

impl<P: OutputPredictor> OutputPredictor for Capped<P> {
    fn predict(&self, ask: &Ask<'_>) -> Option<u64> {
        let guess = self.inner.predict(ask)?;
        Some(ask.max_output.map_or(guess, |most| guess.min(most)))
    }

    fn observe(&mut self, ask: &Ask<'_>, output: u64) {
        self.inner.observe(ask, output);
    }
}

// === impl AsAllowed ===

impl OutputPredictor for AsAllowed {
    fn predict(&self, ask: &Ask<'_>) -> Option<u64> {
        ask.max_output
    }

    fn observe(&mut self, _ask: &Ask<'_>, _output: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::{MovingAverage, OverAll, UserName};

    #[test]
    fn whoever_has_nothing_to_go_by_is_asked_no_further() {
        let ask = |user, max_output| Ask { user: UserName::new(user), input: 1, max_output };
        let mut predictor = AsAllowed.or(MovingAverage::new(10)).or(OverAll::default());
        assert_eq!(predictor.predict(&ask("alice", None)), None);
        predictor.observe(&ask("alice", None), 40);
        assert_eq!(predictor.predict(&ask("alice", Some(7))), Some(7));
        assert_eq!(predictor.predict(&ask("alice", None)), Some(40));
        predictor.observe(&ask("bob", None), 90);
        assert_eq!(predictor.predict(&ask("alice", None)), Some(40));
        assert_eq!(predictor.predict(&ask("carol", None)), Some(50), "(4 * 40 + 90) / 5");
        assert_eq!(predictor.capped().predict(&ask("carol", Some(30))), Some(30));
    }
}
