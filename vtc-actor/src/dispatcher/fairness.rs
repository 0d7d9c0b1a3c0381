//! How far those who wait are apart. Plain numbers in, a number out.

/// The largest less the least; 0 of nobody.
pub(super) fn gap(values: impl IntoIterator<Item = f64>) -> f64 {
    let none = (f64::INFINITY, f64::NEG_INFINITY);
    let (least, most) =
        values.into_iter().fold(none, |(least, most), value| (value.min(least), value.max(most)));
    (most - least).max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_gap_is_that_of_the_sorted(mut values in proptest::collection::vec(-1e9..1e9f64, 1..50)) {
            let found = gap(values.iter().copied());
            values.sort_by(f64::total_cmp);
            prop_assert_eq!(found, values[values.len() - 1] - values[0]);
        }
    }

    #[test]
    fn of_nobody_there_is_none() {
        assert_eq!(gap([]), 0.0);
    }
}
