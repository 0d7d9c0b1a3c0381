//! Who got what in the last second, as a line of a table, and what has come of it all so far.

use std::fmt::Write as _;
use std::time::Duration;

/// Widths of the columns of the time, the first token and the failures.
const TIME: usize = 4;
const FIRST_TOKEN: usize = 13;
const FAILED: usize = 8;

/// Between these a user's column is as wide as the name, and two spaces before it.
const NAME: (usize, usize) = (6, 12);

/// What has arrived since the last line, and since the beginning.
#[derive(Debug)]
pub(super) struct Scoreboard {
    columns: Vec<Column>,
    /// How long the light users' first tokens took since the last line.
    first_tokens: Vec<Duration>,
    failed: u64,
    /// How long all first tokens took, by kind of user: some hundreds of kilobytes an hour.
    so_far: [Vec<Duration>; 2],
    /// When the last line was.
    last: Duration,
}

/// The two kinds of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Light,
    Whale,
}

#[derive(Debug)]
struct Column {
    name: String,
    width: usize,
    tokens: u64,
}

// === impl Scoreboard ===

impl Scoreboard {
    /// A board with a column for each user, in this order.
    pub(super) fn new(names: Vec<String>) -> Self {
        Self {
            columns: names.into_iter().map(Column::new).collect(),
            first_tokens: Vec::new(),
            failed: 0,
            so_far: Default::default(),
            last: Duration::ZERO,
        }
    }

    /// The user in column `user` has got `tokens` more. A column that is not there counts nowhere.
    pub(super) fn received(&mut self, user: usize, tokens: u64) {
        if let Some(column) = self.columns.get_mut(user) {
            column.tokens += tokens;
        }
    }

    /// Somebody has seen the first token of an answer, so long after asking.
    pub(super) fn first_token(&mut self, kind: Kind, after: Duration) {
        if kind == Kind::Light {
            self.first_tokens.push(after);
        }
        self.so_far[kind as usize].push(after);
    }

    /// A request of anybody came to nothing.
    pub(super) fn failed(&mut self) {
        self.failed += 1;
    }

    /// What the columns are, in two lines.
    pub(super) fn header(&self) -> String {
        let mut header = "tokens/s of each user; first token: the light users' median\n".to_owned();
        // Writing to a string cannot fail.
        let _ = write!(header, "{:>TIME$}", "s");
        for Column { name, width, .. } in &self.columns {
            let _ = write!(header, "{name:>width$.most$}", most = NAME.1);
        }
        let _ = write!(header, "{:>FIRST_TOKEN$}{:>FAILED$}", "first token", "failed");
        header
    }

    /// The line at the time `at` since the beginning; the next line counts from here.
    pub(super) fn row(&mut self, at: Duration) -> String {
        let seconds = at.saturating_sub(self.last).as_secs_f64();
        self.last = at;
        let mut row = format!("{:>TIME$}", at.as_secs());
        for Column { width, tokens, .. } in &mut self.columns {
            let tokens = std::mem::take(tokens);
            // Two lines at the same time: the later one has nothing to divide by.
            let rate = if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 };
            let _ = write!(row, "{rate:>width$.0}");
        }
        self.first_tokens.sort_unstable();
        let first_token = in_seconds(percentile(&self.first_tokens, 50));
        self.first_tokens.clear();
        let failed = std::mem::take(&mut self.failed);
        let _ = write!(row, "{first_token:>FIRST_TOKEN$}{failed:>FAILED$}");
        row
    }

    /// What has come of it since the beginning.
    pub(super) fn summary(&self) -> String {
        let mut summary = format!("{:12}{:>9}{:>9}{:>9}{:>9}", "first token", "answers", "p50", "p90", "p99");
        for (kind, waits) in ["light users", "whale"].into_iter().zip(&self.so_far) {
            let _ = write!(summary, "\n{kind:>12}{:>9}", waits.len());
            let mut waits = waits.clone();
            waits.sort_unstable();
            for percent in [50, 90, 99] {
                let _ = write!(summary, "{:>9}", in_seconds(percentile(&waits, percent)));
            }
        }
        summary
    }
}

/// The least value that so many percent do not exceed; nothing of nobody.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

fn in_seconds(wait: Option<Duration>) -> String {
    wait.map_or_else(|| "-".to_owned(), |wait| format!("{:.2} s", wait.as_secs_f64()))
}

// === impl Column ===

impl Column {
    fn new(name: String) -> Self {
        let width = name.chars().count().clamp(NAME.0, NAME.1) + 2;
        Self { name, width, tokens: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Scoreboard {
        Scoreboard::new(["whale", "alice", "bob"].map(str::to_owned).to_vec())
    }

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_line_tells_rates_the_median_wait_and_failures_under_their_titles() {
        let mut board = board();
        board.received(0, 400);
        board.received(0, 12);
        board.received(1, 33);
        for wait in [0.9, 0.1, 0.35] {
            board.first_token(Kind::Light, secs(wait));
        }
        board.failed();
        let table = format!("{}\n{}", board.header(), board.row(secs(1.0)));
        let expected = "\
tokens/s of each user; first token: the light users' median
   s   whale   alice     bob  first token  failed
   1     412      33       0       0.35 s       1";
        assert_eq!(table, expected);
    }

    #[test]
    fn the_summary_tells_of_all_first_tokens_by_kind() {
        let mut board = board();
        for i in 1..=100 {
            board.first_token(Kind::Light, secs(f64::from(i) / 100.0));
        }
        board.row(secs(1.0));
        let empty = "\
first token   answers      p50      p90      p99
 light users      100   0.50 s   0.90 s   0.99 s
       whale        0        -        -        -";
        assert_eq!(board.summary(), empty);
        board.first_token(Kind::Whale, secs(12.3));
        assert!(board.summary().ends_with("       whale        1  12.30 s  12.30 s  12.30 s"));
    }

    #[test]
    fn each_line_counts_from_the_line_before_and_per_second() {
        let mut board = board();
        board.received(2, 50);
        board.first_token(Kind::Light, secs(1.0));
        board.failed();
        board.row(secs(1.0));
        board.received(2, 50);
        let late = board.row(secs(3.0));
        assert_eq!(late, "   3       0       0      25            -       0");
        assert!(board.row(secs(3.0)).starts_with("   3       0       0       0"));
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let waits = [1.0, 2.0, 3.0, 4.0].map(secs);
        let found = [1, 25, 26, 50, 99, 100].map(|percent| percentile(&waits, percent));
        assert_eq!(found, [1.0, 1.0, 2.0, 2.0, 4.0, 4.0].map(secs).map(Some));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn long_names_are_cut_and_the_columns_stay_aligned() {
        let names = ["an-extraordinarily-long-name", "bob"];
        let mut board = Scoreboard::new(names.map(str::to_owned).to_vec());
        let header = board.header();
        let titles = header.lines().last().unwrap();
        assert!(titles.contains("  an-extraordi     bob"), "{titles}");
        assert_eq!(titles.len(), board.row(secs(9_999.0)).len());
    }

    #[test]
    fn the_table_of_the_demo_fits_in_100_columns() {
        let names = ["whale", "alice", "bob", "carol", "dave"];
        let mut board = Scoreboard::new(names.map(str::to_owned).to_vec());
        board.first_token(Kind::Light, secs(1_000.0));
        assert!(board.header().lines().all(|line| line.len() <= 100));
        assert!(board.row(secs(86_400.0)).len() <= 100);
    }
}
