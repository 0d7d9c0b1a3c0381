//! Means, how far they are from each other, and whether that is more than the seeds are.

use serde::Serialize;

/// The mean of a few numbers, and their standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub mean: f64,
    pub deviation: f64,
}

/// How a policy differs from the first, pair by pair of the same seed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The mean of the differences.
    pub mean: f64,
    /// The half of their 95 % confidence interval.
    pub margin: f64,
    /// Whether 0 is outside it.
    pub exceeds_spread: bool,
}

/// The quantiles of Student's t at 97.5 %, for 1 to 30 degrees of freedom.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

// === impl Spread ===

impl Spread {
    /// Of these; the deviation is that of a sample, and 0 of one number.
    pub fn of(numbers: &[f64]) -> Self {
        let count = numbers.len() as f64;
        let mean = numbers.iter().sum::<f64>() / count;
        let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
        Self { mean, deviation: (squares / (count - 1.0).max(1.0)).sqrt() }
    }
}

// === impl Difference ===

impl Difference {
    /// From the first to the second, of as many seeds.
    pub fn between(first: &[f64], second: &[f64]) -> Self {
        let pairs: Vec<_> = first.iter().zip(second).map(|(first, second)| second - first).collect();
        let Spread { mean, deviation } = Spread::of(&pairs);
        // Beyond the table the last one errs on the side of no difference.
        let freedom = pairs.len().saturating_sub(1);
        let t = T.get(freedom.wrapping_sub(1).min(T.len() - 1)).copied().unwrap_or(f64::INFINITY);
        let margin = t * deviation / (pairs.len() as f64).sqrt();
        Self { mean, margin, exceeds_spread: mean.abs() > margin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_judged_by_its_pairs() {
        // Far apart from seed to seed, but always one more: sure.
        let (first, more) = ([10.0, 50.0, 90.0], [11.0, 51.1, 90.9]);
        assert!(Difference::between(&first, &more).exceeds_spread);
        // A larger difference on average, but now this way and now that.
        assert!(!Difference::between(&first, &[30.0, 30.0, 99.0]).exceeds_spread);
        let equal = Difference::between(&first, &first);
        assert_eq!(equal, Difference { mean: 0.0, margin: 0.0, exceeds_spread: false });
    }

    #[test]
    fn the_interval_is_that_of_the_tables() {
        // Mean 2, deviation 1, of 3: 4.303 / sqrt(3).
        let Difference { mean, margin, .. } = Difference::between(&[0.0; 3], &[1.0, 2.0, 3.0]);
        assert!((mean - 2.0).abs() < 1e-12 && (margin - 2.4843).abs() < 1e-3, "{margin}");
    }
}
