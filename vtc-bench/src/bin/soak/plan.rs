//! What shall happen to a request, drawn beforehand.

use rand::{Rng, RngExt};

/// What shall happen to a request, as far as clients and pods have a say; the proxies may spoil it before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub course: Course,
    /// The usage of its answer.
    pub input: u64,
    pub output: u64,
}

/// The course of a request. `after` is a number of events, at least 1, after which the client has had enough or the pod dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// The answer comes whole.
    Whole,
    /// It comes as a stream.
    Stream,
    /// The client sends its request in small pieces.
    SlowSender,
    /// The client leaves in the middle of its request.
    LeavesInBody,
    /// The client leaves when a pod has its request, before there is an answer.
    LeavesWaiting,
    /// The client leaves in the middle of a stream.
    LeavesStream { after: u64 },
    /// The pod dies in the middle of a stream.
    PodDies { after: u64, how: Death },
    /// The pod refuses with this status.
    PodRefuses(u16),
    /// The client sends no JSON.
    NotJson,
    /// The client announces more than a body may have.
    TooMuch,
    /// The client sends two requests at once on one connection.
    Pipelined,
    /// It comes as a stream, in whose middle the gateway is told to end. Never drawn.
    AcrossTheEnd { after: u64 },
}

/// How a pod dies in the middle of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The connection is closed.
    Close,
    /// It is reset.
    Reset,
    /// It is closed in the middle of an event.
    InEvent,
}

// === impl Plan ===

impl Plan {
    /// A plan. With the chance `faults` something is wrong with the client or the pod.
    pub fn draw(rng: &mut impl Rng, faults: f64) -> Self {
        let (input, output) = (rng.random_range(1..2000), rng.random_range(2..40));
        let after = rng.random_range(1..output);
        let course = if rng.random::<f64>() >= faults {
            [Course::Whole, Course::Stream, Course::Stream][rng.random_range(0..3)]
        } else {
            let how = [Death::Close, Death::Reset, Death::InEvent][rng.random_range(0..3)];
            let status = [400, 404, 429, 500, 503][rng.random_range(0..5)];
            [
                Course::SlowSender,
                Course::LeavesInBody,
                Course::LeavesWaiting,
                Course::LeavesStream { after },
                Course::LeavesStream { after },
                Course::PodDies { after, how },
                Course::PodDies { after, how },
                Course::PodRefuses(status),
                Course::NotJson,
                Course::TooMuch,
                Course::Pipelined,
            ][rng.random_range(0..11)]
        };
        Self { course, input, output }
    }

    /// A stream in whose middle the gateway is told to end.
    pub const fn across_the_end() -> Self {
        Self { course: Course::AcrossTheEnd { after: 10 }, input: 100, output: 20 }
    }

    /// Whether the answer is to come as a stream.
    pub const fn is_streamed(&self) -> bool {
        matches!(
            self.course,
            Course::Stream
                | Course::LeavesStream { .. }
                | Course::PodDies { .. }
                | Course::AcrossTheEnd { .. }
        )
    }

    /// What the whole answer costs.
    pub const fn cost(&self) -> u64 {
        self.cost_after(self.output)
    }

    /// The prompt: not as long as the pod will say, but long enough to be estimated.
    pub fn prompt(&self) -> String {
        "word ".repeat(1 + self.input as usize / 10)
    }

    /// What the gateway takes the request to cost: a token for 4 bytes, and 1.5 tokens to write for each to read.
    pub fn estimate(&self) -> u64 {
        let input = self.prompt().len().div_ceil(4) as u64;
        input + 2 * (input * 3).div_ceil(2)
    }

    /// What it costs when so many events have come through.
    pub const fn cost_after(&self, events: u64) -> u64 {
        self.input + 2 * events
    }
}

// === impl Course ===

impl Course {
    /// A name for the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Stream => "stream",
            Self::SlowSender => "slow sender",
            Self::LeavesInBody => "leaves while sending",
            Self::LeavesWaiting => "leaves while waiting",
            Self::LeavesStream { .. } => "leaves a stream",
            Self::PodDies { .. } => "pod dies in a stream",
            Self::PodRefuses(_) => "pod refuses",
            Self::NotJson => "no JSON",
            Self::TooMuch => "too large",
            Self::Pipelined => "two at once",
            Self::AcrossTheEnd { .. } => "across the end",
        }
    }
}
