//! `vtc-gateway whatif`: asks a running gateway, and lays its answer out.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::change::Change;
use crate::ask::{self, plain};
use crate::cli::WhatIfArgs;

/// The largest record takes some seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks the gateway, and prints what it reckons.
///
/// # Errors
/// What is asked is not allowed; the gateway cannot be reached, or wants a key, or has too little to say anything from.
pub async fn run(args: &WhatIfArgs) -> anyhow::Result<()> {
    let change = args.change()?;
    let query = serde_urlencoded::to_string(change.parts()).context("the question cannot be written")?;
    let answer = ask::json(&args.gateway, &format!("/v1/vtc/whatif?{query}"), PATIENCE).await?;
    if args.json {
        println!("{answer:#}");
    } else {
        print!("{}", laid_out(&answer));
    }
    Ok(())
}

/// The answer as a page of text.
#[must_use]
pub fn laid_out(answer: &Value) -> String {
    let users = answer["users"].as_array().map(Vec::as_slice).unwrap_or_default();
    let name = |user: &Value| plain(user["user"].as_str().unwrap_or_default());
    let width = users.iter().map(|user| name(user).chars().count()).max().unwrap_or_default().clamp(9, 32);
    let mut page = format!(
        "What if: {}\n\nTimes to the first token, in seconds:\n\n{:width$}  {:^19}  {:^17}  {:^17}  {:^17}\n{:width$}  {:>8} {:>10}",
        plain(answer["change"].as_str().unwrap_or_default()),
        "",
        "",
        "measured",
        "replayed as is",
        "with the change",
        "user",
        "requests",
        "weight",
    );
    (0..3).for_each(|_| page.push_str(&format!("  {:>8} {:>8}", "median", "p99")));
    page.push('\n');
    let weight = |user: &Value| {
        let [now, then] = [0, 1].map(|at| user["weights"][at].as_f64().unwrap_or_default());
        if now == then { format!("{now}") } else { format!("{now} -> {then}") }
    };
    let mut row = |name: String, weight: String, figures: &Value| {
        let requests = figures[0]["requests"].as_u64().unwrap_or_default();
        let _ = write!(page, "{:width$}  {requests:>8} {weight:>10}", cut(&name, width));
        for run in 0..3 {
            let [median, p99] = [0, 1].map(|at| time(&figures[run]["first_token"][at]));
            let _ = write!(page, "  {median:>8} {p99:>8}");
        }
        page.push('\n');
    };
    users.iter().for_each(|user| row(name(user), weight(user), &user["figures"]));
    row("all".to_owned(), String::new(), &answer["all"]);
    if let Some(more @ 1..) = answer["more_users"].as_u64() {
        let _ = writeln!(page, "All has {more} users more in it.");
    }
    page.push('\n');
    for word in answer["words"].as_array().into_iter().flatten() {
        let _ = writeln!(page, "{}", plain(word.as_str().unwrap_or_default()));
    }
    page
}

fn time(value: &Value) -> String {
    match value.as_f64() {
        None => "-".to_owned(),
        Some(time) if time < 10.0 => format!("{time:.3}"),
        Some(time) => format!("{time:.1}"),
    }
}

/// As much of it as there is room for.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

impl WhatIfArgs {
    /// What is asked.
    ///
    /// # Errors
    /// What is not allowed.
    pub fn change(&self) -> anyhow::Result<Change> {
        let once = [
            ("queue", &self.queue),
            ("policy", &self.policy),
            ("pods", &self.pods),
            ("minutes", &self.minutes),
            ("pool", &self.model),
        ];
        let once = once.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let weights = self.weights.iter().map(|weight| ("weight", weight.as_str()));
        Ok(Change::parse(once.chain(weights))?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_laid_out_with_the_three_beside_each_other() {
        let figures = |p99: f64| json!({ "requests": 40, "first_token": [0.25, p99] });
        let nothing = json!({ "requests": 40, "first_token": null });
        let answer = json!({
            "change": "with 1 pod more",
            "all": [figures(9.5), figures(10.5), figures(1.25)],
            "users": [
                { "user": "whale\u{1b}[2J", "weights": [1.0, 4.0], "figures": [figures(9.0), figures(8.0), nothing] },
            ],
            "more_users": 3,
            "words": ["40 requests came.", "It would be better."],
        });
        let page = laid_out(&answer);
        assert!(page.starts_with("What if: with 1 pod more\n\n"), "{page}");
        let line = |name: &str| {
            page.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!(
            line("whale[2J"),
            ["whale[2J", "40", "1", "->", "4", "0.250", "9.000", "0.250", "8.000", "-", "-"]
        );
        assert_eq!(line("all"), ["all", "40", "0.250", "9.500", "0.250", "10.5", "0.250", "1.250"]);
        assert!(
            page.contains("3 users more") && page.ends_with("40 requests came.\nIt would be better.\n"),
            "{page}"
        );
        let widths: Vec<_> = page.lines().skip(5).take(3).map(str::len).collect();
        assert!(
            widths.windows(2).all(|pair| pair[0] == pair[1]),
            "{widths:?}: columns stand below each other"
        );
    }
}
