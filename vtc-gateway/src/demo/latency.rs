//! How long a simulated pod takes for a step of its engine.
//!
//! The numbers of [`LatencyModel::a10g`] were fitted to runs of Llama-2-7B on one NVIDIA A10G. The
//! GPU does one thing at a time: a prefill and a decode step never overlap, so a pod's time is the
//! sum of its steps.

use std::time::Duration;

/// No step takes longer, whatever the model says, so that a time plus a step is always a time.
pub const LONGEST_STEP: Duration = Duration::from_secs(24 * 60 * 60);

/// The linear cost of a step: a fixed part and a part per unit of work.
///
/// All durations are those of real hardware; [`at_speed`](Self::at_speed) divides every result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatencyModel {
    /// Fixed part of a prefill.
    pub prefill: Duration,
    /// Part of a prefill per input token that no cache holds.
    pub prefill_per_token: Duration,
    /// Fixed part of a decode step, which makes one token for every running request.
    pub decode: Duration,
    /// Part of a decode step per running request.
    pub decode_per_request: Duration,
    /// Part of a decode step per token of context in the batch: the input of every running request
    /// and what it has produced so far.
    pub decode_per_context_token: Duration,
    /// What the host adds to a step of either kind.
    pub host_overhead: Duration,
    /// How many times faster than the hardware. Above zero and finite.
    speed: f64,
}

/// A speed that is zero, negative or not a number.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a pod cannot run at speed {speed}: give a finite number above 0, where 1 is the measured hardware")]
pub struct InvalidSpeed {
    /// The number that was refused.
    pub speed: f64,
}

// === impl LatencyModel ===

impl LatencyModel {
    /// Llama-2-7B on one NVIDIA A10G, as measured.
    #[must_use]
    pub const fn a10g() -> Self {
        Self {
            prefill: Duration::from_millis(53),
            prefill_per_token: Duration::from_micros(209),
            decode: Duration::from_micros(29_600),
            decode_per_request: Duration::from_micros(149),
            decode_per_context_token: Duration::from_nanos(751),
            host_overhead: Duration::from_millis(2),
            speed: 1.0,
        }
    }

    /// The same hardware, `speed` times as fast: every step takes its duration divided by `speed`.
    ///
    /// The speed replaces an earlier one, it does not multiply it.
    ///
    /// # Errors
    ///
    /// [`InvalidSpeed`] unless `speed` is finite and above zero.
    pub fn at_speed(self, speed: f64) -> Result<Self, InvalidSpeed> {
        if speed.is_finite() && speed > 0.0 {
            Ok(Self { speed, ..self })
        } else {
            Err(InvalidSpeed { speed })
        }
    }

    /// The time to prefill a mini-batch that holds `uncached_tokens` input tokens altogether. At
    /// most [`LONGEST_STEP`].
    #[must_use]
    pub fn prefill_step(&self, uncached_tokens: u32) -> Duration {
        self.scaled(self.prefill.saturating_add(self.prefill_per_token.saturating_mul(uncached_tokens)))
    }

    /// The time of one decode step for `requests` running requests with `context_tokens` tokens
    /// between them. At most [`LONGEST_STEP`].
    #[must_use]
    pub fn decode_step(&self, requests: u32, context_tokens: u32) -> Duration {
        self.scaled(
            self.decode
                .saturating_add(self.decode_per_request.saturating_mul(requests))
                .saturating_add(self.decode_per_context_token.saturating_mul(context_tokens)),
        )
    }

    fn scaled(&self, hardware: Duration) -> Duration {
        let step = hardware.saturating_add(self.host_overhead);
        Duration::try_from_secs_f64(step.as_secs_f64() / self.speed)
            .map_or(LONGEST_STEP, |scaled| scaled.min(LONGEST_STEP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefill_costs_its_fixed_part_its_tokens_and_the_host() {
        let a10g = LatencyModel::a10g();
        assert_eq!(a10g.prefill_step(0), Duration::from_millis(55));
        assert_eq!(a10g.prefill_step(1_000), Duration::from_millis(53 + 209 + 2));
    }

    #[test]
    fn a_decode_step_costs_its_fixed_part_its_requests_their_context_and_the_host() {
        let a10g = LatencyModel::a10g();
        assert_eq!(a10g.decode_step(0, 0), Duration::from_micros(31_600));
        assert_eq!(a10g.decode_step(10, 0), Duration::from_micros(31_600 + 1_490));
        assert_eq!(a10g.decode_step(10, 8_000), Duration::from_micros(31_600 + 1_490 + 6_008));
    }

    #[test]
    fn speed_divides_every_step() {
        let fast = LatencyModel::a10g().at_speed(100.0).unwrap();
        assert_eq!(fast.prefill_step(1_000), Duration::from_micros(2_640));
        assert_eq!(fast.decode_step(0, 0), Duration::from_micros(316));
        let back = fast.at_speed(1.0).unwrap();
        assert_eq!(back, LatencyModel::a10g());
    }

    #[test]
    fn a_speed_that_is_no_speed_is_refused() {
        for speed in [0.0, -1.0, f64::INFINITY, f64::NAN] {
            assert!(LatencyModel::a10g().at_speed(speed).is_err(), "{speed}");
        }
    }

    #[test]
    fn no_step_takes_longer_than_the_longest() {
        for speed in [1e-9, f64::MIN_POSITIVE] {
            let frozen = LatencyModel::a10g().at_speed(speed).unwrap();
            assert_eq!(frozen.decode_step(1, 1), LONGEST_STEP);
        }
    }
}
