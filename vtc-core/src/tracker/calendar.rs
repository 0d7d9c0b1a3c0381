//! Which seats have something in a bucket, and so change when it expires. Plain numbers, no atomics.

/// For each bucket of a window a set of seats: one bit per seat that has something there.
#[derive(Debug)]
pub(super) struct Calendar {
    /// By bucket, modulo their number.
    sets: Box<[Vec<u64>]>,
}

// === impl Calendar ===

impl Calendar {
    /// For a window of so many buckets, at least one.
    pub(super) fn new(buckets: usize) -> Self {
        Self { sets: (0..buckets.max(1)).map(|_| Vec::new()).collect() }
    }

    /// How many buckets there are.
    pub(super) const fn buckets(&self) -> u64 {
        self.sets.len() as u64
    }

    /// Notes that these seats, bits of a word of 64, have something in that bucket.
    #[inline]
    pub(super) fn enroll(&mut self, bucket: u64, word: usize, seats: u64) {
        let place = (bucket % self.buckets()) as usize;
        let set = &mut self.sets[place];
        if word >= set.len() {
            set.resize(word + 1, 0);
        }
        set[word] |= seats;
    }

    /// Takes out the seats that have something in that bucket: 64 at a time.
    pub(super) fn expire(&mut self, bucket: u64, mut visit: impl FnMut(usize, u64)) {
        let place = (bucket % self.buckets()) as usize;
        for (word, seats) in self.sets[place].iter_mut().enumerate() {
            if *seats != 0 {
                visit(word, std::mem::take(seats));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expired(calendar: &mut Calendar, bucket: u64) -> Vec<(usize, u64)> {
        let mut seats = Vec::new();
        calendar.expire(bucket, |word, bits| seats.push((word, bits)));
        seats
    }

    #[test]
    fn a_seat_comes_out_once_with_each_bucket_that_it_was_put_into() {
        let mut calendar = Calendar::new(3);
        calendar.enroll(4, 2, 0b100);
        calendar.enroll(4, 2, 0b101);
        calendar.enroll(5, 0, 1);
        assert_eq!(expired(&mut calendar, 4), [(2, 0b101)]);
        assert_eq!(expired(&mut calendar, 4), []);
        assert_eq!(expired(&mut calendar, 3), []);
        assert_eq!(expired(&mut calendar, 5), [(0, 1)]);
    }
}
