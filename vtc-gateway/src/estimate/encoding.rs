//! OpenAI's vocabularies, to count tokens by.

use std::sync::OnceLock;

use serde::Deserialize;
use tiktoken_rs::CoreBPE;

/// One of OpenAI's encodings. Its vocabulary is in the binary, nothing is fetched; but it has to be unpacked, which no
/// request should wait for: it is done by [`load`](Self::load), and by nobody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// GPT-4's, of 100,000 tokens. Llama 3's and Qwen's vocabularies are built on it.
    #[default]
    Cl100kBase,
    /// GPT-4o's, of 200,000 tokens: more for other languages than English.
    O200kBase,
}

/// The most bytes that are counted of a text; the rest is taken to be as dense. Others wait behind a request while it is
/// counted, so that must have an end. It also keeps the vocabulary's expression, which tries again where it went wrong,
/// far from the limit at which it would give up.
const COUNTED: usize = 16 << 10;

static CL100K: OnceLock<&'static CoreBPE> = OnceLock::new();
static O200K: OnceLock<&'static CoreBPE> = OnceLock::new();

// === impl Encoding ===

impl Encoding {
    /// Unpacks the vocabulary, unless it is there.
    pub fn load(self) {
        match self {
            Self::Cl100kBase => CL100K.get_or_init(tiktoken_rs::cl100k_base_singleton),
            Self::O200kBase => O200K.get_or_init(tiktoken_rs::o200k_base_singleton),
        };
    }

    /// How many tokens a text has; `None` while the vocabulary is not there. Exact for texts of up to 16 KiB; of a
    /// longer one the beginning is counted, and the rest by the same measure.
    #[must_use]
    pub fn count(self, text: &str) -> Option<f64> {
        let vocabulary = match self {
            Self::Cl100kBase => CL100K.get(),
            Self::O200kBase => O200K.get(),
        }?;
        let end = text.floor_char_boundary(COUNTED);
        let counted = vocabulary.encode_ordinary(&text[..end]).len() as f64;
        Some(if end == text.len() { counted } else { (counted * text.len() as f64 / end as f64).ceil() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_counted_as_openai_does() {
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            encoding.load();
            assert_eq!(encoding.count(""), Some(0.0));
            assert_eq!(encoding.count("hello world"), Some(2.0));
        }
        // Source: the cookbook of OpenAI, "How to count tokens with tiktoken".
        assert_eq!(Encoding::Cl100kBase.count("tiktoken is great!"), Some(6.0));
        assert_eq!(Encoding::O200kBase.count("tiktoken is great!"), Some(6.0));
        assert_eq!(Encoding::Cl100kBase.count("お誕生日おめでとう"), Some(9.0));
        assert_eq!(Encoding::O200kBase.count("お誕生日おめでとう"), Some(8.0));
    }

    #[test]
    fn no_run_of_anything_makes_it_give_up() {
        for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
            encoding.load();
            for piece in [
                " ", "\t", "\n", " \n", "\r", "\u{a0}", "a", "A", "aA", "é", "e\u{301}", "1", "!", "'", "'s",
                "/", "\0",
            ] {
                for end in ["", "x", "\n", "!", "1"] {
                    let text = piece.repeat(COUNTED / piece.len() - 1) + end;
                    assert!(encoding.count(&text).unwrap() > 0.0, "{piece:?} {end:?}");
                }
            }
        }
    }

    #[test]
    fn a_long_text_is_taken_to_be_as_dense_as_its_beginning() {
        Encoding::Cl100kBase.load();
        let count = |words: usize| Encoding::Cl100kBase.count(&"word ".repeat(words)).unwrap();
        let (exact, long) = (count(3000), count(300_000));
        assert!((long / exact - 100.0).abs() < 0.5, "{exact} {long}");
        // A cut never falls into a character.
        let wide = "ö".repeat(COUNTED);
        assert!(Encoding::Cl100kBase.count(&format!("a{wide}")).unwrap() > 1000.0);
    }
}
