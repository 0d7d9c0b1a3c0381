//! A pod's metrics in Prometheus' text format, under vLLM's names.

use std::fmt::Write as _;

use super::live::Totals;
use crate::demo::engine::Gauges;

/// The content type of the format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics, labelled with the model.
pub(super) fn render(model: &str, gauges: Gauges, totals: Totals) -> String {
    let model = escaped(model);
    let Gauges { running, waiting, kv_usage } = gauges;
    let kv_help = "Share of the KV pool in use, 0 to 1.";
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, value: f64| {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "# HELP vllm:{name} {help}\n\
             # TYPE vllm:{name} {kind}\n\
             vllm:{name}{{model_name=\"{model}\"}} {value:?}\n"
        );
    };
    metric("num_requests_running", "gauge", "Requests in the batch.", running as f64);
    metric("num_requests_waiting", "gauge", "Requests in the queue.", waiting as f64);
    metric("kv_cache_usage_perc", "gauge", kv_help, kv_usage);
    metric("gpu_cache_usage_perc", "gauge", kv_help, kv_usage);
    metric("prompt_tokens_total", "counter", "Input tokens read.", totals.prompt_tokens as f64);
    metric("generation_tokens_total", "counter", "Output tokens produced.", totals.generation_tokens as f64);
    text
}

/// A label value as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_help_its_type_and_one_sample() {
        let gauges = Gauges { running: 3, waiting: 12, kv_usage: 0.25 };
        let totals = Totals { prompt_tokens: 4_000, generation_tokens: 17 };
        let text = render("llama", gauges, totals);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "vllm:num_requests_running{model_name=\"llama\"} 3.0",
                "vllm:num_requests_waiting{model_name=\"llama\"} 12.0",
                "vllm:kv_cache_usage_perc{model_name=\"llama\"} 0.25",
                "vllm:gpu_cache_usage_perc{model_name=\"llama\"} 0.25",
                "vllm:prompt_tokens_total{model_name=\"llama\"} 4000.0",
                "vllm:generation_tokens_total{model_name=\"llama\"} 17.0",
            ]
        );
        assert!(text.contains("# TYPE vllm:prompt_tokens_total counter\n"));
        assert!(text.contains("# TYPE vllm:num_requests_waiting gauge\n"));
    }

    #[test]
    fn a_model_name_cannot_break_out_of_its_label() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
