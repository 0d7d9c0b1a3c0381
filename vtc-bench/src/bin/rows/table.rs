//! Which benchmark is which row, beside what, and to what end.

use std::fmt;

use crate::estimates::Estimate;

/// The rows of one regime, and the command that measures them.
pub struct Table {
    pub title: &'static str,
    pub command: &'static str,
    pub rows: &'static [Row],
}

/// One benchmark.
pub struct Row {
    pub group: &'static str,
    pub function: &'static str,
    /// The function of the same group with which it is compared; or nothing.
    pub beside: &'static str,
    pub goal: Goal,
}

/// What is wanted.
#[derive(Clone, Copy)]
pub enum Goal {
    /// Nothing: the figure is there to be known.
    None,
    /// At most so many nanoseconds.
    Under(f64),
    /// At most so many times the time of what stands beside it.
    Within(f64),
    /// At least so many times as fast as what stands beside it.
    AsFast(f64),
    /// At least so many times as fast as AIBrix's own code, which took so many nanoseconds on another machine.
    Go { times: f64, nanos: f64 },
}

/// What the machine can at best: the other machine's figures are scaled by it.
pub const FLOOR: (&str, &str) = ("charge through a handle", "floor");
/// The floor of the machine on which AIBrix's own code was measured, in nanoseconds.
pub const FLOOR_THERE: f64 = 13.0;

// === impl Goal ===

impl Goal {
    /// What a ratio means.
    pub fn unit(self) -> &'static str {
        if matches!(self, Self::Within(_)) { "the time" } else { "as fast" }
    }

    /// Whether it is reached.
    pub fn verdict(self, figure: Estimate, ratio: Option<Estimate>) -> &'static str {
        let is_reached = match self {
            Self::None => return "",
            Self::Under(nanos) => Some(figure.point <= nanos),
            Self::Within(times) => ratio.map(|ratio| ratio.point <= times),
            Self::AsFast(times) | Self::Go { times, .. } => ratio.map(|ratio| ratio.point >= times),
        };
        match is_reached {
            None => "not measured",
            Some(true) => "reached",
            Some(false) => "missed",
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Under(nanos) => write!(f, "under {}", Estimate::exactly(*nanos).nanos()),
            Self::Within(times) => write!(f, "within {times} x"),
            Self::AsFast(times) => write!(f, "{times} x as fast"),
            Self::Go { times, .. } => write!(f, "{times} x AIBrix's Go"),
        }
    }
}

// === The tables ===

const fn row(group: &'static str, function: &'static str, beside: &'static str, goal: Goal) -> Row {
    Row { group, function, beside, goal }
}

