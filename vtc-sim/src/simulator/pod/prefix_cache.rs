//! Prefixes of prompts that a pod still has, by their content.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;

/// Blocks of prompts: those in use, and those that nobody uses and that are given up for others, the least recently
/// used first. Everything in it takes memory of the pod.
#[derive(Debug, Default)]
pub(super) struct PrefixCache {
    /// Its order decides nothing.
    blocks: HashMap<u64, Block, FixedState>,
    /// Those that nobody uses, by when they were last used.
    unused: BTreeMap<u64, u64>,
    moments: u64,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    users: u32,
    /// When it was last used, while nobody uses it.
    since: u64,
}

// === impl PrefixCache ===

impl PrefixCache {
    /// How many of these blocks, from the first on, are there.
    pub(super) fn found(&self, blocks: &[u64]) -> usize {
        blocks.iter().take_while(|block| self.blocks.contains_key(block)).count()
    }

    /// How many of these that are there nobody uses: they can no longer be given up when somebody uses them.
    pub(super) fn found_unused(&self, blocks: &[u64]) -> usize {
        let known = blocks.iter().map_while(|block| self.blocks.get(block));
        known.filter(|block| block.users == 0).count()
    }

    /// How many blocks are kept that nobody uses.
    pub(super) fn unused(&self) -> usize {
        self.unused.len()
    }

    /// How many blocks are used.
    pub(super) fn used(&self) -> usize {
        self.blocks.len() - self.unused.len()
    }

    /// One more uses these blocks; those that are not there come into being.
    pub(super) fn take(&mut self, blocks: &[u64]) {
        for &block in blocks {
            let entry = self.blocks.entry(block).or_insert(Block { users: 0, since: u64::MAX });
            if entry.users == 0 {
                self.unused.remove(&entry.since);
            }
            entry.users += 1;
        }
    }

    /// One less uses these blocks. The last of them is given up first, as it is of use only with those before it.
    pub(super) fn give_back(&mut self, blocks: &[u64]) {
        for &block in blocks.iter().rev() {
            let Some(entry) = self.blocks.get_mut(&block) else { continue };
            entry.users -= 1;
            if entry.users == 0 {
                self.moments += 1;
                entry.since = self.moments;
                self.unused.insert(self.moments, block);
            }
        }
    }

    /// Gives up the block that nobody has used for longest.
    pub(super) fn give_up(&mut self) -> bool {
        let Some((_, block)) = self.unused.pop_first() else { return false };
        self.blocks.remove(&block);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_oldest_goes_first_from_its_end() {
        let mut cache = PrefixCache::default();
        cache.take(&[1, 2, 3]);
        cache.take(&[1, 2, 4]);
        assert_eq!((cache.used(), cache.unused()), (4, 0));
        assert!(!cache.give_up(), "all are in use");
        cache.give_back(&[1, 2, 3]);
        assert_eq!((cache.used(), cache.unused(), cache.found(&[1, 2, 3])), (3, 1, 3));
        cache.give_back(&[1, 2, 4]);
        let mut left = Vec::new();
        while cache.give_up() {
            left.push((cache.found(&[1, 2, 3]), cache.found(&[1, 2, 4])));
        }
        assert_eq!(left, [(2, 3), (2, 2), (1, 1), (0, 0)]);
    }

    #[test]
    fn a_block_that_is_used_again_is_not_given_up() {
        let mut cache = PrefixCache::default();
        cache.take(&[1]);
        cache.give_back(&[1]);
        assert_eq!(cache.found_unused(&[1, 2]), 1);
        cache.take(&[1]);
        assert!(!cache.give_up());
        assert_eq!((cache.found(&[1]), cache.found_unused(&[1])), (1, 0));
    }
}
