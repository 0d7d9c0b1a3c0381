//! How long a client's requests took.

use super::summary::Percentiles;

/// The waits of each request that was served, in seconds: exact percentiles need them all, in eight bytes each request.
#[derive(Debug, Default)]
pub(super) struct Waits {
    first_tokens: Vec<f32>,
    ends: Vec<f32>,
}

// === impl Waits ===

impl Waits {
    pub(super) fn add(&mut self, first_token: f64, end: f64) {
        self.first_tokens.push(first_token as f32);
        self.ends.push(end as f32);
    }

    /// Those to the first token, and those to the last.
    pub(super) fn percentiles(self) -> (Percentiles, Percentiles) {
        (Percentiles::of(self.first_tokens), Percentiles::of(self.ends))
    }
}
