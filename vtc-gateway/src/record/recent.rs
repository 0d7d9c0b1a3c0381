//! Times of late: the last few, as far as they are not older than a minute.

use std::collections::VecDeque;
use std::time::Duration;

use vtc_core::Tick;

/// The last few times that something took.
#[derive(Clone, Debug)]
pub struct Recent {
    room: usize,
    /// When, and how many seconds; the newest at the back.
    times: VecDeque<(Tick, f32)>,
}

/// How long a time counts.
const SPAN: Duration = Duration::from_secs(60);

// === impl Recent ===

impl Recent {
    /// One that keeps so many. Takes no memory yet.
    #[must_use]
    pub const fn new(room: usize) -> Self {
        Self { room, times: VecDeque::new() }
    }

    /// Something took that long, just now.
    pub fn add(&mut self, now: Tick, time: Duration) {
        if self.times.len() >= self.room {
            self.times.pop_front();
        }
        self.times.push_back((now, time.as_secs_f32()));
    }

    /// Whether none of them is of the last minute.
    #[must_use]
    pub fn is_stale(&self, now: Tick) -> bool {
        self.times.back().is_none_or(|(at, _)| now.since(*at) > SPAN)
    }

    /// The median and the 99th percentile in seconds, each the least time that is not less than so large a part of those
    /// that are kept and not older than a minute. `None` if there are none. O(n log n).
    #[must_use]
    pub fn percentiles(&self, now: Tick) -> Option<[f32; 2]> {
        let young = self.times.iter().filter(|(at, _)| now.since(*at) <= SPAN);
        let mut times: Vec<f32> = young.map(|(_, time)| *time).collect();
        times.sort_unstable_by(f32::total_cmp);
        let rank = |part: f64| (times.len() as f64 * part).ceil().max(1.0) as usize - 1;
        Some([*times.get(rank(0.5))?, *times.get(rank(0.99))?])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: u64) -> Tick {
        Tick::after_origin(Duration::from_secs(second))
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_last_minute(
            times in proptest::collection::vec((0..200u64, 0..1000u64), 0..80), room in 1..50usize,
        ) {
            let mut times = times;
            times.sort_by_key(|(second, _)| *second);
            let mut recent = Recent::new(room);
            for (second, millis) in &times {
                recent.add(at(*second), Duration::from_millis(*millis));
            }
            let kept = &times[times.len().saturating_sub(room)..];
            let mut young: Vec<_> = kept.iter().filter(|(second, _)| second + 60 >= 200).collect();
            young.sort_by_key(|(_, millis)| *millis);
            let least = |part: f64| {
                // The definition: the first that has enough at or below it.
                let enough = |index: usize| (index + 1) as f64 >= part * young.len() as f64;
                let index = (0..young.len()).find(|index| enough(*index))?;
                Some(Duration::from_millis(young[index].1).as_secs_f32())
            };
            let expected = least(0.5).zip(least(0.99)).map(|(p50, p99)| [p50, p99]);
            prop_assert_eq!(recent.percentiles(at(200)), expected);
        }
    }
}
