//! What a request will cost, guessed from its text before anybody has counted its tokens.

/// Guesses tokens from text.
pub trait TokenEstimator: Send + Sync {
    /// How many tokens the pod will read for `text`.
    fn estimate_input_tokens(&self, text: &str) -> f64;

    /// How many tokens the pod will write in answer to `text`.
    fn estimate_output_tokens(&self, text: &str) -> f64;
}

/// A fixed number of bytes per token, and a fixed ratio of output to input.
///
/// Crude: English prose has about four bytes per token, code and other scripts differ by a factor of
/// two. It does not matter for long: the true usage replaces the guess when the request settles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimpleTokenEstimator {
    /// Bytes of UTF-8 per token; positive.
    pub characters_per_token: f64,
    /// Output tokens per input token.
    pub output_ratio: f64,
}

impl Default for SimpleTokenEstimator {
    /// 4 bytes per token, 1.5 tokens out per token in.
    fn default() -> Self {
        Self { characters_per_token: 4.0, output_ratio: 1.5 }
    }
}

impl TokenEstimator for SimpleTokenEstimator {
    /// `ceil(bytes / characters_per_token)`; 0 for the empty text.
    fn estimate_input_tokens(&self, text: &str) -> f64 {
        (text.len() as f64 / self.characters_per_token).ceil()
    }

    /// `ceil(input * output_ratio)`.
    fn estimate_output_tokens(&self, text: &str) -> f64 {
        (self.estimate_input_tokens(text) * self.output_ratio).ceil()
    }
}
