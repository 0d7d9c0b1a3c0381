//! What criterion measured last, as it left it on disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// A median and its 95 % interval: nanoseconds, or a ratio of such.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub point: f64,
    low: f64,
    high: f64,
}

/// By group and function.
#[derive(Debug)]
pub struct Estimates(BTreeMap<(String, String), Estimate>);

// === impl Estimates ===

impl Estimates {
    /// Reads `FOLDER/group/function/new/*.json`.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut estimates = BTreeMap::new();
        for group in folders(folder).context("nothing has been measured yet: cargo bench -p vtc-bench")? {
            for function in folders(&group)? {
                let new = function.join("new");
                if !new.is_dir() {
                    continue;
                }
                let (name, figures) =
                    (json(&new.join("benchmark.json"))?, json(&new.join("estimates.json"))?);
                let text = |field: &str| name[field].as_str().unwrap_or_default().to_owned();
                // Not the mean: a sample that somebody disturbed says nothing.
                let figure = &figures["median"];
                let interval = &figure["confidence_interval"];
                let number = |value: &Value| value.as_f64().context("an estimate that is no number");
                let estimate = Estimate {
                    point: number(&figure["point_estimate"])?,
                    low: number(&interval["lower_bound"])?,
                    high: number(&interval["upper_bound"])?,
                };
                estimates.insert((text("group_id"), text("function_id")), estimate);
            }
        }
        Ok(Self(estimates))
    }

    pub fn get(&self, group: &str, function: &str) -> Option<Estimate> {
        self.0.get(&(group.to_owned(), function.to_owned())).copied()
    }

    pub fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.keys().map(|(group, function)| (group.as_str(), function.as_str()))
    }
}

fn folders(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.is_dir()).collect())
}

fn json(file: &Path) -> Result<Value> {
    let reader = File::open(file).with_context(|| file.display().to_string())?;
    Ok(serde_json::from_reader(reader)?)
}

// === impl Estimate ===

impl Estimate {
    pub const fn exactly(number: f64) -> Self {
        Self { point: number, low: number, high: number }
    }

    pub fn times(self, other: Self) -> Self {
        Self { point: self.point * other.point, low: self.low * other.low, high: self.high * other.high }
    }

    /// The ratio; its interval reaches from one end of both to the other.
    pub fn over(self, other: Self) -> Self {
        Self { point: self.point / other.point, low: self.low / other.high, high: self.high / other.low }
    }

    /// As a time, in the unit in which it is easiest to read.
    pub fn nanos(self) -> String {
        let (unit, name) = match self.point {
            ..1e3 => (1.0, " ns"),
            ..1e6 => (1e3, " us"),
            _ => (1e6, " ms"),
        };
        self.digits(unit, name)
    }

    /// As a factor.
    pub fn factor(self) -> String {
        self.digits(1.0, " x")
    }

    /// Three digits and a name, and the interval if it is one.
    fn digits(self, unit: f64, name: &str) -> String {
        let point = self.point / unit;
        let decimals = match point {
            ..10.0 => 2,
            ..100.0 => 1,
            _ => 0,
        };
        let number = |number: f64| format!("{:.decimals$}", number / unit);
        if self.low == self.high {
            return format!("{}{name}", number(self.point));
        }
        format!("{}{name} ({} to {})", number(self.point), number(self.low), number(self.high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_as_uncertain_as_both_of_its_sides() {
        let (a, b) =
            (Estimate { point: 10.0, low: 8.0, high: 12.0 }, Estimate { point: 5.0, low: 4.0, high: 6.0 });
        assert_eq!(a.over(b), Estimate { point: 2.0, low: 8.0 / 6.0, high: 3.0 });
        assert_eq!(a.over(b).factor(), "2.00 x (1.33 to 3.00)");
    }

    #[test]
    fn a_time_has_three_digits_and_a_unit() {
        let shown = |nanos| Estimate::exactly(nanos).nanos();
        assert_eq!([9.876, 25.44, 999.0].map(shown), ["9.88 ns", "25.4 ns", "999 ns"]);
        assert_eq!([1500.0, 2e6, 3.456e9].map(shown), ["1.50 us", "2.00 ms", "3456 ms"]);
    }
}
