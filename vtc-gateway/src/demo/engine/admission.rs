//! Who may join the batch: the memory rule of a pod that never preempts.
//!
//! A running request grows by one token a step and gives all of its memory back at its end. So the
//! batch is largest just before one of its requests ends. Sort the batch by what remains, most
//! first: when the k-th ends, the first k are still there, each grown by the k-th's remaining
//! output, and the rest are gone. The largest of these sums is the most the batch will ever hold.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::Request;

/// What a pod can hold. All are numbers of tokens unless they say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The KV pool: the batch always stays below it.
    pub kv_pool: u32,
    /// Set aside in the pool for each client in the batch, for what is kept per client.
    pub kv_per_client: u32,
    /// Requests that may run at once.
    pub running: u32,
    /// The most input tokens of one prefill.
    pub prefill_tokens: u32,
    /// Decode steps from one prefill to the next. An empty batch does not wait for them.
    pub decodes_between_prefills: u32,
}

/// A request that no amount of waiting would let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The prompt is larger than a whole prefill.
    #[error("the prompt has {input_tokens} tokens, at most {most} are read: shorten the prompt")]
    PromptTooLong {
        /// Tokens of the prompt.
        input_tokens: u32,
        /// The most a prompt may have.
        most: u32,
    },
    /// Prompt and output together are larger than the KV pool.
    #[error(
        "{input_tokens} tokens of prompt and {output_tokens} of output are more than the context \
         of {most}: shorten the prompt or ask for fewer tokens"
    )]
    ContextTooLong {
        /// Tokens of the prompt.
        input_tokens: u32,
        /// Tokens to produce.
        output_tokens: u32,
        /// The most the two may have together.
        most: u32,
    },
    /// The pod's limits say that nothing runs.
    #[error("this pod runs no requests: set its limit of running requests to at least 1")]
    NothingRuns,
}

/// The memory of a request in the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whose it is.
    pub client: u64,
    /// Tokens it holds now.
    pub tokens: u32,
    /// Tokens it will still produce.
    pub remaining: u32,
}

// === impl Limits ===

impl Limits {
    /// Llama-2-7B on one NVIDIA A10G.
    #[must_use]
    pub const fn a10g() -> Self {
        Self {
            kv_pool: 10_000,
            kv_per_client: 32,
            running: 1_000,
            prefill_tokens: 3_072,
            decodes_between_prefills: 10,
        }
    }

    /// The most tokens, prompt and output together, that a request may have.
    #[must_use]
    pub const fn context_tokens(&self) -> u32 {
        self.kv_pool.saturating_sub(self.kv_per_client).saturating_sub(1)
    }

    /// Whether a request fits in an empty batch.
    ///
    /// # Errors
    ///
    /// [`Refused`] if it does not, with the limit it breaks.
    pub fn check(&self, request: &Request) -> Result<(), Refused> {
        let &Request { input_tokens, output_tokens, .. } = request;
        if self.running == 0 {
            return Err(Refused::NothingRuns);
        }
        if input_tokens > self.prefill_tokens {
            return Err(Refused::PromptTooLong { input_tokens, most: self.prefill_tokens });
        }
        let tokens = u64::from(input_tokens) + u64::from(output_tokens);
        if tokens + u64::from(self.kv_per_client) >= u64::from(self.kv_pool) {
            return Err(Refused::ContextTooLong { input_tokens, output_tokens, most: self.context_tokens() });
        }
        Ok(())
    }

    /// How many of the `waiting`, in their order, may be prefilled together and join the `running`.
    ///
    /// The first that does not fit ends the count: nobody overtakes it. Every request passed
    /// [`check`](Self::check). O(admitted × batch).
    pub fn admissible<'a>(
        &self,
        running: impl Iterator<Item = Held>,
        waiting: impl Iterator<Item = &'a Request>,
    ) -> usize {
        let mut batch: Vec<Held> = running.collect();
        batch.sort_unstable_by_key(|held| Reverse(held.remaining));
        let mut clients: HashSet<u64> = batch.iter().map(|held| held.client).collect();
        let mut prefill_tokens = 0_u64;
        let mut admitted = 0;
        for request in waiting {
            prefill_tokens += u64::from(request.input_tokens);
            let newcomer = Held::after_prefill(request);
            let rank = batch.partition_point(|held| held.remaining >= newcomer.remaining);
            batch.insert(rank, newcomer);
            clients.insert(request.client);
            let set_aside = u64::from(self.kv_per_client) * clients.len() as u64;
            let fits = batch.len() as u64 <= u64::from(self.running)
                && prefill_tokens <= u64::from(self.prefill_tokens)
                && peak(&batch) + set_aside < u64::from(self.kv_pool);
            if !fits {
                break;
            }
            admitted += 1;
        }
        admitted
    }
}

