//! What a pod says of its load at `/metrics`, read from Prometheus' text format.
//!
//! Only the names that are known are taken, so that a page of thousands of lines costs little and one that is half wrong
//! tells what is right in it. A general reader of the format would keep everything.

use vtc_actor::dispatcher::PodReport;

/// A pod's load, in its own words. What it does not tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PodLoad {
    /// Requests that it works on.
    pub running: Option<u64>,
    /// Requests that wait inside it.
    pub waiting: Option<u64>,
    /// The part of its cache of keys and values that is in use, 0 to 1.
    pub kv_usage: Option<f64>,
}

/// The names of vLLM, of SGLang and of llama.cpp.
const RUNNING: [&str; 3] =
    ["vllm:num_requests_running", "sglang:num_running_reqs", "llamacpp:requests_processing"];
const WAITING: [&str; 3] =
    ["vllm:num_requests_waiting", "sglang:num_queue_reqs", "llamacpp:requests_deferred"];
/// vLLM has called it by two names, and some versions by both.
const KV_USAGE: [&str; 4] = [
    "vllm:kv_cache_usage_perc",
    "vllm:gpu_cache_usage_perc",
    "sglang:token_usage",
    "llamacpp:kv_cache_usage_ratio",
];

// === impl PodLoad ===

impl PodLoad {
    /// Reads a page; `None` if it tells nothing of this. Of several samples, as of a pod with several engines, requests
    /// are added up and the fullest cache counts.
    #[must_use]
    pub fn read(page: &str) -> Option<Self> {
        let mut load = Self::default();
        for (name, value) in page.lines().filter_map(sample) {
            // The cast saturates; a negative count is none.
            let add = |sum: &mut Option<u64>| *sum = Some(sum.unwrap_or(0).saturating_add(value as u64));
            if RUNNING.contains(&name) {
                add(&mut load.running);
            } else if WAITING.contains(&name) {
                add(&mut load.waiting);
            } else if KV_USAGE.contains(&name) {
                let value = value.clamp(0.0, 1.0);
                load.kv_usage = Some(load.kv_usage.map_or(value, |fullest| fullest.max(value)));
            }
        }
        (load != Self::default()).then_some(load)
    }

    /// What the queue goes by.
    #[must_use]
    pub const fn report(&self) -> PodReport {
        PodReport { waiting: self.waiting, kv_usage: self.kv_usage }
    }
}

/// The name and the value of a line `NAME VALUE [TIME]` or `NAME{LABELS} VALUE [TIME]`. One that is no number, or not
/// finite, tells nothing.
fn sample(line: &str) -> Option<(&str, f64)> {
    let name_ends = line.find(|c: char| c == '{' || c.is_ascii_whitespace())?;
    let (name, rest) = line.split_at(name_ends);
    // A label's value may hold a brace, but what comes behind the labels does not.
    let rest = if rest.starts_with('{') { rest.rsplit_once('}')?.1 } else { rest };
    let value: f64 = rest.split_ascii_whitespace().next()?.parse().ok()?;
    value.is_finite().then_some((name, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load(running: u64, waiting: u64, kv_usage: impl Into<Option<f64>>) -> Option<PodLoad> {
        Some(PodLoad { running: Some(running), waiting: Some(waiting), kv_usage: kv_usage.into() })
    }

    #[test]
    fn each_server_is_understood() {
        let vllm = "# HELP vllm:num_requests_running Number of requests in model execution batches.\n\
                    # TYPE vllm:num_requests_running gauge\n\
                    vllm:num_requests_running{engine=\"0\",model_name=\"a}b\"} 8.0\n\
                    vllm:num_requests_waiting{engine=\"0\",model_name=\"a}b\"} 3.0\n\
                    vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"a}b\"} 0.25\n\
                    vllm:num_requests_waiting_by_reason{reason=\"capacity\"} 3.0\n";
        assert_eq!(PodLoad::read(vllm), load(8, 3, 0.25));
        let sglang = "sglang:num_running_reqs{model_name=\"m\"} 2.0\nsglang:token_usage{model_name=\"m\"} 0.28\n\
                      sglang:num_queue_reqs{model_name=\"m\"} 2826.0 1395066363000\n";
        assert_eq!(PodLoad::read(sglang), load(2, 2826, 0.28));
        let llamacpp = "llamacpp:requests_processing 1\r\nllamacpp:requests_deferred 0\r\n";
        assert_eq!(PodLoad::read(llamacpp), load(1, 0, None));
    }

    #[test]
    fn several_engines_are_one_pod() {
        let page = "vllm:num_requests_running{engine=\"0\"} 1\nvllm:num_requests_running{engine=\"1\"} 2\n\
                    vllm:kv_cache_usage_perc{engine=\"0\"} 0.5\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.125\n";
        let read = PodLoad { running: Some(3), waiting: None, kv_usage: Some(0.5) };
        assert_eq!(PodLoad::read(page), Some(read));
    }

    #[test]
    fn what_is_no_number_tells_nothing() {
        assert_eq!(PodLoad::read(r#"{"object":"list","data":[]}"#), None);
        assert_eq!(PodLoad::read("vllm:num_requests_running NaN\nvllm:num_requests_waiting many\n"), None);
        assert_eq!(PodLoad::read("vllm:num_requests_running{ 5\nvllm:num_requests_running"), None);
    }

    proptest! {
        #[test]
        fn no_page_is_too_strange(page in "(vllm:num_requests_running|[{}\" \n0-9.eN-]){0,20}") {
            let _ = PodLoad::read(&page);
        }
    }
}
