//! Whether files have changed, and stand still again.

use std::path::PathBuf;

/// What is in some files; nothing of one that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents(Vec<Option<Vec<u8>>>);

/// What was taken, and what was seen last.
#[derive(Debug, Default)]
pub(super) struct Watch {
    taken: Contents,
    seen: Contents,
}

// === impl Contents ===

impl Contents {
    /// Reads them, which are short, as a whole: a time of change may be the same after a change.
    pub(super) fn read(files: &[PathBuf]) -> Self {
        Self(files.iter().map(|file| std::fs::read(file).ok()).collect())
    }
}

// === impl Watch ===

impl Watch {
    /// These have been taken.
    pub(super) fn of(contents: Contents) -> Self {
        Self { taken: contents.clone(), seen: contents }
    }

    /// They are like this now. Says whether they are to be taken: they have changed since they were taken, and not since
    /// the last look, so that nobody is in the middle of writing. Whatever comes of it, they are not taken twice.
    pub(super) fn look(&mut self, now: Contents) -> bool {
        let stands_still = now == self.seen;
        self.seen = now;
        if !stands_still || self.seen == self.taken {
            return false;
        }
        self.taken.clone_from(&self.seen);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(text: &str) -> Contents {
        Contents(vec![(!text.is_empty()).then(|| text.into())])
    }

    #[test]
    fn what_has_changed_is_taken_once_it_stands_still_and_only_once() {
        let mut watch = Watch::of(contents("a"));
        let looks = ["a", "ab", "abc", "abc", "abc", "", "abc", "abc", "", "", "", "abc", "abc", "a", "a"];
        let taken: Vec<_> = looks.into_iter().filter(|text| watch.look(contents(text))).collect();
        // A file that is gone for two looks is no less a change: its absence is then an error to be told.
        assert_eq!(taken, ["abc", "", "abc", "a"]);
    }
}
