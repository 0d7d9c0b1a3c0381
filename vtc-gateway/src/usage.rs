//! What a pod says its work was: the usage in its answers.

mod stream_part;
mod tally;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

pub use self::stream_part::{End, StreamPart};
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
        tokens_evaluated: Option<u64>,
        tokens_predicted: Option<u64>,
    }
    let response: Response<'_> = serde_json::from_slice(body).ok()?;
    let of_one_choice = response.timings.and_then(|timings| Usage::of_timings(timings.get()));
    let Some(usage) = response.usage else {
        return Usage::of_llama_cpp(response.tokens_evaluated, response.tokens_predicted, of_one_choice);
    };
    let usage = usage.read()?;
    let choices = match response.choices {
        Some(choices) if of_one_choice == Some(usage) => choices.len().max(1) as u64,
        _ => 1,
    };
    Some(Usage { output_tokens: usage.output_tokens.saturating_mul(choices), ..usage })
}

/// `usage` as it is written: under OpenAI's older names or its newer ones, possibly under both, or under Anthropic's.
#[derive(Deserialize)]
struct Wire {
    prompt_tokens: Option<u64>,
    input_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    output_tokens: Option<u64>,
    /// All that rerankers tell.
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    input_tokens_details: Option<Details>,
    /// Anthropic's `input_tokens` are only those beside these two.
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
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
        self.input().is_some().then(|| self.read_part())
    }

    /// The same, where other events may tell of the prompt.
    fn read_part(self) -> Usage {
        let (input, output_tokens) = (self.input(), self.output());
        let details = self.prompt_tokens_details.or(self.input_tokens_details);
        let cached = details.and_then(|it| it.cached_tokens).or(self.cache_read_input_tokens);
        Usage { input_tokens: input.unwrap_or(0), output_tokens, cached_tokens: cached.unwrap_or(0) }
    }

    fn input(&self) -> Option<u64> {
        let beside = [self.cache_read_input_tokens, self.cache_creation_input_tokens];
        let with_cached =
            |input| beside.iter().flatten().fold(input, |sum: u64, more| sum.saturating_add(*more));
        let all_but_output = || Some(self.total_tokens?.saturating_sub(self.output()));
        self.prompt_tokens.or(self.input_tokens.map(with_cached)).or_else(all_but_output)
    }

    fn output(&self) -> u64 {
        self.completion_tokens.or(self.output_tokens).unwrap_or(0)
    }
}

// === impl Usage ===

impl Usage {
    /// Reads the value of a member `usage`.
    fn of_usage(json: &str) -> Option<Self> {
        serde_json::from_str::<Wire>(json).ok()?.read()
    }

    /// The usage of the object that is the value of a member `response` or `message`.
    fn of_inner(json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Inner {
            usage: Option<Wire>,
        }
        serde_json::from_str::<Inner>(json).ok()?.usage.map(Wire::read_part)
    }

    /// What llama.cpp says at its own endpoint; its timings know what was in the cache.
    fn of_llama_cpp(read: Option<u64>, written: Option<u64>, timings: Option<Self>) -> Option<Self> {
        Some(Self {
            input_tokens: read?,
            output_tokens: written.unwrap_or(0),
            cached_tokens: timings.map_or(0, |it| it.cached_tokens),
        })
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
