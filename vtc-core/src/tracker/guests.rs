//! Users who were charged elsewhere and have no account of their own here. Plain data, no atomics.

use compact_str::CompactString;
use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::tokens::Tokens;

/// What each of them was charged elsewhere, and the sum.
#[derive(Debug, Default)]
pub(super) struct Guests {
    amounts: HashMap<CompactString, Tokens, RandomState>,
    /// Units. So wide that no number of amounts is too much for it.
    sum: u128,
}

// === impl Guests ===

impl Guests {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.amounts.is_empty()
    }

    /// A guest was charged so much, in place of what was known before.
    pub(super) fn put(&mut self, name: &str, amount: Tokens) {
        self.remove(name);
        self.sum += u128::from(amount.units());
        self.amounts.insert(name.into(), amount);
    }

    /// Whoever of that name was a guest is none any more: what it was charged.
    pub(super) fn remove(&mut self, name: &str) -> Option<Tokens> {
        let amount = self.amounts.remove(name)?;
        self.sum -= u128::from(amount.units());
        Some(amount)
    }

    /// What all were charged, in units; saturates.
    pub(super) fn sum(&self) -> u64 {
        u64::try_from(self.sum).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_of_what_was_said_last() {
        let mut guests = Guests::default();
        guests.put("a", Tokens::from_units(5));
        guests.put("b", Tokens::from_units(7));
        guests.put("a", Tokens::from_units(6));
        assert_eq!(guests.sum(), 13);
        assert_eq!(guests.remove("a"), Some(Tokens::from_units(6)));
        assert_eq!(guests.remove("a"), None);
        assert_eq!((guests.sum(), guests.is_empty()), (7, false));
    }
}
