//! How much a pod takes, and whether it takes one more. Plain numbers in, a yes or no out.

use vtc_core::ConfigError;

/// How much a pod takes. Nothing is limited by default: then requests never wait, and it is the pod that queues.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Capacity {
    /// The most requests that run on it at the same time; at least 1. What engines call `max_num_seqs`, or slots.
    pub max_running: Option<usize>,
    /// The most tokens that the requests which run on it hold together, input and output; at least 1. What its cache of
    /// keys and values has room for. A request that is larger than that goes to the pod when nothing else runs there.
    pub max_tokens: Option<u64>,
    /// The most requests that may wait inside the pod, by its own [report](PodReport). With more it gets nothing new.
    pub max_waiting: Option<u64>,
    /// The largest part, from 0 to 1, of its cache that may be in use, by its own [report](PodReport). With more it gets
    /// nothing new.
    pub max_kv_usage: Option<f64>,
}

/// What a pod says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PodReport {
    /// Requests that wait inside the pod. vLLM: `vllm:num_requests_waiting`.
    pub waiting: Option<u64>,
    /// The part, from 0 to 1, of its cache of keys and values that is in use. vLLM: `vllm:kv_cache_usage_perc`.
    pub kv_usage: Option<f64>,
}

/// What runs on a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) running: usize,
    pub(super) tokens: u64,
}

// === impl Held ===

impl Held {
    /// This and that.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            running: self.running.saturating_add(other.running),
            tokens: self.tokens.saturating_add(other.tokens),
        }
    }
}

// === impl Capacity ===

impl Capacity {
    /// Room for so many requests, whatever their size.
    #[must_use]
    pub const fn of_requests(max_running: usize) -> Self {
        Self { max_running: Some(max_running), max_tokens: None, max_waiting: None, max_kv_usage: None }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not allowed.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let at_least_1 = |field, value: Option<u64>| match value {
            Some(0) => Err(ConfigError::new(field, 0, "at least 1, or nothing for no limit")),
            _ => Ok(()),
        };
        at_least_1("max_running", self.max_running.map(|most| most as u64))?;
        at_least_1("max_tokens", self.max_tokens)?;
        match self.max_kv_usage {
            Some(most) if !(0.0..=1.0).contains(&most) => {
                Err(ConfigError::new("max_kv_usage", most, "a fraction from 0 to 1"))
            }
            _ => Ok(()),
        }
    }

    /// How many more requests a pod takes that runs `held` and says `report`; `None`: any number, or nobody knows. Where
    /// tokens are what is limited, requests like those that run there.
    pub(super) fn places(&self, held: Held, report: PodReport) -> Option<usize> {
        if exceeds(report.waiting, self.max_waiting) || exceeds(report.kv_usage, self.max_kv_usage) {
            return Some(0);
        }
        let by_running = self.max_running.map(|most| most.saturating_sub(held.running));
        let each = (held.tokens as usize).checked_div(held.running).map(|each| each.max(1));
        let left = self.max_tokens.map(|most| most.saturating_sub(held.tokens) as usize);
        let by_tokens = left.zip(each).map(|(left, each)| left / each);
        by_running.into_iter().chain(by_tokens).min()
    }

    /// Whether a pod that runs `held` and says `report` takes a request of so many tokens.
    pub(super) fn admits(&self, held: Held, report: PodReport, tokens: u64) -> bool {
        let sum = held.tokens.saturating_add(tokens);
        let fits = self.max_tokens.is_none_or(|most| sum <= most || held.running == 0);
        fits && self.max_running.is_none_or(|most| held.running < most)
            && !exceeds(report.waiting, self.max_waiting)
            && !exceeds(report.kv_usage, self.max_kv_usage)
    }
}

/// What is not reported, or no number, exceeds nothing.
fn exceeds<N: PartialOrd>(reported: Option<N>, most: Option<N>) -> bool {
    matches!((reported, most), (Some(reported), Some(most)) if reported > most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENT: PodReport = PodReport { waiting: None, kv_usage: None };

    fn held(running: usize, tokens: u64) -> Held {
        Held { running, tokens }
    }

    #[test]
    fn without_limits_everything_is_admitted() {
        let report = PodReport { waiting: Some(1000), kv_usage: Some(1.0) };
        assert!(Capacity::default().admits(held(1_000_000, u64::MAX), report, u64::MAX));
    }

    #[test]
    fn requests_and_tokens_are_admitted_up_to_the_limit() {
        let capacity = Capacity { max_tokens: Some(100), ..Capacity::of_requests(2) };
        assert!(capacity.admits(held(1, 60), SILENT, 40));
        assert!(!capacity.admits(held(1, 60), SILENT, 41));
        assert!(!capacity.admits(held(1, 60), SILENT, u64::MAX));
        assert!(!capacity.admits(held(2, 0), SILENT, 0));
        assert!(capacity.admits(held(0, 0), SILENT, 101), "alone, or it would never go");
    }

    #[test]
    fn places_are_what_is_left_of_requests_and_of_tokens() {
        let silent = |capacity: Capacity, held| capacity.places(held, SILENT);
        assert_eq!(silent(Capacity::default(), held(9, 900)), None);
        assert_eq!(silent(Capacity::of_requests(10), held(9, 900)), Some(1));
        assert_eq!(silent(Capacity::of_requests(10), held(12, 900)), Some(0));
        let both = Capacity { max_tokens: Some(1000), ..Capacity::of_requests(10) };
        assert_eq!(silent(both, held(3, 600)), Some(2), "of 200 each");
        assert_eq!(silent(both, held(1, 1200)), Some(0));
        assert_eq!(silent(both, held(0, 0)), Some(10), "of whatever size");
        let full = PodReport { waiting: Some(1), kv_usage: None };
        assert_eq!(Capacity { max_waiting: Some(0), ..both }.places(held(0, 0), full), Some(0));
    }

    #[test]
    fn a_pod_that_reports_more_than_the_bound_gets_nothing() {
        let capacity = Capacity { max_waiting: Some(0), max_kv_usage: Some(0.9), ..Capacity::default() };
        let says = |waiting, kv_usage| PodReport { waiting, kv_usage };
        assert!(capacity.admits(held(0, 0), says(Some(0), Some(0.9)), 1));
        assert!(!capacity.admits(held(0, 0), says(Some(1), Some(0.1)), 1));
        assert!(!capacity.admits(held(0, 0), says(None, Some(0.91)), 1));
        assert!(capacity.admits(held(0, 0), says(None, Some(f64::NAN)), 1));
        assert!(capacity.admits(held(0, 0), SILENT, 1));
    }

    #[test]
    fn each_bad_field_is_named() {
        Capacity::of_requests(1).validate().unwrap();
        let default = Capacity::default();
        let bad = [
            ("max_running", Capacity::of_requests(0)),
            ("max_tokens", Capacity { max_tokens: Some(0), ..default }),
            ("max_kv_usage", Capacity { max_kv_usage: Some(1.5), ..default }),
            ("max_kv_usage", Capacity { max_kv_usage: Some(f64::NAN), ..default }),
        ];
        for (field, capacity) in bad {
            assert_eq!(capacity.validate().unwrap_err().field, field);
        }
    }
}
