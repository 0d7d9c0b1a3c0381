//! What a run found, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::law::Law;
use super::operation::{Kind, Pace};
use super::options::Options;
use super::round::Tally;

/// The report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How it was run.
    pub settings: Settings,
    /// How much was done.
    pub work: Work,
    /// How long each kind took.
    pub kinds: Vec<KindReport>,
    /// What became of each law.
    pub laws: Vec<LawReport>,
}

/// How it was run.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "they are the flags, see `Options`")]
pub struct Settings {
    pub threads: u32,
    pub users: u32,
    pub skew: String,
    pub seed: u64,
    pub pods: u32,
    pub clock: String,
    pub window: String,
    pub staleness: String,
    pub max_users: u32,
}

/// How much was done.
#[derive(Clone, Debug, Serialize)]
pub struct Work {
    /// Rounds, each followed by a check.
    pub rounds: u32,
    /// How long was operated, in seconds of real time.
    pub seconds: f64,
    /// How many windows passed meanwhile.
    pub windows: f64,
    /// Operations of all threads.
    pub operations: u64,
    /// Per second, of all threads together.
    pub operations_per_second: f64,
    /// Counts that had to be one number.
    pub exact_counts: u64,
    /// Counts that had to lie between two numbers.
    pub bounded_counts: u64,
}

/// One kind of operation. Latencies in nanoseconds, of a sample, the measuring itself included.
#[derive(Clone, Debug, Serialize)]
pub struct KindReport {
    /// Its name.
    pub kind: &'static str,
    /// How many there were.
    pub operations: u64,
    /// Per second, of all threads together.
    pub per_second: f64,
    /// The median.
    pub p50: u64,
    /// 9 of 10 took no longer.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// 999 of 1,000.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

/// One law.
#[derive(Clone, Debug, Serialize)]
pub struct LawReport {
    /// Its name.
    pub law: &'static str,
    /// What it says.
    pub sentence: &'static str,
    /// Whether it held.
    pub outcome: Outcome,
    /// How often it was checked.
    pub checked: u64,
    /// How often it did not hold.
    pub broken: u64,
    /// How it did not hold, the first time.
    pub example: Option<String>,
}

/// Whether a law held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Each time.
    Kept,
    /// Not each time.
    Broken,
    /// It was never checked: the window outlasts the run.
    Unchecked,
}

// === impl Report ===

impl Report {
    /// Of a run with these flags.
    #[must_use]
    pub fn new(settings: Settings, tally: &Tally, pace: &Pace) -> Self {
        let seconds = tally.operated.as_secs_f64();
        let per_second = |count: u64| (count as f64 / seconds.max(f64::MIN_POSITIVE)).round();
        let kinds = Kind::ALL.into_iter().map(|kind| {
            let of_kind = pace.of(kind);
            let quantile = |share| of_kind.latencies.value_at_quantile(share);
            KindReport {
                kind: kind.name(),
                operations: of_kind.count,
                per_second: per_second(of_kind.count),
                p50: quantile(0.5),
                p90: quantile(0.9),
                p99: quantile(0.99),
                p999: quantile(0.999),
                max: of_kind.latencies.max(),
            }
        });
        let laws = Law::ALL.into_iter().map(|law| {
            let verdict = tally.verdicts.of(law);
            LawReport {
                law: law.name(),
                sentence: law.sentence(),
                outcome: match (verdict.checked, verdict.broken) {
                    (0, _) => Outcome::Unchecked,
                    (_, 0) => Outcome::Kept,
                    _ => Outcome::Broken,
                },
                checked: verdict.checked,
                broken: verdict.broken,
                example: verdict.example.clone(),
            }
        });
        Self {
            settings,
            work: Work {
                rounds: tally.rounds,
                seconds,
                windows: tally.windows,
                operations: pace.operations(),
                operations_per_second: per_second(pace.operations()),
                exact_counts: tally.exact,
                bounded_counts: tally.bounded,
            },
            kinds: kinds.collect(),
            laws: laws.collect(),
        }
    }

    /// Whether every law that was checked held.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.laws.iter().all(|law| law.outcome != Outcome::Broken)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n", self.settings, self.work)?;
        let titles = ["operation", "number", "per second", "p50", "p90", "p99", "p99.9", "max"];
        let [kind, rest @ ..] = titles;
        write!(f, "{kind:<18}")?;
        rest.iter().try_for_each(|title| write!(f, "{title:>12}"))?;
        writeln!(f, "   (ns; a sample)")?;
        for kind in &self.kinds {
            let KindReport { operations, per_second, p50, p90, p99, p999, max, .. } = kind;
            write!(f, "{:<18}{operations:>12}{per_second:>12}", kind.kind)?;
            [p50, p90, p99, p999, max].iter().try_for_each(|value| write!(f, "{value:>12}"))?;
            writeln!(f)?;
        }
        writeln!(f)?;
        self.laws.iter().try_for_each(|law| writeln!(f, "{law}"))
    }
}

impl fmt::Display for LawReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Kept => "kept",
            Outcome::Broken => "BROKEN",
            Outcome::Unchecked => "not checked",
        };
        write!(f, "{outcome:<12}{}: {} ({} checks", self.law, self.sentence, self.checked)?;
        match self.outcome {
            Outcome::Broken => {
                let example = self.example.as_deref().unwrap_or_default();
                write!(f, ", {} broken)\n{:<12}first: {example}", self.broken, "")
            }
            Outcome::Kept => write!(f, ")"),
            Outcome::Unchecked => write!(f, ": the window outlasts the run)"),
        }
    }
}

// === impl Settings ===

impl Settings {
    /// From the flags, and the seed that was drawn if they name none.
    #[must_use]
    pub fn new(options: &Options, seed: u64, window: std::time::Duration) -> Self {
        Self {
            threads: options.threads,
            users: options.users,
            skew: options.skew.to_string(),
            seed,
            pods: options.pods,
            clock: options.clock.to_string(),
            window: humantime::format_duration(window).to_string(),
            staleness: humantime::format_duration(options.staleness).to_string(),
            max_users: options.max_users,
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, users, skew, seed, pods, clock, window, staleness, max_users } = self;
        write!(
            f,
            "{threads} threads, {users} users ({skew}), {pods} pods; {clock} clock, window {window}, \
             staleness {staleness}, at most {max_users} accounts; seed {seed}"
        )
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rounds,
            seconds,
            windows,
            operations,
            operations_per_second,
            exact_counts,
            bounded_counts,
        } = self;
        write!(
            f,
            "{operations} operations in {seconds:.1} s and {rounds} rounds: {operations_per_second} per second; \
             {windows:.1} windows passed\n\
             {exact_counts} counts compared exactly, {bounded_counts} with bounds"
        )
    }
}
