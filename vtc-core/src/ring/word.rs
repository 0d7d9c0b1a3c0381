//! One bucket in one word: which lap of the ring it belongs to, and how much it holds. Pure.

use crate::tokens::Tokens;

/// `lap << 44 | amount`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

/// What becomes of a word that receives an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// The word to put in its place.
    pub(super) word: Word,
    /// How far ahead of the giver the bucket already was, in laps.
    pub(super) laps_ahead: u64,
    /// How much of the amount found room.
    pub(super) kept: u64,
    /// What must leave the running total: an expired amount, or what did not fit.
    pub(super) leaves: u64,
}

const AMOUNT_BITS: u32 = 44;
const AMOUNT_MASK: u64 = Tokens::MAX.units();
const LAP_MASK: u64 = u64::MAX >> AMOUNT_BITS;

/// Laps are compared modulo 2^20. A word can be ahead of a thread only by as long as that thread was
/// suspended between reading the time and reaching the word, so a small part of the circle is enough
/// for "ahead", and all the rest means "stale".
const MOST_AHEAD: u64 = 1 << 10;

/// What is further behind than this would be taken for ahead.
#[cfg(test)]
pub(super) const MOST_BEHIND: u64 = LAP_MASK - MOST_AHEAD;

// === impl Word ===

impl Word {
    /// A bucket of that lap which holds nothing.
    pub(super) const fn empty(lap: u64) -> Self {
        Self((lap & LAP_MASK) << AMOUNT_BITS)
    }

    pub(super) const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    pub(super) const fn raw(self) -> u64 {
        self.0
    }

    const fn amount(self) -> u64 {
        self.0 & AMOUNT_MASK
    }

    const fn with_amount(self, amount: u64) -> Self {
        Self(self.0 & !AMOUNT_MASK | amount)
    }

    /// How many laps this word is ahead of `lap`: `None` if it is behind, that is stale.
    const fn laps_ahead_of(self, lap: u64) -> Option<u64> {
        let ahead = (self.0 >> AMOUNT_BITS).wrapping_sub(lap) & LAP_MASK;
        if ahead <= MOST_AHEAD { Some(ahead) } else { None }
    }

    /// An amount (in units, at most [`Tokens::MAX`]) comes in by somebody whose clock says `lap`.
    ///
    /// A stale word is reclaimed: what it held leaves, and the newcomer has the bucket for itself. A
    /// word that is ahead takes the amount as its own: whoever was slow is charged later, never twice.
    pub(super) const fn receive(self, lap: u64, amount: u64) -> Received {
        match self.laps_ahead_of(lap) {
            Some(laps_ahead) => {
                let room = AMOUNT_MASK - self.amount();
                let kept = if amount > room { room } else { amount };
                Received {
                    word: self.with_amount(self.amount() + kept),
                    laps_ahead,
                    kept,
                    leaves: amount - kept,
                }
            }
            None => {
                let word = Self::empty(lap).with_amount(amount);
                Received { word, laps_ahead: 0, kept: amount, leaves: self.amount() }
            }
        }
    }

    /// What the bucket holds, if it is of that lap.
    pub(super) const fn held_in(self, lap: u64) -> u64 {
        match self.laps_ahead_of(lap) {
            Some(0) => self.amount(),
            _ => 0,
        }
    }

    /// Takes up to `amount` out again, if the bucket is still of that lap: the word to put in its place
    /// and how much came out.
    pub(super) const fn give_back(self, lap: u64, amount: u64) -> (Self, u64) {
        match self.laps_ahead_of(lap) {
            Some(0) => {
                let held = self.amount();
                let taken = if amount < held { amount } else { held };
                (self.with_amount(held - taken), taken)
            }
            _ => (self, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stale_word_is_reclaimed_and_what_it_held_leaves() {
        let stale = Word::empty(7).receive(7, 500).word;
        let received = stale.receive(8, 30);
        let word = Word::empty(8).with_amount(30);
        assert_eq!(received, Received { word, laps_ahead: 0, kept: 30, leaves: 500 });
    }

    #[test]
    fn a_word_that_is_ahead_keeps_its_lap_and_takes_the_amount() {
        let ahead = Word::empty(8).receive(8, 500).word;
        let received = ahead.receive(7, 30);
        let word = Word::empty(8).with_amount(530);
        assert_eq!(received, Received { word, laps_ahead: 1, kept: 30, leaves: 0 });
    }

    #[test]
    fn laps_wrap_around() {
        let last = Word::empty(LAP_MASK).receive(LAP_MASK, 5).word;
        assert_eq!(last.receive(LAP_MASK + 1, 1).leaves, 5, "the next lap finds it stale");
        assert_eq!(Word::empty(LAP_MASK + 1).receive(LAP_MASK, 1).laps_ahead, 1);
    }

    proptest! {
        #[test]
        fn what_comes_in_is_kept_or_leaves(
            held in 0..=AMOUNT_MASK, amount in 0..=AMOUNT_MASK, lap in 0..=LAP_MASK, behind in 0..3u64,
        ) {
            let word = Word::empty(lap).with_amount(held);
            let received = word.receive(lap.wrapping_add(behind), amount);
            prop_assert_eq!(received.word.amount() + received.leaves, held + amount);
            prop_assert_eq!(received.word.amount(), received.kept + if behind == 0 { held } else { 0 });
        }

        #[test]
        fn no_more_is_given_back_than_is_held(
            held in 0..=AMOUNT_MASK, asked in 0..=AMOUNT_MASK, lap in 0..=LAP_MASK, off in 0..3u64,
        ) {
            let word = Word::empty(lap).with_amount(held);
            let (rest, taken) = word.give_back(lap + off, asked);
            prop_assert_eq!(taken, if off == 0 { asked.min(held) } else { 0 });
            prop_assert_eq!(rest, word.with_amount(held - taken));
        }
    }
}
