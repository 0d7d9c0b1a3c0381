//! The requests of one client, one after the other.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1, LogNormal};

use super::rate::{Rate, Walk};
use crate::request::Request;

/// What one client asks for. A client may have several streams.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Whose it is.
    pub client: u32,
    /// How many requests a second.
    pub rate: Rate,
    /// How they are spaced.
    pub spacing: Spacing,
    /// How long they are.
    pub lengths: Lengths,
}

/// How requests are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// As even as the rate is, the first one at a random moment of the first interval.
    Uniform,
    /// Each moment as likely as any other of the same rate.
    Poisson,
    /// As many as are due in so many seconds come together, at a random moment of the first interval and then always
    /// after so many seconds.
    Bursts {
        /// Requests of a burst.
        size: u32,
    },
}

/// Tokens of prompts and answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lengths {
    /// Always the same.
    Fixed {
        /// Tokens of a prompt.
        input: u64,
        /// Tokens of an answer.
        output: u64,
    },
    /// Log-normal, input and output independent; at least 1 token.
    LogNormal {
        /// The median of prompts, in tokens.
        input: f64,
        /// The median of answers, in tokens.
        output: f64,
        /// The standard deviation of the logarithm.
        sigma: f64,
        /// No prompt and no answer is longer.
        most: u64,
    },
}

/// The requests of a stream as they come.
#[derive(Debug)]
pub(super) struct Requests {
    client: u32,
    spacing: Spacing,
    lengths: Lengths,
    walk: Walk,
    rng: Xoshiro256PlusPlus,
    /// How many will have come with the next one: not whole, as the first may come at any moment of its interval.
    count: f64,
    /// How many of a burst are still to come, and when.
    burst: (u32, f64),
}

// === impl Stream ===

impl Stream {
    pub(super) fn at_load(self, factor: f64) -> Self {
        Self { rate: self.rate.times(factor), ..self }
    }

    pub(super) fn requests(&self, seed: u64, number: u64) -> Requests {
        // The generator spreads what it is seeded with: neighbours are unrelated.
        let mut rng =
            Xoshiro256PlusPlus::seed_from_u64(seed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let count = match self.spacing {
            Spacing::Uniform => rng.random(),
            Spacing::Poisson => Exp1.sample(&mut rng),
            Spacing::Bursts { size } => rng.random::<f64>() * f64::from(size),
        };
        let Self { client, spacing, lengths, .. } = *self;
        Requests { client, spacing, lengths, walk: self.rate.walk(), rng, count, burst: (0, 0.0) }
    }
}

// === impl Lengths ===

impl Lengths {
    fn draw(self, rng: &mut Xoshiro256PlusPlus) -> (u64, u64) {
        match self {
            Self::Fixed { input, output } => (input, output),
            Self::LogNormal { input, output, sigma, most } => {
                let mut draw = |median: f64| {
                    let drawn =
                        LogNormal::new(median.ln(), sigma).map_or(median, |lengths| lengths.sample(rng));
                    (drawn.round() as u64).clamp(1, most)
                };
                (draw(input), draw(output))
            }
        }
    }
}

// === impl Requests ===

impl Requests {
    /// When the next one comes.
    fn moment(&mut self) -> Option<f64> {
        if self.burst.0 > 0 {
            self.burst.0 -= 1;
            return Some(self.burst.1);
        }
        let moment = self.walk.when(self.count)?;
        self.count += match self.spacing {
            Spacing::Uniform => 1.0,
            Spacing::Poisson => Exp1.sample(&mut self.rng),
            Spacing::Bursts { size } => {
                self.burst = (size.saturating_sub(1), moment);
                f64::from(size.max(1))
            }
        };
        Some(moment)
    }
}

impl Iterator for Requests {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        let arrival = self.moment()?;
        let (input, output) = self.lengths.draw(&mut self.rng);
        Some(Request { arrival, client: self.client, input, output, guess: None, blocks: None })
    }
}
