//! What a request will probably cost.

use vtc_core::{SimpleTokenEstimator, TokenEstimator};

use crate::request::{Endpoint, GenerationRequest};

/// Tokens, before anybody has counted them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// What the pod will read.
    pub input_tokens: f64,
    /// What the pod will write.
    pub output_tokens: f64,
    /// The most that it may write; `None` where the client set no limit.
    pub most_output: Option<f64>,
}

/// The most output that is reserved for a request, all its answers together: as much as the longest contexts hold.
/// A request may ask for any number of answers, but a bucket of a window holds only so much: what it could not take in
/// would take others' charges along when it is given back. Whoever writes more is charged as it goes.
const MOST_OUTPUT: f64 = 1e6;

// === impl Estimate ===

impl Estimate {
    /// The estimator's guess for each prompt's text, exact for prompts that are token ids. Output is at most
    /// what the client allows, never more than a million tokens, and nothing for embeddings.
    #[must_use]
    pub fn of(request: &GenerationRequest<'_>, estimator: &SimpleTokenEstimator) -> Self {
        let input_tokens = estimator.estimate_input_tokens(&request.prompt) + request.prompt_tokens as f64;
        if request.endpoint == Endpoint::Embeddings {
            return Self { input_tokens, output_tokens: 0.0, most_output: Some(0.0) };
        }
        let answers = (request.n as f64) * (request.prompts.max(1) as f64);
        let most_output = request.max_output_tokens.map(|limit| limit as f64 * answers);
        let guess = (input_tokens * estimator.output_ratio).ceil() * request.n as f64;
        let output_tokens = guess.min(most_output.unwrap_or(f64::MAX)).min(MOST_OUTPUT);
        Self { input_tokens, output_tokens, most_output }
    }

    /// All of it in whole tokens, read and written.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        // The cast saturates.
        (self.input_tokens + self.output_tokens).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn estimate(endpoint: Endpoint, body: &str) -> (f64, f64) {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let request = GenerationRequest::read(endpoint, &body).unwrap();
        let estimate = Estimate::of(&request, &SimpleTokenEstimator::default());
        (estimate.input_tokens, estimate.output_tokens)
    }

    #[test]
    fn output_is_half_as_much_again_as_input_but_at_most_what_is_allowed() {
        let chat = |more: &str| {
            let body =
                format!(r#"{{"model":"m","messages":[{{"role":"user","content":"twelve bytes"}}]{more}}}"#);
            estimate(Endpoint::ChatCompletions, &body)
        };
        assert_eq!(chat(""), (3.0, 5.0));
        assert_eq!(chat(r#","max_tokens":2"#), (3.0, 2.0));
        assert_eq!(chat(r#","max_tokens":2,"n":3"#), (3.0, 6.0));
        assert_eq!(chat(r#","n":3"#), (3.0, 15.0));
    }

    #[test]
    fn output_has_an_end_however_many_answers_are_asked_for() {
        for (n, output) in [("100000", 5e5), ("1e6", 1e6), ("18446744073709551615", 1e6), ("1e300", 1e6)] {
            let body =
                format!(r#"{{"model":"m","messages":[{{"role":"user","content":"twelve bytes"}}],"n":{n}}}"#);
            assert_eq!(estimate(Endpoint::ChatCompletions, &body), (3.0, output), "{n}");
        }
    }

    #[test]
    fn token_ids_are_counted_and_embeddings_write_nothing() {
        assert_eq!(estimate(Endpoint::Completions, r#"{"model":"m","prompt":[[1,2,3],[4,5]]}"#), (5.0, 8.0));
        assert_eq!(estimate(Endpoint::Embeddings, r#"{"model":"m","input":[1,2,3]}"#), (3.0, 0.0));
    }
}
