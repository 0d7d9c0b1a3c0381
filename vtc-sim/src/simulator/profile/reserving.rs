//! What a pod can do that reserves memory for whole answers, and how long it takes it.

use serde::{Deserialize, Serialize};

/// A pod that reserves memory for whole answers, whose length it knows.
///
/// The default is the measured A10G with Llama-2-7B of Sheng et al., OSDI'24.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReservingProfile {
    /// What a prefill takes whatever it reads, in milliseconds.
    pub prefill_ms: f64,
    /// What each prompt token adds to a prefill, in milliseconds.
    pub prefill_per_token_ms: f64,
    /// What a decode step takes whatever runs, in milliseconds.
    pub decode_ms: f64,
    /// What each running request adds to a decode step, in milliseconds.
    pub decode_per_request_ms: f64,
    /// What each token of context in the batch adds to a decode step, in microseconds.
    pub decode_per_context_token_us: f64,
    /// What the host adds to each step, in milliseconds.
    pub overhead_ms: f64,
    /// Tokens that the cache of keys and values has room for.
    pub pool_tokens: u64,
    /// Tokens of that which each client in the batch takes for itself.
    pub client_tokens: u64,
    /// The most requests that run at the same time.
    pub max_running: usize,
    /// Decode steps between a prefill and the next admission.
    pub admission_steps: u64,
    /// The most prompt tokens of one prefill.
    pub max_prefill_tokens: u64,
}

// === impl ReservingProfile ===

impl ReservingProfile {
    /// One engine that is so many of these together; see [`Profile::pooled`](crate::simulator::Profile::pooled).
    pub(in crate::simulator) fn pooled(&self, pods: usize) -> Self {
        let (share, times) = (pods as f64, pods as u64);
        Self {
            prefill_per_token_ms: self.prefill_per_token_ms / share,
            decode_per_request_ms: self.decode_per_request_ms / share,
            decode_per_context_token_us: self.decode_per_context_token_us / share,
            pool_tokens: self.pool_tokens.saturating_mul(times),
            client_tokens: self.client_tokens.saturating_mul(times),
            max_running: self.max_running.saturating_mul(pods),
            max_prefill_tokens: self.max_prefill_tokens.saturating_mul(times),
            ..self.clone()
        }
    }
}

impl Default for ReservingProfile {
    fn default() -> Self {
        Self {
            prefill_ms: 53.0,
            prefill_per_token_ms: 0.209,
            decode_ms: 29.6,
            decode_per_request_ms: 0.149,
            decode_per_context_token_us: 0.751,
            overhead_ms: 2.0,
            pool_tokens: 10_000,
            client_tokens: 32,
            max_running: 1000,
            admission_steps: 10,
            max_prefill_tokens: 3072,
        }
    }
}
