//! What a simulated pod reads and writes: how many tokens a text has, prose of a given number of
//! tokens, prompts, and vectors for embeddings.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Bytes of text per token, a fair average for English.
const BYTES_PER_TOKEN: u64 = 4;

/// Numbers in an embedding. Real ones have thousands; nobody searches with these.
const DIMENSIONS: usize = 16;

/// An endless text, one word per token, the same for the same seed.
#[derive(Debug)]
pub struct Prose {
    random: fastrand::Rng,
    sentence: &'static [Words],
    /// Words of the sentence that are written.
    written: usize,
    first: bool,
}

/// Words that may stand in the same place of a sentence.
type Words = &'static [&'static str];

const ARTICLES: Words = &["the", "every", "this", "that", "one", "our"];
const ADJECTIVES: Words = &[
    "quiet", "small", "early", "patient", "bright", "northern", "careful", "distant", "simple", "steady",
    "narrow", "familiar", "heavy", "gentle", "sudden", "honest",
];
const NOUNS: Words = &[
    "river",
    "garden",
    "letter",
    "harbour",
    "teacher",
    "window",
    "mountain",
    "market",
    "lantern",
    "bridge",
    "neighbour",
    "winter",
    "kitchen",
    "sailor",
    "library",
    "orchard",
    "railway",
    "morning",
    "village",
    "carpenter",
];
const VERBS: Words = &[
    "follows",
    "remembers",
    "crosses",
    "answers",
    "carries",
    "finds",
    "keeps",
    "leaves",
    "watches",
    "repairs",
    "measures",
    "greets",
    "shares",
    "reaches",
];
const ADVERBS: Words = &["slowly", "often", "again", "together", "gladly", "twice", "quietly", "today"];
const PLACES: Words = &["near", "behind", "beyond", "under", "beside", "across"];
const LINKS: Words = &["and", "while", "because", "but", "so"];

const SENTENCES: &[&[Words]] = &[
    &[ARTICLES, ADJECTIVES, NOUNS, VERBS, ARTICLES, NOUNS],
    &[ARTICLES, NOUNS, ADVERBS, VERBS, ARTICLES, ADJECTIVES, NOUNS],
    &[ARTICLES, NOUNS, VERBS, ARTICLES, NOUNS, PLACES, ARTICLES, ADJECTIVES, NOUNS],
    &[ARTICLES, NOUNS, VERBS, ARTICLES, NOUNS, LINKS, ARTICLES, ADJECTIVES, NOUNS, VERBS, ADVERBS],
];

/// How many tokens a text of so many bytes has: a quarter, rounded up. Saturates.
#[must_use]
pub fn tokens_of(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(BYTES_PER_TOKEN)).unwrap_or(u32::MAX)
}

/// Prose that a pod reads as exactly `tokens` tokens, the same for the same seed.
#[must_use]
pub fn prompt(seed: u64, tokens: u32) -> String {
    let bytes = tokens as usize * BYTES_PER_TOKEN as usize;
    let mut prose = Prose::new(seed);
    let mut prompt = String::with_capacity(bytes);
    while prompt.len() < bytes {
        prompt.push_str(&prose.next_token());
    }
    // Prose is ASCII: every byte is the end of a character.
    prompt.truncate(bytes);
    prompt
}

/// A vector of length 1 that is the same for the same bytes.
#[must_use]
pub fn embedding(input: &[u8]) -> Vec<f32> {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let mut random = fastrand::Rng::with_seed(hasher.finish());
    let raw: Vec<f32> = (0..DIMENSIONS).map(|_| random.f32() - 0.5).collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.into_iter().map(|x| x / length).collect()
}

// === impl Prose ===

impl Prose {
    /// The text that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), sentence: &[], written: 0, first: true }
    }

    /// The text of the next token: a word with the space before it and the stop after it, if any.
    pub fn next_token(&mut self) -> String {
        let mut token = String::new();
        if !self.first {
            token.push(' ');
        }
        let opens = self.written == self.sentence.len();
        if opens {
            self.sentence = self.pick(SENTENCES);
            self.written = 0;
        }
        let word = self.pick(self.sentence[self.written]);
        if opens {
            // Every word of the lists is ASCII.
            token.push_str(&word[..1].to_ascii_uppercase());
            token.push_str(&word[1..]);
        } else {
            token.push_str(word);
        }
        self.written += 1;
        if self.written == self.sentence.len() {
            token.push('.');
        }
        self.first = false;
        token
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.random.usize(..from.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seed: u64, tokens: usize) -> String {
        let mut prose = Prose::new(seed);
        (0..tokens).map(|_| prose.next_token()).collect()
    }

    #[test]
    fn a_token_is_four_bytes_rounded_up() {
        assert_eq!([0, 1, 4, 5, 4_096].map(tokens_of), [0, 1, 1, 2, 1_024]);
        assert_eq!(tokens_of(u64::MAX), u32::MAX);
    }

    #[test]
    fn a_prompt_has_the_tokens_that_were_asked_for() {
        for tokens in [0, 1, 2, 3, 100] {
            let prompt = prompt(u64::from(tokens), tokens);
            assert_eq!(tokens_of(prompt.len() as u64), tokens);
        }
    }

    #[test]
    fn prose_has_one_word_per_token_and_full_sentences() {
        let text = text(7, 200);
        assert_eq!(text.split(' ').count(), 200);
        let mut opens = true;
        for word in text.split(' ') {
            let letters = word.trim_end_matches('.');
            assert!(letters.chars().all(|letter| letter.is_ascii_alphabetic()));
            assert_eq!(letters.starts_with(|c: char| c.is_uppercase()), opens);
            opens = word.ends_with('.');
        }
    }

    #[test]
    fn a_seed_names_one_text_whose_beginning_does_not_depend_on_its_length() {
        assert_eq!(text(1, 50), text(1, 50));
        assert!(text(1, 50).starts_with(&text(1, 20)));
        assert_ne!(text(1, 50), text(2, 50));
    }

    #[test]
    fn an_embedding_has_length_one_and_belongs_to_its_input() {
        let vector = embedding(b"a river");
        let length: f32 = vector.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5);
        assert_eq!(vector, embedding(b"a river"));
        assert_ne!(vector, embedding(b"a garden"));
    }
}
