//! How the servers behind the gateway are asked to report usage while they stream.

/// What a streaming request asks its pod to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageAsk {
    /// `stream_options.include_usage`: an extra event at the end, with no choices, carries the usage.
    pub include_usage: bool,
    /// `stream_options.continuous_usage_stats`: every chunk carries the usage so far. Counts only
    /// together with [`include_usage`](Self::include_usage), as in vLLM.
    pub continuous_usage_stats: bool,
    /// `timings_per_token`: every chunk carries llama.cpp's `timings`, which count its tokens so far.
    pub timings_per_token: bool,
}

/// The kinds of servers that differ in how they report usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// vLLM and SGLang: `stream_options.continuous_usage_stats`.
    Vllm,
    /// llama.cpp: `timings_per_token`.
    ///
    /// It is not asked for `include_usage`, because that *moves* the timings from the chunk that
    /// finishes a chat to the extra event, while `timings_per_token` only adds: cut out again, nothing
    /// shows. The timings of the last chunk say the same as the usage would (`prompt_n + cache_n` and
    /// `predicted_n`).
    LlamaCpp,
    /// Any other server: OpenAI's own `stream_options.include_usage`, at the end only.
    #[default]
    Other,
}

// === impl Dialect ===

impl Dialect {
    /// The dialect of the server that says this in `owned_by` of `GET /v1/models`.
    #[must_use]
    pub fn from_owned_by(owned_by: &str) -> Self {
        match owned_by {
            "vllm" | "sglang" => Self::Vllm,
            "llamacpp" => Self::LlamaCpp,
            _ => Self::Other,
        }
    }

    /// What a pod must be asked so that the gateway learns the usage, as early as the server can tell.
    #[must_use]
    pub const fn usage_ask(self) -> UsageAsk {
        UsageAsk {
            include_usage: matches!(self, Self::Vllm | Self::Other),
            continuous_usage_stats: matches!(self, Self::Vllm),
            timings_per_token: matches!(self, Self::LlamaCpp),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_what_they_call_the_owner() {
        assert_eq!(Dialect::from_owned_by("vllm"), Dialect::Vllm);
        assert_eq!(Dialect::from_owned_by("sglang"), Dialect::Vllm);
        assert_eq!(Dialect::from_owned_by("llamacpp"), Dialect::LlamaCpp);
        assert_eq!(Dialect::from_owned_by("openai"), Dialect::Other);
        assert_eq!(Dialect::from_owned_by(""), Dialect::Other);
    }

    #[test]
    fn every_dialect_is_asked_for_something() {
        for dialect in [Dialect::Vllm, Dialect::LlamaCpp, Dialect::Other] {
            assert_ne!(dialect.usage_ask(), UsageAsk::default());
        }
    }
}
