//! How fair it is, as one number. Plain numbers in, a number out.

/// Jain's index of shares: `(sum x)^2 / (n * sum x^2)`. 1 if all are equal, `1/n` if one has everything; 1 of nobody, and
/// of those who all have nothing. Negative shares and what is no number count as 0.
///
/// O(n), in one pass.
///
/// ```
/// use vtc_core::jain_index;
///
/// assert_eq!(jain_index([100.0, 100.0]), 1.0);
/// assert_eq!(jain_index([100.0, 300.0]), 0.8);
/// // By weight: what counts is each one's share divided by its weight.
/// assert_eq!(jain_index([100.0 / 1.0, 300.0 / 3.0]), 1.0);
/// ```
///
/// Source: Jain, Chiu and Hawe, *A Quantitative Measure of Fairness and Discrimination*, DEC-TR-301, 1984.
#[must_use]
pub fn jain_index(shares: impl IntoIterator<Item = f64>) -> f64 {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for share in shares {
        // `max` gives the other operand for NaN.
        let share = share.max(0.0);
        n += 1.0;
        sum += share;
        squares += share * share;
    }
    if squares > 0.0 { sum * sum / (n * squares) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_between_one_nth_and_one_and_knows_no_scale(
            shares in proptest::collection::vec(0.0..1e9f64, 1..50),
            scale in 1e-3..1e3f64,
        ) {
            let index = jain_index(shares.iter().copied());
            prop_assert!(index <= 1.0 + 1e-9 && index >= 1.0 / shares.len() as f64 - 1e-9, "{index}");
            let scaled = jain_index(shares.iter().map(|share| share * scale));
            prop_assert!((index - scaled).abs() < 1e-9);
        }
    }

    #[test]
    fn the_extremes() {
        assert_eq!(jain_index([5.0; 8]), 1.0);
        assert_eq!(jain_index([3.0, 0.0, 0.0, 0.0]), 0.25);
        assert_eq!(jain_index([1.0, 3.0]), 0.8);
        assert_eq!(jain_index([0.0, 0.0]), 1.0);
        assert_eq!(jain_index([]), 1.0);
        assert_eq!(jain_index([f64::NAN, -1.0, 2.0]), 1.0 / 3.0);
    }
}
