//! An axis with its range: where a value lies, and which values are written beside it.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::plot::Axis;

/// An axis with its range.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    from: f64,
    to: f64,
    is_log: bool,
}

// === impl Scale ===

impl Scale {
    /// The axis, as far as these values go. What is not finite goes nowhere.
    pub fn new(axis: &Axis, values: impl Iterator<Item = f64>) -> Self {
        let all = values.chain(axis.from).chain(axis.to);
        let (from, to) = all
            .filter(|value| value.is_finite() && (!axis.is_log || *value > 0.0))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), value| (value.min(from), value.max(to)));
        let (from, to) = match from <= to {
            true => (from, to),
            // Nothing is there.
            false if axis.is_log => (1.0, 10.0),
            false => (0.0, 1.0),
        };
        if axis.is_log {
            // So wide that 1, 2 or 5 times a power of ten lies in it.
            let (from, to) = if to > from * 2.5 { (from, to) } else { (from / 1.6, to * 1.6) };
            return Self { from, to, is_log: true };
        }
        let to = if to > from { to } else { from + from.abs().max(1.0) };
        // An end that is asked for is where the picture ends; one that the data make is rounded.
        let step = step(to - from, 6);
        let to = if axis.to == Some(to) { to } else { (to / step).floor() * step + step };
        Self { from: (from / step).floor() * step, to, is_log: false }
    }

    /// Where it lies, from 0 to 1; what is beyond an end lies at that end.
    fn part(&self, value: f64) -> f64 {
        let part = if self.is_log {
            (value.max(f64::MIN_POSITIVE) / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        part.clamp(0.0, 1.0)
    }

    /// Round values, some six or so.
    fn ticks(&self) -> Vec<f64> {
        if !self.is_log {
            let step = step(self.to - self.from, 6);
            let (first, last) = ((self.from / step).ceil() as i64, (self.to / step + 1e-9).floor() as i64);
            return (first..=last).map(|number| number as f64 * step).collect();
        }
        let decades = self.to.log10() - self.from.log10();
        let factors: &[f64] = if decades > 4.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let (first, last) = (self.from.log10().floor() as i32, self.to.log10().ceil() as i32);
        let all = (first..=last).flat_map(|power| factors.iter().map(move |by| by * 10_f64.powi(power)));
        all.filter(|tick| (self.from * 0.999..=self.to * 1.001).contains(tick)).collect()
    }
}

/// 1, 2 or 5 times a power of ten, so that about `count` of them make the span.
fn step(span: f64, count: u32) -> f64 {
    let rough = span / f64::from(count);
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough * 0.8);
    factor.unwrap_or(10.0) * power
}

/// With as many decimals as a round value has, and commas between thousands.
pub fn number(value: f64) -> String {
    let decimals = (0..9).find(|decimals| {
        let scaled = value * 10_f64.powi(*decimals);
        (scaled - scaled.round()).abs() < 1e-6 * scaled.abs().max(1e-3)
    });
    let text = format!("{:.*}", decimals.unwrap_or(9) as usize, value.abs());
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{rest}")
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        limit.0 + (self.part(*value) * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Scale {
    fn format(value: &f64) -> String {
        number(*value)
    }

    fn format_ext(&self, value: &f64) -> String {
        number(*value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scale(axis: &Axis, values: &[f64]) -> Scale {
        Scale::new(axis, values.iter().copied())
    }

    proptest! {
        #[test]
        fn there_are_some_ticks_in_the_range_and_all_data_too(
            values in proptest::collection::vec(1e-3..1e7f64, 1..20),
            is_log in any::<bool>(),
        ) {
            let axis = if is_log { Axis::log("x") } else { Axis::linear("x") };
            let scale = scale(&axis, &values);
            let ticks = scale.ticks();
            prop_assert!((1..=14).contains(&ticks.len()), "{ticks:?} of {scale:?}");
            prop_assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]));
            for value in values.iter().chain(&ticks) {
                prop_assert!(*value >= scale.from * 0.99 && *value <= scale.to * 1.01, "{value} in {scale:?}");
            }
        }
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            scale(&Axis::linear("x").up_to(600.0), &[3.0]).ticks(),
            [0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0]
        );
        assert_eq!(scale(&Axis::log("x"), &[0.08, 12.0]).ticks(), [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]);
        assert_eq!(scale(&Axis::linear("x"), &[]).to, 1.2);
        assert!(!scale(&Axis::log("x"), &[7.0]).ticks().is_empty());
        assert_eq!(scale(&Axis::log("x"), &[-1.0, 0.0, 10.0, 100.0]).map(&0.0, (0, 50)), 0);
    }

    #[test]
    fn what_is_not_finite_makes_no_axis() {
        for value in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            for axis in [Axis::linear("x").up_to(value), Axis::log("x").up_to(value)] {
                let scale = scale(&axis, &[1.0, value, 100.0]);
                assert!((1..=14).contains(&scale.ticks().len()) && scale.to.is_finite(), "{scale:?}");
            }
        }
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        let texts = [0.0, 0.5, 40_000.0, 1_234_567.0, -1_500.0, 0.05, 100.0, 2.5].map(number);
        assert_eq!(texts, ["0", "0.5", "40,000", "1,234,567", "-1,500", "0.05", "100", "2.5"]);
    }
}
