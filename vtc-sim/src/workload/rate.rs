//! How many requests a second, over time.

/// A rate over time: pieces on which it is constant or changes linearly, and nothing between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate(Vec<Segment>);

/// One piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// When it begins, in seconds.
    pub from: f64,
    /// When it ends, in seconds; may be infinite if the rate is constant.
    pub to: f64,
    /// Requests a second in the beginning.
    pub begin: f64,
    /// Requests a second in the end.
    pub end: f64,
}

/// Walks along a rate: says when so many requests will have come.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    rate: Rate,
    /// The segment reached, and how many came before it.
    segment: usize,
    before: f64,
}

// === impl Rate ===

impl Rate {
    /// These pieces, one after the other.
    #[must_use]
    pub const fn new(segments: Vec<Segment>) -> Self {
        Self(segments)
    }

    /// So many a second, always.
    #[must_use]
    pub fn constant(rate: f64) -> Self {
        Self(vec![Segment::constant(0.0, f64::INFINITY, rate)])
    }

    /// So many a second for `on` seconds, then nothing for `off` seconds, and again, from `from` to `to`.
    #[must_use]
    pub fn on_off(rate: f64, on: f64, off: f64, from: f64, to: f64) -> Self {
        let begins =
            (0_u32..).map(|turn| from + f64::from(turn) * (on + off)).take_while(|begin| *begin < to);
        Self(begins.map(|begin| Segment::constant(begin, (begin + on).min(to), rate)).collect())
    }

    /// From one rate to another over a span.
    #[must_use]
    pub fn ramp(begin: f64, end: f64, from: f64, to: f64) -> Self {
        Self(vec![Segment { from, to, begin, end }])
    }

    /// This, and after it the other.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// So many times as many at every moment.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        let times = |of: Segment| Segment { begin: of.begin * factor, end: of.end * factor, ..of };
        Self(self.0.into_iter().map(times).collect())
    }

    pub(super) fn walk(&self) -> Walk {
        Walk { rate: self.clone(), segment: 0, before: 0.0 }
    }
}

// === impl Segment ===

impl Segment {
    /// A piece of one rate.
    #[must_use]
    pub const fn constant(from: f64, to: f64, rate: f64) -> Self {
        Self { from, to, begin: rate, end: rate }
    }

    /// How many come in it.
    fn count(&self) -> f64 {
        if self.begin + self.end == 0.0 { 0.0 } else { (self.to - self.from) * (self.begin + self.end) / 2.0 }
    }

    /// When so many of it have come.
    fn when(&self, count: f64) -> f64 {
        // begin * t + slope * t^2 / 2 = count, solved for t in the form that also holds without a slope.
        let slope =
            if self.begin == self.end { 0.0 } else { (self.end - self.begin) / (self.to - self.from) };
        let root = (self.begin * self.begin + 2.0 * slope * count).max(0.0).sqrt();
        self.from + 2.0 * count / (self.begin + root)
    }
}

// === impl Walk ===

impl Walk {
    /// When so many requests, whole or not, have come since the beginning; `None` if so many never will. Asked with
    /// growing counts only.
    pub(super) fn when(&mut self, count: f64) -> Option<f64> {
        loop {
            let segment = self.rate.0.get(self.segment)?;
            let within = segment.count();
            if count < self.before + within {
                return Some(segment.when(count - self.before));
            }
            self.before += within;
            self.segment += 1;
        }
    }
}
