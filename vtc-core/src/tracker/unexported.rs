//! Who was charged since the last export. Plain numbers, no atomics.

use super::census::BLOCK;

/// A set of seats, and the bucket from which on their changes are not exported yet.
#[derive(Debug)]
pub(super) struct Unexported {
    /// A bit for each seat.
    seats: Vec<u64>,
    /// Words that have a bit, each once.
    words: Vec<usize>,
    since: u64,
}

// === impl Unexported ===

impl Unexported {
    /// Nobody; what changes from that bucket on is to be exported.
    pub(super) fn since(bucket: u64) -> Self {
        Self { seats: Vec::new(), words: Vec::new(), since: bucket }
    }

    /// These seats, bits of a word of 64, have changed.
    #[inline]
    pub(super) fn note(&mut self, word: usize, seats: u64) {
        if word >= self.seats.len() {
            self.seats.resize(word + 1, 0);
        }
        if self.seats[word] == 0 && seats != 0 {
            self.words.push(word);
        }
        self.seats[word] |= seats;
    }

    /// Whether that seat has changed.
    #[inline]
    pub(super) fn contains(&self, seat: usize) -> bool {
        self.seats.get(seat / BLOCK).is_some_and(|seats| seats & (1 << (seat % BLOCK)) != 0)
    }

    /// Takes out all seats, 64 at a time, and gives the bucket from which on they changed; the next ones change from
    /// `bucket` on. O(seats that changed).
    pub(super) fn take(&mut self, bucket: u64) -> (u64, Vec<(usize, u64)>) {
        let seats = self.words.drain(..).map(|word| (word, std::mem::take(&mut self.seats[word]))).collect();
        (std::mem::replace(&mut self.since, bucket), seats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_comes_out_once_for_all_its_changes() {
        let mut unexported = Unexported::since(3);
        unexported.note(2, 0b100);
        unexported.note(2, 0b101);
        unexported.note(0, 0);
        unexported.note(7, 1);
        assert!(unexported.contains(2 * BLOCK + 2) && !unexported.contains(2 * BLOCK + 1));
        assert!(!unexported.contains(100 * BLOCK));
        assert_eq!(unexported.take(5), (3, vec![(2, 0b101), (7, 1)]));
        assert_eq!(unexported.take(6), (5, vec![]));
        unexported.note(2, 1);
        assert_eq!(unexported.take(6), (6, vec![(2, 1)]));
    }
}
