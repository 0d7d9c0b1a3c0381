//! What became of all requests, and what each user must have been charged.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use anyhow::ensure;

use crate::client::Outcome;
use crate::plan::Plan;

/// The book of a run.
#[derive(Debug, Default)]
pub struct Account {
    asked: Cell<u64>,
    /// By user, in weighted tokens.
    due: RefCell<BTreeMap<u64, u64>>,
    /// By the name of the course: completed, cut off, refused by status.
    courses: RefCell<BTreeMap<&'static str, Row>>,
    wrong: RefCell<Vec<String>>,
}

#[derive(Debug, Default)]
struct Row {
    completed: u64,
    cut_off: u64,
    refused: BTreeMap<u16, u64>,
}

/// So many wrong outcomes are told.
const TOLD: usize = 10;

// === impl Account ===

impl Account {
    /// How many requests were begun.
    pub fn asked(&self) -> u64 {
        self.asked.get()
    }

    /// The number of a new one.
    pub fn next(&self) -> u64 {
        self.asked.set(self.asked.get() + 1);
        self.asked.get()
    }

    /// A request has ended.
    pub fn enter(&self, user: u64, plan: &Plan, outcome: Outcome) {
        let mut courses = self.courses.borrow_mut();
        let row = courses.entry(plan.course.name()).or_default();
        let cost = match outcome {
            Outcome::Completed { cost } => {
                row.completed += 1;
                cost
            }
            Outcome::CutOff { cost } => {
                row.cut_off += 1;
                cost
            }
            Outcome::Refused { status } => {
                *row.refused.entry(status).or_default() += 1;
                0
            }
            Outcome::Wrong(what) => {
                self.wrong.borrow_mut().push(format!("{}: {what}", plan.course.name()));
                0
            }
        };
        *self.due.borrow_mut().entry(user).or_default() += cost;
    }

    /// Holds what users were charged against what is due.
    ///
    /// # Errors
    /// The users who differ, and what was wrong.
    pub fn compare(&self, charged: &BTreeMap<String, f64>) -> anyhow::Result<()> {
        let wrong = self.wrong.borrow();
        ensure!(wrong.is_empty(), "{} wrong: {:#?}", wrong.len(), &wrong[..wrong.len().min(TOLD)]);
        let due = self.due.borrow();
        let differences: Vec<_> = due
            .iter()
            .map(|(user, due)| {
                (user, *due as f64, charged.get(&format!("user-{user}")).copied().unwrap_or(0.0))
            })
            .filter(|(_, due, charged)| due != charged)
            .collect();
        let strangers = charged.keys().filter(|user| !user.starts_with("user-")).count();
        ensure!(strangers == 0, "{strangers} users who never asked were charged");
        ensure!(differences.is_empty(), "(user, due, charged) differ: {differences:?}");
        let (due, charged) = (due.values().sum::<u64>(), charged.values().sum::<f64>());
        println!("tokens due {due}, charged {charged}");
        Ok(())
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<22}{:>10}{:>10}  refused, by status", "course", "completed", "cut off")?;
        for (name, row) in self.courses.borrow().iter() {
            let refused: Vec<_> =
                row.refused.iter().map(|(status, count)| format!("{status}: {count}")).collect();
            writeln!(f, "{name:<22}{:>10}{:>10}  {}", row.completed, row.cut_off, refused.join(", "))?;
        }
        writeln!(f, "{} requests, {} of them with a wrong end", self.asked(), self.wrong.borrow().len())
    }
}
