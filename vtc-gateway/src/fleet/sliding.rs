//! Two counts over a sliding window, in slots. Plain numbers; the time is an argument.

use std::time::Duration;

use vtc_core::Tick;

/// How many slots a window has: what is counted leaves at most a tenth of the window late.
const SLOTS: usize = 10;

/// How much there was of two things in the window that ends now.
#[derive(Clone, Debug)]
pub(super) struct SlidingCounts {
    /// Nanoseconds, at least 1.
    slot: u64,
    slots: [Slot; SLOTS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Which one it is, counted from the clock's origin.
    number: u64,
    first: u64,
    second: u64,
}

// === impl SlidingCounts ===

impl SlidingCounts {
    /// Nothing yet, in a window of that span.
    pub(super) fn new(span: Duration) -> Self {
        let slot = u64::try_from(span.as_nanos() / SLOTS as u128).unwrap_or(u64::MAX);
        Self { slot: slot.max(1), slots: [Slot::default(); SLOTS] }
    }

    /// So many more of each.
    pub(super) fn add(&mut self, now: Tick, first: u64, second: u64) {
        let number = now.as_nanos() / self.slot;
        let Some(slot) = self.slots.get_mut((number % SLOTS as u64) as usize) else { return };
        if slot.number < number {
            *slot = Slot { number, ..Slot::default() };
        }
        // A step back of the clock counts into what is there.
        slot.first += first;
        slot.second += second;
    }

    /// How many of each there were in the window.
    pub(super) fn sums(&self, now: Tick) -> (u64, u64) {
        let number = now.as_nanos() / self.slot;
        let is_live = |slot: &&Slot| slot.number + SLOTS as u64 > number;
        self.slots
            .iter()
            .filter(is_live)
            .fold((0, 0), |(first, second), slot| (first + slot.first, second + slot.second))
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.slots = [Slot::default(); SLOTS];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_sums_are_those_of_the_slots_of_now_and_the_nine_before(
            steps in prop::collection::vec((0_u64..40, 0_u64..3, 0_u64..3), 0..200),
        ) {
            let mut counts = SlidingCounts::new(Duration::from_nanos(100));
            let (mut now, mut all) = (0, Vec::new());
            for (step, first, second) in steps {
                now += step;
                counts.add(Tick::from_nanos(now), first, second);
                all.push((now, first, second));
                let live = all.iter().filter(|(at, ..)| at / 10 + 10 > now / 10);
                let naive = live.fold((0, 0), |sums, (_, first, second)| (sums.0 + first, sums.1 + second));
                prop_assert_eq!(counts.sums(Tick::from_nanos(now)), naive);
            }
        }
    }
}
