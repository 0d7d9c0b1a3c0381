//! The usage of a stream as it flows by.

use std::collections::BTreeMap;

use super::{StreamPart, Usage};

/// Adds up what the events of one stream say.
///
/// Servers report in two ways. With a choice comes what *that choice* has cost so far (vLLM's and
/// SGLang's continuous usage, llama.cpp's timings and the usage in its last chunks), so a request for
/// several choices costs the sum of them, and each prompt once. Without a choice comes the whole: once,
/// or (llama.cpp) once per choice.
#[derive(Clone, Debug)]
pub struct Tally {
    n: u64,
    /// The greatest count seen: output by choice, input and cached by prompt.
    outputs: BTreeMap<u64, u64>,
    inputs: BTreeMap<u64, u64>,
    cached: BTreeMap<u64, u64>,
    /// The sums over the maps.
    by_choice: Usage,
    whole: Usage,
    told: bool,
    deltas: u64,
}

// === impl Tally ===

impl Tally {
    /// For a stream of `n` choices per prompt: choice `i` answers prompt `i / n`, as servers number
    /// them. 0 is taken for 1.
    #[must_use]
    pub fn new(n: u64) -> Self {
        Self {
            n: n.max(1),
            outputs: BTreeMap::new(),
            inputs: BTreeMap::new(),
            cached: BTreeMap::new(),
            by_choice: Usage::default(),
            whole: Usage::default(),
            told: false,
            deltas: 0,
        }
    }

    /// Takes the next event. Logarithmic in the number of choices.
    pub fn add(&mut self, part: &StreamPart) {
        self.deltas += part.deltas;
        let Some(usage) = part.usage else { return };
        self.told = true;
        if part.only_usage {
            let whole = &mut self.whole;
            whole.input_tokens = whole.input_tokens.max(usage.input_tokens);
            whole.cached_tokens = whole.cached_tokens.max(usage.cached_tokens);
            whole.output_tokens = if self.n == 1 {
                whole.output_tokens.max(usage.output_tokens)
            } else {
                whole.output_tokens.saturating_add(usage.output_tokens)
            };
            return;
        }
        let choice = part.choice.unwrap_or(0);
        let prompt = choice / self.n;
        let sum = &mut self.by_choice;
        raise(&mut self.outputs, choice, usage.output_tokens, &mut sum.output_tokens);
        raise(&mut self.inputs, prompt, usage.input_tokens, &mut sum.input_tokens);
        raise(&mut self.cached, prompt, usage.cached_tokens, &mut sum.cached_tokens);
    }

    /// The usage so far, if the pod has told any. It never shrinks.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.told.then(|| Usage {
            input_tokens: self.by_choice.input_tokens.max(self.whole.input_tokens),
            output_tokens: self.by_choice.output_tokens.max(self.whole.output_tokens),
            cached_tokens: self.by_choice.cached_tokens.max(self.whole.cached_tokens),
        })
    }

    /// Tokens written so far: what the pod told, but at least one for each piece of new content. Some tell at the
    /// beginning what they have read, and only at the end what they have written.
    #[must_use]
    pub fn output_tokens(&self) -> u64 {
        self.usage().map_or(0, |usage| usage.output_tokens).max(self.deltas)
    }
}

/// Lifts the count under `key` to `count`, if that is more, and the sum with it.
fn raise(counts: &mut BTreeMap<u64, u64>, key: u64, count: u64, sum: &mut u64) {
    let before = counts.entry(key).or_default();
    let by = count.saturating_sub(*before);
    *before += by;
    *sum = sum.saturating_add(by);
}
