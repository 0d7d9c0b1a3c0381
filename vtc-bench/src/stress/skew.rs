//! Which user an operation is about.

use std::fmt;
use std::str::FromStr;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand_distr::{Distribution, Zipf};

/// How unevenly users are busy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Skew {
    /// Each user is as busy as the next.
    Uniform,
    /// The user of rank `r` is busy in proportion to `r` to the power of minus this exponent; positive, at most 10.
    Zipf(f64),
}

/// Users drawn in advance, so that drawing costs the operations under test nothing. Walked round and round.
#[derive(Clone, Debug)]
pub struct Draws {
    users: Vec<u32>,
    next: usize,
}

/// Draws kept: they fit a core's second-level cache.
const KEPT: usize = 1 << 14;

// === impl Skew ===

impl Skew {
    /// Draws among `users` (at least one) users: the same ones for the same seed.
    #[must_use]
    pub fn draws(self, users: u32, seed: u64) -> Draws {
        let users = users.max(1);
        let mut rng = fastrand::Rng::with_seed(seed);
        // An exponent that is not allowed draws evenly.
        let zipf = match self {
            Self::Uniform => None,
            Self::Zipf(exponent) => Zipf::new(f64::from(users), exponent).ok(),
        };
        let mut small = SmallRng::seed_from_u64(rng.u64(..));
        let mut draw = || match &zipf {
            None => rng.u32(..users),
            // Ranks count from 1.
            Some(zipf) => (zipf.sample(&mut small) as u32).clamp(1, users) - 1,
        };
        Draws { users: (0..KEPT).map(|_| draw()).collect(), next: 0 }
    }
}

impl FromStr for Skew {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = "give `uniform`, or `zipf:` and an exponent above 0 and up to 10, like `zipf:1.1`";
        if text == "uniform" {
            return Ok(Self::Uniform);
        }
        let exponent = text.strip_prefix("zipf:").and_then(|exponent| exponent.parse::<f64>().ok());
        match exponent {
            Some(exponent) if exponent > 0.0 && exponent <= 10.0 => Ok(Self::Zipf(exponent)),
            _ => Err(allowed.to_owned()),
        }
    }
}

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => write!(f, "uniform"),
            Self::Zipf(exponent) => write!(f, "zipf:{exponent}"),
        }
    }
}

// === impl Draws ===

impl Draws {
    /// The next user, by rank: 0 is the busiest.
    #[inline]
    pub fn next_user(&mut self) -> u32 {
        self.next = (self.next + 1) % KEPT;
        self.users[self.next]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share_of_the_busiest(skew: Skew) -> f64 {
        let mut draws = skew.draws(100, 7);
        let busiest = (0..KEPT).filter(|_| draws.next_user() == 0).count();
        busiest as f64 / KEPT as f64
    }

    #[test]
    fn the_busiest_user_is_as_busy_as_the_skew_says() {
        assert!((share_of_the_busiest(Skew::Uniform) - 0.01).abs() < 0.005);
        // 1 / (1 + 1/2 + ... + 1/100) = 0.193.
        assert!((share_of_the_busiest(Skew::Zipf(1.0)) - 0.193).abs() < 0.02);
    }

    #[test]
    fn what_is_no_skew_is_refused_with_what_is_allowed() {
        for bad in ["", "zipf", "zipf:", "zipf:0", "zipf:-1", "zipf:NaN", "zipf:11", "even"] {
            assert!(bad.parse::<Skew>().unwrap_err().contains("`uniform`"), "{bad}");
        }
        assert_eq!("zipf:1.1".parse(), Ok(Skew::Zipf(1.1)));
        assert_eq!(Skew::Zipf(1.1).to_string(), "zipf:1.1");
        assert_eq!("uniform".parse(), Ok(Skew::Uniform));
    }
}
