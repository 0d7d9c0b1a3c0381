//! What a request will probably cost.

mod encoding;
mod lengths;

use std::collections::HashMap;

use vtc_core::{SimpleTokenEstimator, TokenEstimator};

pub use self::encoding::Encoding;
pub(crate) use self::lengths::{Lengths, Lesson};
use crate::request::GenerationRequest;

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

/// How the cost of a request for one model is guessed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimator {
    /// By the length of its text.
    pub by_bytes: SimpleTokenEstimator,
    /// By the tokens of its text in this encoding, once that is loaded; `None`: by its length alone.
    pub encoding: Option<Encoding>,
    /// Input tokens that a request counts at least.
    pub request_tokens: f64,
}

/// How the cost of requests is guessed, model by model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimators {
    /// For models of which nothing else is said.
    pub general: Estimator,
    /// For the others, by name.
    pub by_model: HashMap<String, Estimator>,
}

/// The most output that is reserved for a request, all its answers together: as much as the longest contexts hold.
/// A request may ask for any number of answers, but a bucket of a window holds only so much: what it could not take in
/// would take others' charges along when it is given back. Whoever writes more is charged as it goes.
const MOST_OUTPUT: f64 = 1e6;

// === impl Estimate ===

impl Estimate {
    /// The estimator's guess for each prompt's text, exact for prompts that are token ids. Output is at most
    /// what the client allows, never more than a million tokens, and nothing where none is written.
    ///
    /// Linear in the prompt's length; a vocabulary is asked about its beginning only, see [`Encoding::count`].
    #[must_use]
    pub fn of(request: &GenerationRequest<'_>, estimator: &Estimator) -> Self {
        let text = estimator.tokens(&request.prompt) + request.prompt_tokens as f64;
        let input_tokens = text.max(estimator.request_tokens);
        if !request.endpoint.description().writes {
            return Self { input_tokens, output_tokens: 0.0, most_output: Some(0.0) };
        }
        let answers = (request.n as f64) * (request.prompts.max(1) as f64);
        let most_output = request.max_output_tokens.map(|limit| limit as f64 * answers);
        let guess = (input_tokens * estimator.by_bytes.output_ratio).ceil() * request.n as f64;
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

// === impl Estimator ===

impl Estimator {
    fn tokens(&self, text: &str) -> f64 {
        let counted = self.encoding.and_then(|encoding| encoding.count(text));
        counted.unwrap_or_else(|| self.by_bytes.estimate_input_tokens(text))
    }
}

impl Default for Estimator {
    fn default() -> Self {
        Self { by_bytes: SimpleTokenEstimator::default(), encoding: None, request_tokens: 1.0 }
    }
}

// === impl Estimators ===

impl Estimators {
    /// The one for this model.
    #[must_use]
    pub fn of(&self, model: Option<&str>) -> &Estimator {
        model.and_then(|model| self.by_model.get(model)).unwrap_or(&self.general)
    }

    /// Loads the vocabularies that are used, in a thread of their own. Until each is there, bytes are counted.
    pub fn load(&self) {
        let all = self.by_model.values().chain([&self.general]);
        let mut encodings: Vec<_> = all.filter_map(|estimator| estimator.encoding).collect();
        encodings.sort_unstable();
        encodings.dedup();
        if !encodings.is_empty() {
            std::thread::spawn(move || encodings.into_iter().for_each(Encoding::load));
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::request::Endpoint;

    fn estimate(endpoint: Endpoint, body: &str) -> (f64, f64) {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let request = GenerationRequest::read(endpoint, &body).unwrap();
        let estimate = Estimate::of(&request, &Estimator::default());
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
