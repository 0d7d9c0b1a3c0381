//! What clients ask a pod for: the bodies of OpenAI's endpoints, as far as they matter to a pod that
//! only counts.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::demo::text;

/// Output tokens of a request that sets no limit.
const DEFAULT_OUTPUT_TOKENS: u32 = 64;

/// The most texts of one request for embeddings.
const MOST_INPUTS: usize = 2048;

/// Which of the two endpoints for text was asked. They differ in the shape of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Text,
}

/// Where a streamed answer tells its usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UsageIn {
    /// In no chunk.
    Nowhere,
    /// In one more chunk at the end; the others say `null`.
    LastChunk,
    /// In that one, and the usage so far in all the others.
    EveryChunk,
}

/// A text that is to be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Generation {
    pub(super) style: Style,
    pub(super) model: String,
    /// Who asks, if the body says so.
    pub(super) user: Option<String>,
    pub(super) prompt_tokens: u32,
    /// At least 1.
    pub(super) output_tokens: u32,
    /// Whether the client set the limit. The answer's end is the limit's doing then.
    pub(super) limited: bool,
    /// How to stream, if the answer is to be streamed.
    pub(super) stream: Option<UsageIn>,
}

/// Texts that are to become vectors.
#[derive(Debug)]
pub(super) struct Embeddings {
    pub(super) model: String,
    /// Who asks, if the body says so.
    pub(super) user: Option<String>,
    /// At least one, at most [`MOST_INPUTS`].
    pub(super) inputs: Vec<Input>,
}

/// One text to embed or to continue.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) bytes: Vec<u8>,
    pub(super) tokens: u32,
}

#[derive(Deserialize)]
struct GenerationBody {
    model: String,
    user: Option<String>,
    messages: Option<Vec<Message>>,
    prompt: Option<OneOrMany>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    n: Option<u32>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
    continuous_usage_stats: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part of a message. Images and sounds have no text and count nothing.
#[derive(Deserialize)]
struct Part {
    text: Option<String>,
}

#[derive(Deserialize)]
struct EmbeddingsBody {
    model: String,
    user: Option<String>,
    input: OneOrMany,
}

/// The four ways to give texts: a string or a list of token numbers, and lists of these.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Text(String),
    Tokens(Vec<u32>),
    Texts(Vec<String>),
    TokenLists(Vec<Vec<u32>>),
}

// === impl Generation ===

impl Generation {
    /// Reads the body of `style`'s endpoint.
    pub(super) fn read(style: Style, body: &[u8]) -> Result<Self, ApiError> {
        let body: GenerationBody = parse(body)?;
        if body.n.is_some_and(|n| n != 1) {
            return Err(ApiError::bad_field("n", "only one choice is made: leave out n"));
        }
        let prompt_tokens = match style {
            Style::Chat => body.chat_tokens()?,
            Style::Text => body.prompt_tokens()?,
        };
        let limit = body.output_limit()?;
        Ok(Self {
            style,
            stream: body.usage_in()?,
            model: body.model,
            user: body.user,
            prompt_tokens,
            output_tokens: limit.unwrap_or(DEFAULT_OUTPUT_TOKENS),
            limited: limit.is_some(),
        })
    }
}

// === impl GenerationBody ===

impl GenerationBody {
    fn chat_tokens(&self) -> Result<u32, ApiError> {
        match self.messages.as_deref() {
            None | Some([]) => Err(ApiError::bad_field("messages", "give at least one message")),
            Some(messages) => Ok(text::tokens_of(messages.iter().map(Message::bytes).sum())),
        }
    }

    fn prompt_tokens(&self) -> Result<u32, ApiError> {
        let inputs = self.prompt.as_ref().map(OneOrMany::inputs);
        match inputs.as_deref() {
            Some([input]) => Ok(input.tokens),
            _ => Err(ApiError::bad_field("prompt", "give exactly one prompt")),
        }
    }

    fn output_limit(&self) -> Result<Option<u32>, ApiError> {
        match (self.max_completion_tokens, self.max_tokens) {
            (Some(0), _) => {
                Err(ApiError::bad_field("max_completion_tokens", "max_completion_tokens must be at least 1"))
            }
            (None, Some(0)) => Err(ApiError::bad_field("max_tokens", "max_tokens must be at least 1")),
            (newer, older) => Ok(newer.or(older)),
        }
    }

    fn usage_in(&self) -> Result<Option<UsageIn>, ApiError> {
        let streams = self.stream.unwrap_or(false);
        let Some(options) = &self.stream_options else {
            return Ok(streams.then_some(UsageIn::Nowhere));
        };
        if !streams {
            return Err(ApiError::bad_field("stream_options", "stream_options goes with stream: true only"));
        }
        let included = options.include_usage.unwrap_or(false);
        let continuous = options.continuous_usage_stats.unwrap_or(false);
        Ok(Some(match (included, continuous) {
            (false, _) => UsageIn::Nowhere,
            (true, false) => UsageIn::LastChunk,
            (true, true) => UsageIn::EveryChunk,
        }))
    }
}

// === impl Message ===

impl Message {
    fn bytes(&self) -> u64 {
        match &self.content {
            None => 0,
            Some(Content::Text(text)) => text.len() as u64,
            Some(Content::Parts(parts)) => {
                parts.iter().filter_map(|part| part.text.as_deref()).map(|text| text.len() as u64).sum()
            }
        }
    }
}

// === impl Embeddings ===

impl Embeddings {
    /// Reads the body of `/v1/embeddings`.
    pub(super) fn read(body: &[u8]) -> Result<Self, ApiError> {
        let body: EmbeddingsBody = parse(body)?;
        let inputs = body.input.inputs();
        if !(1..=MOST_INPUTS).contains(&inputs.len()) {
            return Err(ApiError::bad_field("input", "give at least 1 input and at most 2048"));
        }
        Ok(Self { model: body.model, user: body.user, inputs })
    }
}

// === impl OneOrMany ===

impl OneOrMany {
    /// The texts, none for an empty list.
    fn inputs(&self) -> Vec<Input> {
        match self {
            Self::Text(text) => vec![Input::text(text)],
            Self::Tokens(tokens) if tokens.is_empty() => Vec::new(),
            Self::Tokens(tokens) => vec![Input::tokens(tokens)],
            Self::Texts(texts) => texts.iter().map(|text| Input::text(text)).collect(),
            Self::TokenLists(lists) => lists.iter().map(|list| Input::tokens(list)).collect(),
        }
    }
}

// === impl Input ===

impl Input {
    fn text(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec(), tokens: text::tokens_of(text.len() as u64) }
    }

    fn tokens(tokens: &[u32]) -> Self {
        Self {
            bytes: tokens.iter().flat_map(|token| token.to_le_bytes()).collect(),
            tokens: u32::try_from(tokens.len()).unwrap_or(u32::MAX),
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::bad_body(&error))
}
