//! What a pod says its work was: the usage in its answers.

mod stream_part;
mod tally;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

pub use self::stream_part::StreamPart;
pub use self::tally::Tally;

/// Tokens that a request cost, as its pod counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, the cached ones among them.
    pub input_tokens: u64,
    /// Tokens of the answer, all choices together; 0 for embeddings.
    pub output_tokens: u64,
    /// Tokens of the prompt that the pod found in its cache; 0 where it does not say.
    pub cached_tokens: u64,
}

/// The `usage` of a whole JSON answer of any endpoint, or nothing if there is none that can be read.
/// One pass over the body.
///
/// llama.cpp gives several choices with the usage and the timings of only one of them: if the two agree, the
/// others are taken to be as long as that one.
#[must_use]
pub fn usage_of_response(body: &[u8]) -> Option<Usage> {
    #[derive(Deserialize)]
    struct Response<'a> {
        usage: Option<Wire>,
        choices: Option<Vec<IgnoredAny>>,
        #[serde(borrow)]
        timings: Option<&'a RawValue>,
    }
    let response: Response<'_> = serde_json::from_slice(body).ok()?;
    let usage = response.usage.and_then(Wire::read)?;
    let of_one_choice = response.timings.and_then(|timings| Usage::of_timings(timings.get()));
    let choices = match response.choices {
        Some(choices) if of_one_choice == Some(usage) => choices.len().max(1) as u64,
        _ => 1,
    };
    Some(Usage { output_tokens: usage.output_tokens.saturating_mul(choices), ..usage })
}

/// `usage` as it is written: under OpenAI's older names or its newer ones, possibly under both.
#[derive(Deserialize)]
struct Wire {
    prompt_tokens: Option<u64>,
    input_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    output_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    input_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
}

/// llama.cpp's `timings`: `prompt_n` counts the tokens of the prompt that were not in the cache. A
/// server that does not tell `cache_n` has left the prompt's length unsaid.
#[derive(Deserialize)]
struct Timings {
    cache_n: u64,
    prompt_n: u64,
    predicted_n: u64,
}

// === impl Wire ===

impl Wire {
    /// The prompt must be there; whatever else is not counts as 0.
    fn read(self) -> Option<Usage> {
        let details = self.prompt_tokens_details.or(self.input_tokens_details);
        Some(Usage {
            input_tokens: self.prompt_tokens.or(self.input_tokens)?,
            output_tokens: self.completion_tokens.or(self.output_tokens).unwrap_or(0),
            cached_tokens: details.and_then(|it| it.cached_tokens).unwrap_or(0),
        })
    }
}

// === impl Usage ===

impl Usage {
    /// Reads the value of a member `usage`.
    fn of_usage(json: &str) -> Option<Self> {
        serde_json::from_str::<Wire>(json).ok()?.read()
    }

    /// Reads the value of a member `timings`.
    fn of_timings(json: &str) -> Option<Self> {
        let timings: Timings = serde_json::from_str(json).ok()?;
        Some(Self {
            input_tokens: timings.prompt_n.saturating_add(timings.cache_n),
            output_tokens: timings.predicted_n,
            cached_tokens: timings.cache_n,
        })
    }
}
