//! The counts of all accounts side by side, and their range. Plain numbers, no atomics.

use crate::extremes::Range;
use crate::tokens::Tokens;

/// A count per seat, and the least and the most of all that are positive: found anew in proportion to what changed,
/// but for one look at each block.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// By seat; zero for an empty one.
    counts: Vec<Tokens>,
    /// The range of each [`BLOCK`] of counts.
    blocks: Vec<Block>,
    /// Blocks whose range is not known.
    unknown: Vec<u32>,
    positive: usize,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    range: Range,
    is_known: bool,
}

/// As many counts as one word has flags.
pub(super) const BLOCK: usize = 64;

// === impl Census ===

impl Census {
    /// The count of that seat.
    #[inline]
    pub(super) fn count(&self, seat: usize) -> Tokens {
        self.counts.get(seat).copied().unwrap_or_default()
    }

    /// Replaces the count of that seat. O(1), amortised.
    #[inline]
    pub(super) fn set(&mut self, seat: usize, count: Tokens) {
        if seat >= self.counts.len() {
            self.grow(seat);
        }
        let before = std::mem::replace(&mut self.counts[seat], count);
        if before == count {
            return;
        }
        self.positive += usize::from(!count.is_zero());
        self.positive -= usize::from(!before.is_zero());
        let block = &mut self.blocks[seat / BLOCK];
        if !block.is_known {
            return;
        }
        if !before.is_zero() && block.range.is_end(before) {
            // What else is there at this end?
            block.is_known = false;
            self.unknown.push((seat / BLOCK) as u32);
        } else {
            block.range.include(count);
        }
    }

    /// The range of all positive counts and their number. O(blocks + what changed since the last call).
    pub(super) fn range(&mut self) -> (Range, usize) {
        for block in self.unknown.drain(..) {
            let at = block as usize;
            let range = Range::of(&self.counts[at * BLOCK..(at + 1) * BLOCK]);
            self.blocks[at] = Block { range, is_known: true };
        }
        let range = self.blocks.iter().fold(Range::EMPTY, |range, block| range.and(block.range));
        (range, self.positive)
    }

    fn grow(&mut self, seat: usize) {
        let blocks = seat / BLOCK + 1;
        self.counts.resize(blocks * BLOCK, Tokens::ZERO);
        self.blocks.resize(blocks, Block { range: Range::EMPTY, is_known: true });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_range_is_that_of_a_full_look(
            changes in prop::collection::vec((0..200usize, prop_oneof![Just(0u64), 1..50u64]), 1..300),
            look_every in 1..20usize,
        ) {
            let (mut census, mut naive) = (Census::default(), [0u64; 200]);
            for (i, (seat, units)) in changes.into_iter().enumerate() {
                census.set(seat, Tokens::from_units(units));
                naive[seat] = units;
                if i % look_every == 0 {
                    let positive: Vec<_> = naive.iter().copied().filter(|units| *units > 0).collect();
                    let (range, users) = census.range();
                    prop_assert_eq!(users, positive.len());
                    prop_assert_eq!(range.least().map(Tokens::units), positive.iter().min().copied());
                    prop_assert_eq!(range.most().map(Tokens::units), positive.iter().max().copied());
                    prop_assert_eq!(census.count(seat).units(), units);
                }
            }
        }
    }
}
