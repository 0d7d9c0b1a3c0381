//! Who got what in the last second, as a line of a table.

use std::fmt::Write as _;
use std::time::Duration;

/// Widths of the columns of the time, the first token and the failures.
const TIME: usize = 4;
const FIRST_TOKEN: usize = 13;
const FAILED: usize = 8;

/// Between these a user's column is as wide as the name, and two spaces before it.
const NAME: (usize, usize) = (6, 12);

/// What has arrived since the last line.
#[derive(Debug)]
pub(super) struct Scoreboard {
    columns: Vec<Column>,
    /// How long each first token took that arrived.
    first_tokens: Vec<Duration>,
    failed: u64,
    /// When the last line was.
    last: Duration,
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
            last: Duration::ZERO,
        }
    }

    /// The user in column `user` has got `tokens` more. A column that is not there counts nowhere.
    pub(super) fn received(&mut self, user: usize, tokens: u64) {
        if let Some(column) = self.columns.get_mut(user) {
            column.tokens += tokens;
        }
    }

    /// A light user has seen the first token of an answer, so long after asking.
    pub(super) fn first_token(&mut self, after: Duration) {
        self.first_tokens.push(after);
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
        let first_token = match median(&mut self.first_tokens) {
            Some(wait) => format!("{:.2} s", wait.as_secs_f64()),
            None => "-".to_owned(),
        };
        let failed = std::mem::take(&mut self.failed);
        let _ = write!(row, "{first_token:>FIRST_TOKEN$}{failed:>FAILED$}");
        row
    }
}

/// The median, the lower of two in the middle; the list is empty afterwards.
fn median(values: &mut Vec<Duration>) -> Option<Duration> {
    values.sort_unstable();
    let median = values.get(values.len().saturating_sub(1) / 2).copied();
    values.clear();
    median
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
            board.first_token(secs(wait));
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
    fn each_line_counts_from_the_line_before_and_per_second() {
        let mut board = board();
        board.received(2, 50);
        board.first_token(secs(1.0));
        board.failed();
        board.row(secs(1.0));
        board.received(2, 50);
        let late = board.row(secs(3.0));
        assert_eq!(late, "   3       0       0      25            -       0");
        assert!(board.row(secs(3.0)).starts_with("   3       0       0       0"));
    }

    #[test]
    fn of_an_even_number_of_waits_the_lower_middle_one_is_the_median() {
        let mut waits = vec![secs(4.0), secs(1.0), secs(3.0), secs(2.0)];
        assert_eq!(median(&mut waits), Some(secs(2.0)));
        assert_eq!(median(&mut waits), None);
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
        board.first_token(secs(1_000.0));
        assert!(board.header().lines().all(|line| line.len() <= 100));
        assert!(board.row(secs(86_400.0)).len() <= 100);
    }
}
