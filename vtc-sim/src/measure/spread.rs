//! Service over time: an amount, spread evenly over a span.

/// An amount of service, spread evenly over a span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// When it begins, in seconds.
    pub from: f64,
    /// When it ends, in seconds; where that is not later, all comes at once as it begins.
    pub to: f64,
    /// How much, in weighted tokens.
    pub amount: f64,
}

// === impl Spread ===

impl Spread {
    /// What lies in `[from, to)`.
    pub fn within(&self, from: f64, to: f64) -> f64 {
        if self.to > self.from {
            let common = self.to.min(to) - self.from.max(from);
            self.amount * common.max(0.0) / (self.to - self.from)
        } else if (from..to).contains(&self.from) {
            self.amount
        } else {
            0.0
        }
    }

    /// Adds it to bins of that width, the first from 0 on; what lies beyond the last of `count` is left out. The bins
    /// grow to the last one that is needed.
    pub fn add_to(&self, bins: &mut Vec<f64>, width: f64, count: usize) {
        let bin = |moment: f64| (moment / width).max(0.0) as usize;
        // One more at either side, as the division may be off by a rounding.
        let first = bin(self.from).saturating_sub(1);
        let last = bin(self.to.max(self.from)).saturating_add(2).min(count);
        for bin in first..last {
            let (from, to) = (bin as f64 * width, (bin + 1) as f64 * width);
            let amount = self.within(from, to);
            if amount != 0.0 {
                if bins.len() <= bin {
                    bins.resize(bin + 1, 0.0);
                }
                bins[bin] += amount;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_is_lost_between_adjacent_spans(
            from in 0.0..100.0f64, length in 0.0..50.0f64, width in 0.1..20.0f64,
        ) {
            let spread = Spread { from, to: from + length, amount: 1000.0 };
            let mut bins = Vec::new();
            spread.add_to(&mut bins, width, 1_000_000);
            prop_assert!((bins.iter().sum::<f64>() - 1000.0).abs() < 1e-6);
            for (bin, amount) in bins.iter().enumerate() {
                let within = spread.within(bin as f64 * width, (bin + 1) as f64 * width);
                prop_assert_eq!(*amount, within);
            }
        }
    }

    #[test]
    fn what_comes_at_once_is_in_one_span_and_what_is_beyond_the_last_in_none() {
        let at_once = Spread { from: 2.0, to: 2.0, amount: 7.0 };
        assert_eq!((at_once.within(1.0, 2.0), at_once.within(2.0, 3.0)), (0.0, 7.0));
        let mut bins = Vec::new();
        Spread { from: 1.0, to: 5.0, amount: 4.0 }.add_to(&mut bins, 1.0, 3);
        assert_eq!(bins, [0.0, 1.0, 1.0]);
        at_once.add_to(&mut bins, 1.0, 2);
        assert_eq!(bins, [0.0, 1.0, 1.0]);
    }
}
