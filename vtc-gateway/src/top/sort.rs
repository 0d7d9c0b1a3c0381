//! By what users are ordered.

use std::cmp::Ordering;

use super::frame::User;

/// By what users are ordered: the most first, names by the alphabet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// Weighted tokens per second of late.
    #[default]
    Service,
    /// Weighted tokens in the window.
    Window,
    /// The virtual counter.
    Counter,
    /// Requests that wait.
    Waiting,
    /// Requests that run.
    Running,
    /// The 99th percentile of the times to the first token.
    FirstToken,
    /// The name.
    Name,
}

impl Sort {
    /// All of them, in the order in which they are stepped through.
    pub(super) const ALL: [Self; 7] = [
        Self::Service,
        Self::Window,
        Self::Counter,
        Self::Waiting,
        Self::Running,
        Self::FirstToken,
        Self::Name,
    ];

    /// The next.
    pub(super) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|it| *it == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// The word for it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Window => "window",
            Self::Counter => "counter",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::FirstToken => "first token",
            Self::Name => "name",
        }
    }

    /// Which of two users is first. Whoever has no such number is last; equals are in the order of their names.
    pub(super) fn order(self, a: &User, b: &User) -> Ordering {
        let key = |user: &User| match self {
            Self::Service => Some(user.service),
            Self::Window => Some(user.tokens),
            Self::Counter => user.counter,
            Self::Waiting => Some(user.waiting as f64),
            Self::Running => Some(user.running as f64),
            Self::FirstToken => user.first_token.map(|[_, p99]| p99),
            Self::Name => Some(0.0),
        };
        let number = |user| key(user).unwrap_or(f64::NEG_INFINITY);
        number(b).total_cmp(&number(a)).then_with(|| a.user.cmp(&b.user))
    }
}
