//! What is asked: another rule or two, and how far to look back.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use vtc_core::queue::{Weight, discipline};

use super::WhatIfError;

/// What is to be different, and on which requests it is tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Another discipline of the queue; `none` for no queue.
    pub queue: Option<String>,
    /// Another policy that chooses pods.
    pub policy: Option<String>,
    /// Other weights, by account.
    pub weights: BTreeMap<String, Weight>,
    /// Another number of pods.
    pub pods: Option<Pods>,
    /// How far to look back.
    pub span: Duration,
    /// Which pool; `None`: the one with the most requests.
    pub pool: Option<String>,
}

/// Another number of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pods {
    /// So many.
    Of(usize),
    /// So many more, or less.
    By(isize),
}

/// What stands for no queue.
pub(super) const NO_QUEUE: &str = "none";
/// How far is looked back if nothing else is said.
const SPAN: Duration = Duration::from_secs(300);
/// The longest time that is looked back.
const LONGEST: Duration = Duration::from_secs(3600);
/// The most pods.
pub(super) const MOST_PODS: usize = 1000;

// === impl Change ===

impl Change {
    /// A question from the parts of a query: `queue`, `policy`, `pods`, `minutes` and `pool` once each, `weight` as often as
    /// there are accounts, each `ACCOUNT=WEIGHT`. Parts without a value are as if they were not there.
    ///
    /// # Errors
    /// The first part that is not allowed, with what is.
    pub fn parse<'a>(parts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, WhatIfError> {
        let mut change = Self::default();
        for (name, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
            match name {
                "queue" => change.queue = Some(queue(value)?),
                "policy" => change.policy = Some(policy(value)?),
                "pods" => change.pods = Some(value.parse()?),
                "minutes" => change.span = minutes(value)?,
                "pool" => change.pool = Some(value.to_owned()),
                "weight" => {
                    let (account, weight) = weight(value)?;
                    change.weights.insert(account, weight);
                }
                _ => {
                    let allowed = "queue, policy, weight, pods, minutes or pool".to_owned();
                    return Err(WhatIfError::Wrong { param: "query", value: name.to_owned(), allowed });
                }
            }
        }
        Ok(change)
    }

    /// The parts that [`Change::parse`] reads.
    #[must_use]
    pub fn parts(&self) -> Vec<(&'static str, String)> {
        let weights = self.weights.iter();
        let weights = weights.map(|(account, weight)| ("weight", format!("{account}={}", weight.as_f64())));
        let others = [
            ("queue", self.queue.clone()),
            ("policy", self.policy.clone()),
            ("pods", self.pods.map(|pods| pods.to_string())),
            ("minutes", Some((self.span.as_secs_f64() / 60.0).to_string())),
            ("pool", self.pool.clone()),
        ];
        others.into_iter().filter_map(|(name, value)| Some((name, value?))).chain(weights).collect()
    }

    /// Whether nothing is to be different.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.queue.is_none() && self.policy.is_none() && self.weights.is_empty() && self.pods.is_none()
    }
}

impl Default for Change {
    /// No change, on the last five minutes.
    fn default() -> Self {
        Self { queue: None, policy: None, weights: BTreeMap::new(), pods: None, span: SPAN, pool: None }
    }
}

/// In words: what is different, as a condition.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.queue.as_ref().map(|queue| match queue.as_str() {
            NO_QUEUE => "without a queue".to_owned(),
            name => format!("with the queue {name}"),
        });
        let policy = self.policy.as_ref().map(|policy| format!("with the policy {policy}"));
        let weights = self.weights.iter();
        let weights =
            weights.map(|(account, weight)| format!("with weight {} for {account}", weight.as_f64()));
        let pods = self.pods.map(|pods| match pods {
            Pods::Of(1) => "with 1 pod".to_owned(),
            Pods::Of(pods) => format!("with {pods} pods"),
            Pods::By(more) => {
                let (count, s) = (more.unsigned_abs(), if more.unsigned_abs() == 1 { "" } else { "s" });
                format!("with {count} pod{s} {}", if more < 0 { "fewer" } else { "more" })
            }
        });
        let all: Vec<_> = queue.into_iter().chain(policy).chain(weights).chain(pods).collect();
        if all.is_empty() { f.write_str("with nothing changed") } else { f.write_str(&all.join(", ")) }
    }
}

fn queue(name: &str) -> Result<String, WhatIfError> {
    if name == NO_QUEUE || discipline::NAMES.contains(&name) {
        return Ok(name.to_owned());
    }
    let allowed = format!("{NO_QUEUE} or one of {}", discipline::NAMES.join(", "));
    Err(WhatIfError::Wrong { param: "queue", value: name.to_owned(), allowed })
}

fn policy(name: &str) -> Result<String, WhatIfError> {
    if vtc_core::policy::NAMES.contains(&name) {
        return Ok(name.to_owned());
    }
    let allowed = format!("one of {}", vtc_core::policy::NAMES.join(", "));
    Err(WhatIfError::Wrong { param: "policy", value: name.to_owned(), allowed })
}

