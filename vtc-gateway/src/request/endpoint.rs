//! The endpoints that do work on a pod, and what each is like.

use super::Member;

/// An endpoint of the APIs that servers of models offer. What it is like is in its [`Description`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`.
    ChatCompletions,
    /// `POST /v1/completions`.
    Completions,
    /// `POST /v1/embeddings`.
    Embeddings,
    /// `POST /v1/responses`.
    Responses,
    /// Anthropic's `POST /v1/messages`.
    Messages,
    /// `POST /v1/rerank`.
    Rerank,
    /// vLLM's `POST /v1/score`.
    Score,
    /// vLLM's and llama.cpp's `POST /tokenize`.
    Tokenize,
    /// vLLM's and llama.cpp's `POST /detokenize`.
    Detokenize,
    /// llama.cpp's own `POST /completion`.
    LlamaCompletion,
    /// `POST /v1/audio/transcriptions`.
    Transcriptions,
    /// `POST /v1/audio/translations`.
    Translations,
    /// `POST /v1/audio/speech`.
    Speech,
    /// `POST /v1/images/generations`.
    ImageGenerations,
    /// `POST /v1/images/edits`.
    ImageEdits,
    /// `POST /v1/images/variations`.
    ImageVariations,
    /// Whatever else there may be under `/v1/`, by any method: nothing about it is certain.
    Other,
}

/// What an endpoint is like, as far as a gateway has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// The paths of its URL. The first is its name, in metrics; pods get the one that the client chose.
    pub paths: &'static [&'static str],
    /// Whether its bodies come as `multipart/form-data`, too, and not only as JSON.
    pub takes_forms: bool,
    /// Whether a request has to name its model. Where it need not, any pod may serve it.
    pub needs_model: bool,
    /// Where the text is that a pod will read.
    pub text: TextAt,
    /// The members that limit what a pod writes: the first that is there counts.
    pub caps: &'static [Member],
    /// Whether pods write tokens.
    pub writes: bool,
    /// How a stream of it tells its usage; `None`: its answers are no streams of events.
    pub streams: Option<StreamUsage>,
}

/// Where in a body the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextAt {
    /// In the messages of a chat of OpenAI's, and its definitions of tools.
    Chat,
    /// In that member: a text, several of them, or token ids.
    Prompts(Member),
    /// In these members, in whatever lists and objects. Definitions of tools count as the JSON they are.
    Within(&'static [Member]),
}

/// How a stream tells its usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamUsage {
    /// If it is asked to, by `stream_options` or `timings_per_token`. Whether its chunks say `"usage":null` if it is
    /// not.
    Asked {
        /// Whether they do.
        null_unasked: bool,
    },
    /// Always, or never: there is nothing to ask.
    Unasked,
}

/// What most endpoints are like: a model reads texts and writes none.
const READS: Description = Description {
    paths: &[],
    takes_forms: false,
    needs_model: true,
    text: TextAt::Prompts(Member::Input),
    caps: &[],
    writes: false,
    streams: None,
};

/// What the endpoints of files are like: only a form tells the model.
const FILES: Description =
    Description { takes_forms: true, text: TextAt::Within(&[Member::Prompt]), ..READS };

const LEGACY_CAPS: &[Member] = &[Member::MaxCompletionTokens, Member::MaxTokens];

// === impl Endpoint ===

