//! The random numbers of one decision.

/// One draw, from which every random number of a decision follows: number `i` is a pure function of the
/// draw and `i`.
///
/// So a pod's noise is defined whether or not anybody looks at the pod, and looking at fewer of them
/// changes nothing for the rest: that is what lets a policy stop early and still choose what a full
/// scan would have chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise(u64);

impl Noise {
    /// A fresh draw from the thread's generator. Not for secrets.
    #[inline]
    #[must_use]
    pub fn draw() -> Self {
        Self(fastrand::u64(..))
    }

    /// The draw of that number: for tests and simulations that must repeat.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Number `i`, uniform in `[0, 1)`.
    #[inline]
    #[must_use]
    pub const fn unit(self, i: usize) -> f64 {
        // The top 53 bits: as many as a double's fraction holds.
        (self.bits(i) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Number `i`, uniform in `0..n`; 0 if `n` is 0. The bias is below `n / 2^64`.
    #[inline]
    #[must_use]
    pub const fn below(self, n: usize, i: usize) -> usize {
        ((self.bits(i) as u128 * n as u128) >> 64) as usize
    }

    /// The finalizer of SplitMix64 over a Weyl sequence.
    /// Source: Steele, Lea, Flood, *Fast Splittable Pseudorandom Number Generators*, OOPSLA 2014.
    #[inline]
    const fn bits(self, i: usize) -> u64 {
        let z = self.0.wrapping_add((i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_uniform_over_positions_and_over_draws() {
        let by_position = |i| Noise::seeded(7).unit(i);
        let by_draw = |i| Noise::seeded(i as u64).unit(3);
        for numbers in [&by_position as &dyn Fn(usize) -> f64, &by_draw] {
            let mut tenths = [0; 10];
            (0..100_000).for_each(|i| tenths[(numbers(i) * 10.0) as usize] += 1);
            // Standard deviation of each count is 95.
            assert!(tenths.iter().all(|n| (9_500..10_500).contains(n)), "{tenths:?}");
        }
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut seen = [0; 7];
        (0..7_000).for_each(|i| seen[Noise::seeded(i).below(7, 0)] += 1);
        assert!(seen.iter().all(|n| (850..1_150).contains(n)), "{seen:?}");
        assert_eq!(Noise::seeded(1).below(0, 0), 0);
    }
}
