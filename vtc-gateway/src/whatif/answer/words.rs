//! An answer in sentences.

use super::{Agreement, Answer, Figures, HUNDRED, UserAnswer, apart};
use crate::whatif::change::Change;
use crate::whatif::rules::Rules;

/// Of so many users a sentence is said.
const SAID: usize = 3;

/// All that is worth saying.
pub(super) fn of(answer: &Answer, change: &Change, rules: &Rules) -> Vec<String> {
    let [measured, replayed, changed] = &answer.all;
    let mut words = vec![format!(
        "{} requests of {} to {} came in the last {}.",
        measured.requests,
        counted(answer.users.len() + answer.more_users, "user"),
        answer.pool,
        seconds(answer.span)
    )];
    if answer.is_cut {
        words.push(
            "The record does not reach back further: record.arrivals says how many it keeps.".to_owned(),
        );
    }
    if answer.lost > 0 {
        words.push(format!(
            "{} more are left out: their clients left before their turn, or no pod could answer.",
            answer.lost
        ));
    }
    if answer.of_other_pools > 0 {
        words.push(format!(
            "{} requests to other models are left out, also where they run on the same pods.",
            answer.of_other_pools
        ));
    }
    if rules.are_uneven() {
        words.push("The pods are given different amounts; the replay gives each the mean.".to_owned());
    }
    let shown = |of: &Figures| of.first_token.map_or(["-".to_owned(), "-".to_owned()], |it| it.map(seconds));
    let ([m50, m99], [r50, r99]) = (shown(measured), shown(replayed));
    let trust = match answer.agreement {
        Agreement { off: Some(off), is_close: true } => {
            format!("so take what follows as good to {:.0} %", (off * 100.0).ceil())
        }
        _ => "the two are so far apart that what follows is a direction at most".to_owned(),
    };
    words.push(format!(
        "Replayed as it was, the median first token comes after {r50} and the 99th percentile after {r99}; measured were {m50} \
         and {m99}: {trust}."
    ));
    if change.is_none() {
        return words;
    }
    let [_, c99] = shown(changed);
    let condition = &answer.change;
    words.push(format!(
        "{}, the p99 first token of all would be {c99} instead of {r99}{}.",
        capital(condition),
        refusals(replayed, changed)
    ));
    let mut moved: Vec<_> = answer.users.iter().filter_map(|user| Some((step(user)?, user))).collect();
    moved.sort_by(|a, b| b.0.total_cmp(&a.0));
    if moved.is_empty() {
        words.push("Nobody's p99 first token would change by a tenth.".to_owned());
    }
    for (_, user) in moved.into_iter().take(SAID) {
        let [[_, m99], [_, r99], [_, c99]] = [0, 1, 2].map(|run| shown(&user.figures[run]));
        let count = user.figures[0].requests;
        let few = if count < HUNDRED { format!(" (the slowest of {count})") } else { String::new() };
        words.push(format!(
            "{}'s p99 first token{few} would be {c99} instead of {r99} (measured: {m99}).",
            user.user
        ));
    }
    words
}

/// By how much a user's 99th percentile changes: the ratio, as it grows or shrinks.
fn step(user: &UserAnswer) -> Option<f64> {
    let [_, replayed] = user.figures[1].first_token?;
    let [_, changed] = user.figures[2].first_token?;
    // What moves by less than a tenth does not move.
    Some(apart(replayed, changed)).filter(|step| *step >= 0.1)
}

fn refusals(replayed: &Figures, changed: &Figures) -> String {
    match (replayed.refused, changed.refused) {
        (0, 0) => String::new(),
        (before, after) => format!(", and {after} requests would be turned away instead of {before}"),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A time for reading: two or three digits of it.
fn seconds(time: f64) -> String {
    match time {
        _ if time < 0.1 => format!("{time:.3} s"),
        _ if time < 10.0 => format!("{time:.2} s"),
        _ => format!("{time:.1} s"),
    }
}