/// The most tokens a batch, sorted by remaining output with the most first, will hold at once.
fn peak(batch: &[Held]) -> u64 {
    let mut tokens = 0_u64;
    let mut most = 0_u64;
    for (rank, held) in (1_u64..).zip(batch) {
        tokens += u64::from(held.tokens);
        most = most.max(tokens + u64::from(held.remaining) * rank);
    }
    most
}

// === impl Held ===

impl Held {
    /// What a request will hold once its prefill has made its first token.
    const fn after_prefill(request: &Request) -> Self {
        let first = if request.output_tokens == 0 { 0 } else { 1 };
        Self {
            client: request.client,
            tokens: request.input_tokens + first,
            remaining: request.output_tokens - first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The most a batch holds, found by letting it run to its end.
    fn peak_by_running(mut batch: Vec<Held>) -> u64 {
        let mut most = 0;
        while !batch.is_empty() {
            most = most.max(batch.iter().map(|held| u64::from(held.tokens)).sum());
            batch.retain(|held| held.remaining > 0);
            for held in &mut batch {
                held.tokens += 1;
                held.remaining -= 1;
            }
        }
        most
    }

    fn request(input_tokens: u32, output_tokens: u32) -> Request {
        Request { client: 0, input_tokens, output_tokens }
    }

    #[test]
    fn the_largest_request_that_fits_alone_is_admitted_alone_and_one_token_more_is_refused() {
        let limits = Limits::a10g();
        let largest = request(3_072, 9_967 - 3_072);
        assert_eq!(limits.check(&largest), Ok(()));
        assert_eq!(limits.admissible([].into_iter(), [&largest].into_iter()), 1);
        let more = request(3_072, 9_968 - 3_072);
        assert!(matches!(limits.check(&more), Err(Refused::ContextTooLong { most: 9_967, .. })));
        assert!(matches!(limits.check(&request(3_073, 1)), Err(Refused::PromptTooLong { most: 3_072, .. })));
        assert!(limits.check(&request(u32::MAX, u32::MAX)).is_err());
    }

    #[test]
    fn a_mini_batch_ends_at_the_prefill_limit() {
        let waiting = [request(1_024, 1); 5];
        let admitted = Limits::a10g().admissible([].into_iter(), waiting.iter());
        assert_eq!(admitted, 3);
    }

    #[test]
    fn a_mini_batch_ends_at_the_limit_of_running_requests() {
        let limits = Limits { running: 3, ..Limits::a10g() };
        let one = Held { client: 0, tokens: 10, remaining: 10 };
        let waiting = [request(1, 1); 5];
        assert_eq!(limits.admissible([one].into_iter(), waiting.iter()), 2);
    }

    #[test]
    fn nobody_overtakes_a_head_that_does_not_fit() {
        let hog = Held { client: 0, tokens: 9_000, remaining: 10 };
        let waiting = [request(1_000, 1), request(1, 1)];
        let limits = Limits::a10g();
        assert_eq!(limits.admissible([hog].into_iter(), waiting.iter()), 0);
        assert_eq!(limits.admissible([hog].into_iter(), waiting[1..].iter()), 1);
    }

    #[test]
    fn every_client_in_the_batch_sets_memory_aside() {
        let limits = Limits { kv_pool: 200, ..Limits::a10g() };
        let mut waiting = [request(50, 18); 2];
        assert_eq!(limits.admissible([].into_iter(), waiting.iter()), 2);
        waiting[1].client = 1;
        assert_eq!(limits.admissible([].into_iter(), waiting.iter()), 1);
    }

    proptest! {
        #[test]
        fn the_peak_is_what_the_batch_reaches_when_it_runs_to_its_end(
            sizes in prop::collection::vec((0_u32..500, 0_u32..200), 0..20),
        ) {
            let mut batch: Vec<Held> = sizes
                .into_iter()
                .map(|(tokens, remaining)| Held { client: 0, tokens, remaining })
                .collect();
            batch.sort_unstable_by_key(|held| Reverse(held.remaining));
            prop_assert_eq!(peak(&batch), peak_by_running(batch));
        }
    }
}
