//! What the counts were, in a file of the repository.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use super::row::Row;

/// A count for each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline(Vec<(Row, f64)>);

/// A row that was measured again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    row: Row,
    before: f64,
    now: f64,
}

/// What a count may rise by before the check fails.
const ALLOWED: f64 = 0.10;

// === impl Baseline ===

impl Baseline {
    /// These counts.
    #[must_use]
    pub fn new(counts: Vec<(Row, f64)>) -> Self {
        Self(counts)
    }

    /// Reads the file.
    ///
    /// # Errors
    /// It is not there, or does not say exactly one positive count for each row.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let read = || format!("cannot read {}", path.display());
        let text = fs::read_to_string(path).with_context(read)?;
        Self::parse(&text)
            .with_context(|| format!("in {}; `instructions renew` writes it anew", path.display()))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        fs::write(path, self.to_string()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut counts: BTreeMap<String, f64> = toml::from_str(text)?;
        let mut count = |row: Row| match counts.remove(row.name()) {
            Some(count) if count > 0.0 && count.is_finite() => Ok((row, count)),
            Some(count) => bail!("{:?} is {count}; give a number above 0", row.name()),
            None => bail!("{:?} is missing", row.name()),
        };
        let baseline = Row::ALL.into_iter().map(&mut count).collect::<anyhow::Result<_>>()?;
        match counts.into_keys().next() {
            Some(stranger) => bail!("{stranger:?} is no row"),
            None => Ok(Self(baseline)),
        }
    }

    /// The row's count then, beside its count now.
    #[must_use]
    pub fn compare(&self, row: Row, now: f64) -> Option<Comparison> {
        let (_, before) = self.0.iter().find(|(known, _)| *known == row)?;
        Some(Comparison { row, before: *before, now })
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rust = env!("CARGO_PKG_RUST_VERSION");
        writeln!(
            f,
            "# Instructions per operation, counted by callgrind with Rust {rust} in the quick profile: without the
# optimisation at linking, which takes up to a fifth off them."
        )?;
        writeln!(f, "# Check: cargo run --profile quick -p vtc-bench --bin instructions -- check")?;
        writeln!(f, "# Renew: cargo run --profile quick -p vtc-bench --bin instructions -- renew")?;
        self.0.iter().try_for_each(|(row, count)| writeln!(f, "{:?} = {count:.1}", row.name()))
    }
}

// === impl Comparison ===

impl Comparison {
    /// Whether the count rose by more than 10 %.
    #[must_use]
    pub fn is_regression(&self) -> bool {
        self.now > self.before * (1.0 + ALLOWED)
    }

    /// Whether it fell by as much: time to renew the baseline, or the next regression hides in the gap.
    #[must_use]
    pub fn is_improvement(&self) -> bool {
        self.now < self.before * (1.0 - ALLOWED)
    }

    /// The titles of what is printed of it.
    #[must_use]
    pub fn titles() -> String {
        let mut titles = String::new();
        // Writing into a text cannot fail.
        let _ = write!(
            titles,
            "{:<44}{:>10}{:>10}{:>10}",
            "instructions per operation", "baseline", "measured", "change"
        );
        titles
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = (self.now / self.before - 1.0) * 100.0;
        let verdict = match (self.is_regression(), self.is_improvement()) {
            (true, _) => "  REGRESSION: more than 10 %",
            (_, true) => "  better: renew the baseline",
            _ => "",
        };
        write!(f, "{:<44}{:>10.1}{:>10.1}{change:>+9.1}%{verdict}", self.row.name(), self.before, self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        Baseline::new(Row::ALL.into_iter().zip([50.0, 100.5, 200.0, 300.0, 20.0]).collect())
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(Baseline::parse(&baseline().to_string()).unwrap(), baseline());
    }

    #[test]
    fn a_file_that_is_not_right_is_refused() {
        let text = baseline().to_string();
        for (bad, said) in [
            (text.replace("50.0", "0.0"), "above 0"),
            (text.replace("50.0", "nan"), "above 0"),
            (text.replace("reading the extremes", "reading"), "is missing"),
            (format!("{text}other = 1.0\n"), "is no row"),
            (text.replace('=', ":"), "expected"),
        ] {
            let error = format!("{:#}", Baseline::parse(&bad).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn more_than_a_tenth_is_a_regression_and_less_is_not() {
        let compare = |now| baseline().compare(Row::ChargeByName, now).unwrap();
        for (now, is_regression, is_improvement) in [
            (100.5, false, false),
            (110.5, false, false),
            (110.6, true, false),
            (90.5, false, false),
            (90.4, false, true),
        ] {
            let comparison = compare(now);
            assert_eq!(comparison.is_regression(), is_regression, "{comparison}");
            assert_eq!(comparison.is_improvement(), is_improvement, "{comparison}");
        }
        assert!(compare(120.6).to_string().contains("+20.0%  REGRESSION"));
    }
}