impl Endpoint {
    /// All that have paths of their own.
    pub const ALL: [Self; 16] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::Messages,
        Self::Rerank,
        Self::Score,
        Self::Tokenize,
        Self::Detokenize,
        Self::LlamaCompletion,
        Self::Transcriptions,
        Self::Translations,
        Self::Speech,
        Self::ImageGenerations,
        Self::ImageEdits,
        Self::ImageVariations,
    ];

    /// The path of its URL, by which metrics know it; `/v1/*` for [`Other`](Self::Other).
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self.description().paths {
            [first, ..] => first,
            [] => "/v1/*",
        }
    }

    /// What it is like.
    #[must_use]
    pub const fn description(self) -> Description {
        use Member::{
            Content, Data1, Data2, Documents, Input, Instructions, Items, MaxOutputTokens, MaxTokens,
            Messages, NPredict, Prompt, Queries, Query, System, Text, Text1, Text2, Tokens, Tools,
        };
        match self {
            Self::ChatCompletions => Description {
                paths: &["/v1/chat/completions"],
                text: TextAt::Chat,
                caps: LEGACY_CAPS,
                writes: true,
                streams: Some(StreamUsage::Asked { null_unasked: false }),
                ..READS
            },
            Self::Completions => Description {
                paths: &["/v1/completions"],
                text: TextAt::Prompts(Prompt),
                caps: LEGACY_CAPS,
                writes: true,
                // In vLLM; a chat has no such member.
                streams: Some(StreamUsage::Asked { null_unasked: true }),
                ..READS
            },
            Self::Embeddings => Description { paths: &["/v1/embeddings"], ..READS },
            Self::Responses => Description {
                paths: &["/v1/responses"],
                text: TextAt::Within(&[Instructions, Input, Tools]),
                caps: &[MaxOutputTokens],
                writes: true,
                streams: Some(StreamUsage::Unasked),
                ..READS
            },
            Self::Messages => Description {
                paths: &["/v1/messages"],
                text: TextAt::Within(&[System, Messages, Tools]),
                caps: &[MaxTokens],
                writes: true,
                streams: Some(StreamUsage::Unasked),
                ..READS
            },
            Self::Rerank => Description {
                paths: &["/v1/rerank", "/rerank", "/v2/rerank", "/v1/reranking", "/reranking"],
                text: TextAt::Within(&[Query, Documents]),
                ..READS
            },
            Self::Score => Description {
                paths: &["/v1/score", "/score"],
                text: TextAt::Within(&[Text1, Text2, Data1, Data2, Query, Queries, Documents, Items]),
                ..READS
            },
            Self::Tokenize => Description {
                paths: &["/tokenize", "/v1/tokenize"],
                needs_model: false,
                text: TextAt::Within(&[Prompt, Messages, Content, Tools]),
                ..READS
            },
            Self::Detokenize => Description {
                paths: &["/detokenize", "/v1/detokenize"],
                needs_model: false,
                text: TextAt::Prompts(Tokens),
                ..READS
            },
            Self::LlamaCompletion => Description {
                paths: &["/completion"],
                needs_model: false,
                text: TextAt::Prompts(Prompt),
                caps: &[NPredict],
                writes: true,
                streams: Some(StreamUsage::Unasked),
                ..READS
            },
            Self::Transcriptions => Description {
                paths: &["/v1/audio/transcriptions"],
                writes: true,
                streams: Some(StreamUsage::Unasked),
                ..FILES
            },
            Self::Translations => Description {
                paths: &["/v1/audio/translations"],
                writes: true,
                streams: Some(StreamUsage::Unasked),
                ..FILES
            },
            Self::Speech => Description {
                paths: &["/v1/audio/speech"],
                text: TextAt::Within(&[Instructions, Input]),
                streams: Some(StreamUsage::Unasked),
                ..READS
            },
            Self::ImageGenerations => Description {
                paths: &["/v1/images/generations"],
                text: TextAt::Within(&[Prompt]),
                streams: Some(StreamUsage::Unasked),
                ..READS
            },
            Self::ImageEdits => {
                Description { paths: &["/v1/images/edits"], streams: Some(StreamUsage::Unasked), ..FILES }
            }
            Self::ImageVariations => Description { paths: &["/v1/images/variations"], ..FILES },
            Self::Other => Description {
                takes_forms: true,
                needs_model: false,
                text: TextAt::Within(&[
                    System,
                    Instructions,
                    Messages,
                    Prompt,
                    Input,
                    Query,
                    Queries,
                    Documents,
                    Text,
                    Content,
                    Tools,
                ]),
                caps: &[],
                streams: Some(StreamUsage::Unasked),
                ..READS
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_path_is_one_endpoints() {
        let paths: Vec<_> = Endpoint::ALL.iter().flat_map(|endpoint| endpoint.description().paths).collect();
        assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len());
        assert!(paths.iter().all(|path| path.starts_with('/') && !path.ends_with('/')));
        assert!(Endpoint::ALL.iter().all(|endpoint| !endpoint.description().paths.is_empty()));
        assert_eq!(Endpoint::Other.path(), "/v1/*");
    }

    #[test]
    fn only_what_writes_can_be_capped() {
        for endpoint in Endpoint::ALL {
            let Description { caps, writes, .. } = endpoint.description();
            assert!(writes || caps.is_empty(), "{endpoint:?}");
        }
    }
}
