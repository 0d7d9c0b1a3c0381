//! A run's figures as text.

use std::fmt;

use super::summary::RunSummary;
use super::times::Times;

/// So many clients are printed, the busiest first; the JSON has all.
const SHOWN: usize = 30;

/// Seconds, or a dash where there are none.
struct Seconds(Option<f64>);

// === impl RunSummary ===

/// The figures with their units, then the clients with the most service.
impl fmt::Display for RunSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "{name:<24}{value}");
        row("Max Diff", format!("{:>12.2}  weighted tokens/s", self.max_diff))?;
        row("Avg Diff", format!("{:>12.2}  weighted tokens/s", self.avg_diff))?;
        row("Diff Var", format!("{:>12.2}  (weighted tokens/s)^2", self.diff_var))?;
        row("  Avg while arriving", format!("{:>12.2}  weighted tokens/s", self.avg_diff_while_arriving))?;
        row("throughput", format!("{:>12.1}  tokens/s, input and output", self.tokens_per_s))?;
        let bound = self.gap.bound.map(|bound| format!("; 2U is {bound:.0}")).unwrap_or_default();
        row(
            "accumulated gap",
            format!("{:>12.0}  weighted tokens, at {:.0} s{bound}", self.gap.max, self.gap.at),
        )?;
        row("Jain's index", format!("{:>12.4}  of {} clients", self.jain, self.clients.len()))?;
        row("requests", format!("{:>12}  {} served, {} refused", self.requests, self.served, self.refused))?;
        row("length", format!("{:>12.3}  s", self.length_s))?;
        for (name, times) in [("first token", &self.first_token), ("latency", &self.latency)] {
            let [p50, p90, p99] = percentiles(times);
            row(name, format!("{:>12}  s (p50), {p90} (p90), {p99} (p99)", p50.to_string()))?;
        }

        let titles = ["client", "weight", "served", "refused", "service", "first token", "", "", "latency"];
        let [client, weight, served, refused, service, first, _, _, latency] = titles;
        writeln!(
            f,
            "\n{client:<16}{weight:>7}{served:>8}{refused:>8}{service:>12}{first:>14}{:>18}{latency:>10}",
            ""
        )?;
        let [p50, p90, p99] = ["p50 s", "p90", "p99"];
        writeln!(f, "{:<51}{p50:>14}{p90:>9}{p99:>9}{p50:>10}{p90:>9}{p99:>9}", "")?;
        for client in self.busiest().into_iter().take(SHOWN) {
            write!(
                f,
                "{:<16}{:>7}{:>8}{:>8}{:>12.0}",
                client.client, client.weight, client.served, client.refused, client.service
            )?;
            let [p50, p90, p99] = percentiles(&client.first_token).map(|time| time.to_string());
            write!(f, "{p50:>14}{p90:>9}{p99:>9}")?;
            let [p50, p90, p99] = percentiles(&client.latency).map(|time| time.to_string());
            writeln!(f, "{p50:>10}{p90:>9}{p99:>9}")?;
        }
        match self.clients.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "... and {more} more: the JSON has them"),
        }
    }
}

fn percentiles(times: &Times) -> [Seconds; 3] {
    [0.5, 0.9, 0.99].map(|fraction| Seconds(times.quantile(fraction)))
}

// === impl Seconds ===

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(seconds) => write!(f, "{seconds:.2}"),
            None => write!(f, "-"),
        }
    }
}
