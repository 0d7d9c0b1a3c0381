//! Durations of many requests, and their quantiles.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// Durations of many requests, in seconds, in ascending order.
///
/// Serialized as `count`, `mean`, `p50`, `p90`, `p99` and `max`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Times {
    sorted: Vec<f64>,
}

// === impl Times ===

impl Times {
    /// These, in any order. O(n log n).
    #[must_use]
    pub fn new(mut times: Vec<f64>) -> Self {
        times.sort_unstable_by(f64::total_cmp);
        Self { sorted: times }
    }

    /// The least of them within which a part of `fraction`, from 0 to 1, lies (nearest rank); `None` of none. O(1).
    #[must_use]
    pub fn quantile(&self, fraction: f64) -> Option<f64> {
        // 0.07 of 100 is the 7th, also where the product says 7.000000000000001.
        let rank = (fraction * self.sorted.len() as f64 - 1e-9).ceil().max(1.0) as usize;
        self.sorted.get(rank - 1).or(self.sorted.last()).copied()
    }

    /// Their mean; `None` of none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.sorted.len();
        (count > 0).then(|| self.sorted.iter().sum::<f64>() / count as f64)
    }

    /// All of them, in ascending order.
    #[must_use]
    pub fn sorted(&self) -> &[f64] {
        &self.sorted
    }
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Times", 6)?;
        fields.serialize_field("count", &self.sorted.len())?;
        fields.serialize_field("mean", &self.mean())?;
        for (name, fraction) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)] {
            fields.serialize_field(name, &self.quantile(fraction))?;
        }
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_quantile_is_the_least_within_which_the_part_lies(
            times in proptest::collection::vec(0.0..9.0f64, 1..300),
            percent in 1..=100u32,
        ) {
            let of = Times::new(times.clone());
            let found = of.quantile(f64::from(percent) / 100.0).unwrap();
            let enough = |value: f64| {
                let within = times.iter().filter(|time| **time <= value).count();
                within * 100 >= percent as usize * times.len()
            };
            let least = times.iter().copied().filter(|time| enough(*time)).fold(f64::INFINITY, f64::min);
            prop_assert_eq!(found, least);
        }
    }

    #[test]
    fn of_none_there_is_no_quantile_and_the_ends_are_the_ends() {
        assert_eq!((Times::default().quantile(0.5), Times::default().mean()), (None, None));
        let times = Times::new(vec![3.0, 1.0, 2.0]);
        assert_eq!(
            (times.quantile(0.0), times.quantile(0.5), times.quantile(1.0)),
            (Some(1.0), Some(2.0), Some(3.0))
        );
        assert_eq!(times.mean(), Some(2.0));
        let json = serde_json::to_string(&times).unwrap();
        assert_eq!(json, r#"{"count":3,"mean":2.0,"p50":2.0,"p90":3.0,"p99":3.0,"max":3.0}"#);
    }
}