/// Every table, in order.
pub const TABLES: &[Table] = &[
    Table {
        title: "Charging, one thread",
        command: "cargo bench -p vtc-bench --bench core -- charge",
        rows: &[
            row("charge through a handle", "vtc-core", "floor", Goal::Within(2.0)),
            row("charge by name, 1,000 users", "vtc-core", "", Goal::Go { times: 20.0, nanos: 610.0 }),
            row("charge by name, 1,000 users", "vtc-core", "aibrix", Goal::None),
            row("charge by name, 1,000 users", "vtc-core", "governor", Goal::None),
            row("charge by name, 1,000 users", "vtc-core", "papaya", Goal::None),
            row("charge by name, 1,000 users", "vtc-core, each in a new bucket", "", Goal::None),
            row("charge by name, 100,000 users", "vtc-core", "", Goal::Go { times: 25.0, nanos: 2400.0 }),
            row("charge by name, 100,000 users", "vtc-core", "aibrix", Goal::None),
            row("charge by name, 100,000 users", "vtc-core", "governor", Goal::None),
            row("charge by name, 100,000 users", "vtc-core", "papaya", Goal::None),
            row("charge by name, 100,000 users", "vtc-core, each in a new bucket", "", Goal::None),
            row("charge by name, 1,000,000 users", "vtc-core", "", Goal::Under(300.0)),
            row("charge by name, 1,000,000 users", "vtc-core", "aibrix", Goal::None),
            row("charge by name, 1,000,000 users", "vtc-core", "governor", Goal::None),
            row("charge by name, 1,000,000 users", "vtc-core", "papaya", Goal::None),
            row("charge by name, 1,000,000 users", "vtc-core, each in a new bucket", "", Goal::None),
        ],
    },
    Table {
        title: "Reading a count, one thread",
        command: "cargo bench -p vtc-bench --bench core -- count",
        rows: &[
            row("count by name, 1,000 users", "vtc-core", "aibrix", Goal::None),
            row("count by name, 1,000 users", "vtc-core", "papaya", Goal::None),
            row("count by name, 100,000 users", "vtc-core", "aibrix", Goal::None),
            row("count by name, 100,000 users", "vtc-core", "papaya", Goal::None),
            row("count by name, 1,000,000 users", "vtc-core", "aibrix", Goal::None),
            row("count by name, 1,000,000 users", "vtc-core", "papaya", Goal::None),
        ],
    },
    Table {
        title: "Routing, one thread",
        command: "cargo bench -p vtc-bench --bench core -- route",
        rows: &[
            row("route over 8 pods, 1,000 users", "vtc-core", "", Goal::Go { times: 25.0, nanos: 1700.0 }),
            row("route over 8 pods, 1,000 users", "vtc-core", "aibrix", Goal::None),
            row("route over 8 pods, 1,000 users", "vtc-core", "vtc-core, full scan", Goal::None),
            row("route over 8 pods, 1,000 users", "vtc-core, route and settle", "", Goal::None),
            row("route over 8 pods, 100,000 users", "vtc-core", "", Goal::Go { times: 25.0, nanos: 3400.0 }),
            row("route over 8 pods, 100,000 users", "vtc-core", "aibrix", Goal::None),
            row("route over 8 pods, 100,000 users", "vtc-core", "vtc-core, full scan", Goal::None),
            row("route over 8 pods, 100,000 users", "vtc-core, route and settle", "", Goal::None),
            row(
                "route over 512 and over 8,000 pods",
                "vtc-core, 64 pods",
                "vtc-core, 8 pods",
                Goal::Within(1.2),
            ),
            row(
                "route over 512 and over 8,000 pods",
                "vtc-core, 512 pods",
                "vtc-core, 8 pods",
                Goal::Within(1.2),
            ),
            row(
                "route over 512 and over 8,000 pods",
                "vtc-core, 8,000 pods",
                "vtc-core, 8 pods",
                Goal::Within(1.2),
            ),
            row(
                "route over 512 and over 8,000 pods",
                "vtc-core, 512 pods",
                "",
                Goal::Go { times: 300.0, nanos: 22_000.0 },
            ),
            row("route over 512 and over 8,000 pods", "vtc-core, 8 pods", "aibrix, 8 pods", Goal::None),
            row(
                "route over 512 and over 8,000 pods",
                "vtc-core, 8 pods",
                "vtc-core, full scan, 8 pods",
                Goal::None,
            ),
            row("route over 512 and over 8,000 pods", "vtc-core, 64 pods", "aibrix, 64 pods", Goal::None),
            row(
                "route over 512 and over 8,000 pods",
                "vtc-core, 64 pods",
                "vtc-core, full scan, 64 pods",
                Goal::None,
            ),
            row("route over 512 and over 8,000 pods", "vtc-core, 512 pods", "aibrix, 512 pods", Goal::None),
            row(
                "route over 512 and over 8,000 pods",
                "vtc-core, 512 pods",
                "vtc-core, full scan, 512 pods",
                Goal::None,
            ),
            row(
                "route over 512 and over 8,000 pods",
                "vtc-core, 8,000 pods",
                "aibrix, 8,000 pods",
                Goal::None,
            ),
            row(
                "route over 512 and over 8,000 pods",
                "vtc-core, 8,000 pods",
                "vtc-core, full scan, 8,000 pods",
                Goal::None,
            ),
        ],
    },
    Table {
        title: "Several threads",
        command: "cargo bench -p vtc-bench --bench core -- threads",
        rows: &[
            row(
                "two threads on distinct users",
                "by handle, 2 threads",
                "by handle, 1 thread",
                Goal::AsFast(1.8),
            ),
            row(
                "two threads on distinct users",
                "by name, 2 threads",
                "by name, 1 thread",
                Goal::AsFast(1.8),
            ),
            row("one hot user from many threads", "by handle, 2 threads", "by handle, 1 thread", Goal::None),
            row("one hot user from many threads", "by handle, 4 threads", "by handle, 1 thread", Goal::None),
            row("one hot user from many threads", "by name, 2 threads", "by name, 1 thread", Goal::None),
            row("one hot user from many threads", "by name, 4 threads", "by name, 1 thread", Goal::None),
        ],
    },
    Table {
        title: "The extremes",
        command: "cargo bench -p vtc-bench --bench core -- extremes",
        rows: &[
            row("reading the extremes", "at rest", "", Goal::Under(10.0)),
            row("reading the extremes", "refreshed each 10 ms", "", Goal::Under(10.0)),
            row("reading the extremes", "refreshed each 1 ms", "", Goal::Under(10.0)),
            row("reading the extremes", "refreshed each 100 us", "", Goal::Under(10.0)),
            row("reading the extremes", "refreshed without a pause", "", Goal::Under(10.0)),
            row("reading the extremes", "at rest, checked for their age", "", Goal::None),
            row("refreshing the extremes, 1,000,000 users", "none changed", "", Goal::None),
            row("refreshing the extremes, 1,000,000 users", "1 % changed", "", Goal::Under(1e6)),
            row("refreshing the extremes, 1,000,000 users", "1 % changed and 1 % expired", "", Goal::None),
            row("refreshing the extremes, 1,000,000 users", "all changed", "", Goal::Under(30e6)),
        ],
    },
    Table {
        title: "The actor",
        command: "cargo bench -p vtc-bench --bench actor",
        rows: &[
            row(
                "message round trip over the actor, one thread",
                "GetTokenCount, handle",
                "empty message",
                Goal::Within(1.3),
            ),
            row(
                "message round trip over the actor, one thread",
                "GetTokenCount, address",
                "empty message",
                Goal::Within(1.3),
            ),
            row(
                "message round trip over the actor, one thread",
                "GetTokenCount, batch of 64, each",
                "",
                Goal::Under(150.0),
            ),
            row(
                "message round trip over the actor, one thread",
                "GetTokenCount, direct call",
                "empty message",
                Goal::None,
            ),
            row(
                "message round trip over the actor, one thread",
                "Update, handle",
                "empty message",
                Goal::Within(1.3),
            ),
            row(
                "message round trip over the actor, one thread",
                "Update, address",
                "empty message",
                Goal::Within(1.3),
            ),
            row(
                "message round trip over the actor, one thread",
                "Update, batch of 64, each",
                "",
                Goal::Under(150.0),
            ),
            row(
                "message round trip over the actor, one thread",
                "Update, direct call",
                "empty message",
                Goal::None,
            ),
            row(
                "message round trip over the actor, one thread",
                "Route, handle",
                "empty message",
                Goal::Within(1.3),
            ),
            row(
                "message round trip over the actor, one thread",
                "Route, address",
                "empty message",
                Goal::Within(1.3),
            ),
            row(
                "message round trip over the actor, one thread",
                "Route, batch of 64, each",
                "",
                Goal::Under(150.0),
            ),
            row(
                "message round trip over the actor, one thread",
                "Route, direct call",
                "empty message",
                Goal::None,
            ),
            row(
                "message round trip over the actor, across threads",
                "GetTokenCount, handle",
                "empty message",
                Goal::Within(1.3),
            ),
            row(
                "message round trip over the actor, across threads",
                "GetTokenCount, address",
                "empty message",
                Goal::Within(1.3),
            ),
            row(
                "message round trip over the actor, across threads",
                "GetTokenCount, batch of 64, each",
                "",
                Goal::Under(150.0),
            ),
            row(
                "message round trip over the actor, across threads",
                "Update, handle",
                "empty message",
                Goal::Within(1.3),
            ),
            row(
                "message round trip over the actor, across threads",
                "Update, address",
                "empty message",
                Goal::Within(1.3),
            ),
            row(
                "message round trip over the actor, across threads",
                "Update, batch of 64, each",
                "",
                Goal::Under(150.0),
            ),
            row(
                "message round trip over the actor, across threads",
                "Route, handle",
                "empty message",
                Goal::Within(1.3),
            ),
            row(
                "message round trip over the actor, across threads",
                "Route, address",
                "empty message",
                Goal::Within(1.3),
            ),
            row(
                "message round trip over the actor, across threads",
                "Route, batch of 64, each",
                "",
                Goal::Under(150.0),
            ),
        ],
    },
    Table {
        title: "The dispatcher",
        command: "cargo bench -p vtc-bench --bench actor -- dispatcher",
        rows: &[
            row("acquire and settle through the dispatcher, one thread", "an idle fleet", "", Goal::None),
            row("acquire and settle through the dispatcher, one thread", "1,000 others run", "", Goal::None),
            row(
                "acquire and settle through the dispatcher, one thread",
                "1,000 others run, each looked at each time",
                "",
                Goal::None,
            ),
            row("acquire and settle through the dispatcher, one thread", "1,000 others wait", "", Goal::None),
        ],
    },
    Table {
        title: "The fair queue",
        command: "cargo bench -p vtc-bench --bench queue -- --warm-up-time 1 --measurement-time 2 --sample-size 30",
        rows: &[
            row("fair queue, push and pop, 100,000 users waiting", "fcfs", "floor", Goal::Under(500.0)),
            row("fair queue, push and pop, 100,000 users waiting", "vtc-fair", "floor", Goal::Under(500.0)),
            row(
                "fair queue, push and pop, 100,000 users waiting",
                "vtc-fair, newcomers",
                "floor",
                Goal::Under(500.0),
            ),
            row("fair queue, push and pop, 100,000 users waiting", "vtc-pred", "floor", Goal::Under(500.0)),
            row(
                "fair queue, push and pop, 100,000 users waiting",
                "vtc-max-fair",
                "floor",
                Goal::Under(500.0),
            ),
            row("fair queue, push and pop, 100,000 users waiting", "lcf", "floor", Goal::Under(500.0)),
            row("fair queue, push and pop, 100,000 users waiting", "drr", "floor", Goal::Under(500.0)),
            row("fair queue, a token of a user who waits, 100,000 users waiting", "vtc-fair", "", Goal::None),
            row("fair queue, a token of a user who waits, 100,000 users waiting", "drr", "", Goal::None),
        ],
    },
];
