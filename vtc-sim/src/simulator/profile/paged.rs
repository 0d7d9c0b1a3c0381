//! What a pod can do that gives out memory in pages, and how long it takes it.

use serde::{Deserialize, Serialize};

/// A pod that gives out memory in pages.
///
/// The times of the default are those measured for the A10G, in the form of one mixed step. It is a model of how such an
/// engine works, not of one that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PagedProfile {
    /// What a step takes whatever is in it, the host's part included, in milliseconds.
    pub step_ms: f64,
    /// What each prompt token that is read adds to a step, in milliseconds.
    pub prefill_per_token_ms: f64,
    /// What each request that writes adds to a step, in milliseconds.
    pub decode_per_request_ms: f64,
    /// What each token of their context adds to a step, in microseconds.
    pub decode_per_context_token_us: f64,
    /// Tokens that the cache of keys and values has room for.
    pub pool_tokens: u64,
    /// Tokens of a page.
    pub page_tokens: u64,
    /// The most requests that run at the same time.
    pub max_running: usize,
    /// The most tokens that one step reads and writes.
    pub max_step_tokens: u64,
    /// Tokens of a block of the prefixes in a trace, a multiple of a page; 0: prefixes are not kept.
    pub prefix_tokens: u64,
}

// === impl PagedProfile ===

impl PagedProfile {
    /// One engine that is so many of these together; see [`Profile::pooled`](crate::simulator::Profile::pooled).
    pub(in crate::simulator) fn pooled(&self, pods: usize) -> Self {
        let (share, times) = (pods as f64, pods as u64);
        Self {
            prefill_per_token_ms: self.prefill_per_token_ms / share,
            decode_per_request_ms: self.decode_per_request_ms / share,
            decode_per_context_token_us: self.decode_per_context_token_us / share,
            pool_tokens: self.pool_tokens.saturating_mul(times),
            max_running: self.max_running.saturating_mul(pods),
            max_step_tokens: self.max_step_tokens.saturating_mul(times),
            ..self.clone()
        }
    }
}

impl Default for PagedProfile {
    fn default() -> Self {
        Self {
            step_ms: 31.6,
            prefill_per_token_ms: 0.209,
            decode_per_request_ms: 0.149,
            decode_per_context_token_us: 0.751,
            pool_tokens: 10_000,
            page_tokens: 16,
            max_running: 256,
            max_step_tokens: 2048,
            prefix_tokens: 512,
        }
    }
}