fn minutes(value: &str) -> Result<Duration, WhatIfError> {
    let span = value.parse().ok().and_then(|minutes: f64| Duration::try_from_secs_f64(minutes * 60.0).ok());
    span.filter(|span| !span.is_zero() && *span <= LONGEST).ok_or_else(|| WhatIfError::Wrong {
        param: "minutes",
        value: value.to_owned(),
        allowed: format!("a number above 0, up to {}", LONGEST.as_secs() / 60),
    })
}

/// `ACCOUNT=WEIGHT`; the name may have the sign in it, too.
fn weight(value: &str) -> Result<(String, Weight), WhatIfError> {
    let parsed = value.rsplit_once('=').and_then(|(account, weight)| {
        let weight = Weight::new(weight.parse().ok()?).ok()?;
        (!account.is_empty()).then(|| (account.to_owned(), weight))
    });
    parsed.ok_or_else(|| WhatIfError::Wrong {
        param: "weight",
        value: value.to_owned(),
        allowed: "ACCOUNT=WEIGHT, with a weight from 0.001 to 1000".to_owned(),
    })
}

// === impl Pods ===

impl Pods {
    /// How many there would be where there are `now`, at least 1 and at most 1,000.
    #[must_use]
    pub fn of(self, now: usize) -> usize {
        let pods = match self {
            Self::Of(pods) => pods,
            Self::By(more) => now.saturating_add_signed(more),
        };
        pods.clamp(1, MOST_PODS)
    }
}

impl std::str::FromStr for Pods {
    type Err = WhatIfError;

    /// `N`, `+N` or `-N`.
    fn from_str(text: &str) -> Result<Self, WhatIfError> {
        let pods = if text.starts_with(['+', '-']) {
            text.parse().ok().filter(|more: &isize| more.unsigned_abs() <= MOST_PODS).map(Self::By)
        } else {
            text.parse().ok().filter(|pods| (1..=MOST_PODS).contains(pods)).map(Self::Of)
        };
        pods.ok_or_else(|| WhatIfError::Wrong {
            param: "pods",
            value: text.to_owned(),
            allowed: format!("N, +N or -N, with a whole number up to {MOST_PODS}"),
        })
    }
}

impl fmt::Display for Pods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(pods) => write!(f, "{pods}"),
            Self::By(more) => write!(f, "{more:+}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn changes() -> impl Strategy<Value = Change> {
        let queue = proptest::option::of(proptest::sample::select(vec!["none", "fcfs", "vtc-fair", "drr"]));
        let policy = proptest::option::of(proptest::sample::select(vec!["random", "vtc-basic"]));
        let pods = prop_oneof![(1..1001_usize).prop_map(Pods::Of), (-1000..1001_isize).prop_map(Pods::By)];
        let weight =
            (1..1_000_000_u32).prop_map(|thousandths| Weight::new(f64::from(thousandths) / 1000.0).unwrap());
        let weights = proptest::collection::btree_map("[a-z =]{1,4}", weight, 0..3);
        let pool = proptest::option::of("[a-z/=&]{1,9}");
        (queue, policy, weights, proptest::option::of(pods), 1..120_u64, pool).prop_map(
            |(queue, policy, weights, pods, halves, pool)| Change {
                queue: queue.map(str::to_owned),
                policy: policy.map(str::to_owned),
                weights,
                pods,
                span: Duration::from_secs(30 * halves),
                pool,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_asked_is_what_is_read(change in changes()) {
            let parts = change.parts();
            let read = Change::parse(parts.iter().map(|(name, value)| (*name, value.as_str())));
            prop_assert_eq!(read, Ok(change));
        }
    }

    #[test]
    fn what_is_not_allowed_is_named_with_what_is() {
        for (name, value, allowed) in [
            ("queue", "vtc", "vtc-fair"),
            ("policy", "nearest", "least-request"),
            ("pods", "0", "up to 1000"),
            ("pods", "+1001", "up to 1000"),
            ("pods", "two", "+N"),
            ("minutes", "0", "above 0"),
            ("minutes", "61", "up to 60"),
            ("minutes", "NaN", "up to 60"),
            ("weight", "alice", "ACCOUNT=WEIGHT"),
            ("weight", "=2", "ACCOUNT=WEIGHT"),
            ("weight", "alice=0", "0.001"),
            ("weights", "alice=1", "weight"),
        ] {
            let error = Change::parse([(name, value)]).unwrap_err().to_string();
            assert!(
                error.contains(allowed) && error.contains(value.split('=').next().unwrap())
                    || name == "weights",
                "{error}"
            );
        }
        assert!(Change::parse([("queue", ""), ("pods", "")]).unwrap().is_none());
    }

    #[test]
    fn fewer_pods_are_at_least_one() {
        assert_eq!(
            [Pods::Of(7), Pods::By(2), Pods::By(-2), Pods::By(-9)].map(|pods| pods.of(3)),
            [7, 5, 1, 1]
        );
    }

    #[test]
    fn it_is_told_as_a_condition() {
        let change = Change::parse([("queue", "fcfs"), ("weight", "alice=4"), ("pods", "-1")]).unwrap();
        assert_eq!(change.to_string(), "with the queue fcfs, with weight 4 for alice, with 1 pod fewer");
        assert_eq!(Change::default().to_string(), "with nothing changed");
    }
}
