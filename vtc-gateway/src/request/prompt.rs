//! The text of a request that its pod will read.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::text::Gather;
use super::{Kind, Member, RequestError, text};

/// Text to be estimated, tokens to be counted, and how many prompts they make.
#[derive(Debug, Default)]
pub(super) struct Prompt<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) tokens: usize,
    pub(super) count: usize,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

/// A prompt, an item of a list of prompts, or a token id, by how many lists are around it.
struct Item<'p, 'a> {
    prompt: &'p mut Prompt<'a>,
    depth: u8,
}

// === impl Prompt ===

impl<'a> Prompt<'a> {
    /// The prompt of a chat: its messages, and the raw JSON of what defines tools.
    ///
    /// Content is a string, or a list of parts of which the ones with text count; parts of other kinds
    /// (images, audio, servers' own) count as nothing.
    pub(super) fn of_chat(
        messages: Option<&'a RawValue>,
        definitions: [Option<&'a RawValue>; 2],
    ) -> Result<Self, RequestError> {
        let messages = messages.ok_or(RequestError::Missing {
            param: "messages",
            what: "send the conversation as a list of messages",
        })?;
        let wanted = RequestError::wrong("messages", "a list of messages");
        if Kind::of(messages) != Kind::Array {
            return Err(wanted);
        }
        let list: Vec<&RawValue> = serde_json::from_str(messages.get()).map_err(|_| wanted)?;
        let mut prompt = Self { count: 1, ..Self::default() };
        let room = messages.get().len();
        for (index, message) in list.into_iter().enumerate() {
            prompt.add_message(message, room, |field, wanted| RequestError::WrongMessage {
                index,
                field,
                wanted,
            })?;
        }
        for definition in definitions.into_iter().flatten() {
            prompt.add(Cow::Borrowed(definition.get()), room);
        }
        Ok(prompt)
    }

    /// The prompts of the other endpoints: a text, a list of texts, the token ids of one prompt, or a
    /// list of lists of ids. Objects in a list (llama.cpp's prompts with images) count as a prompt
    /// without text, since only their server knows what is in them.
    pub(super) fn of_texts(param: &'static str, raw: Option<&'a RawValue>) -> Result<Self, RequestError> {
        let mut prompt = Self::default();
        let Some(raw) = raw else {
            return Ok(prompt);
        };
        let item = Item { prompt: &mut prompt, depth: 0 };
        let mut json = serde_json::Deserializer::from_str(raw.get());
        item.deserialize(&mut json).map_err(|_| {
            let wanted = "a text, a list of texts, a list of token ids, or a list of lists of token ids";
            RequestError::wrong(param, wanted)
        })?;
        Ok(prompt)
    }

    /// The text that is in these members, wherever in them: a prompt.
    pub(super) fn within(members: impl Iterator<Item = (Member, Option<&'a RawValue>)>) -> Self {
        let mut prompt = Self { count: 1, ..Self::default() };
        for (member, raw) in members {
            match raw {
                None => {}
                Some(definitions) if member == Member::Tools => {
                    prompt.add(Cow::Borrowed(definitions.get()), 0);
                }
                Some(raw) => Gather(&mut prompt).of(raw),
            }
        }
        prompt
    }

    fn add_message(
        &mut self,
        raw: &'a RawValue,
        room: usize,
        wrong: impl Fn(&'static str, &'static str) -> RequestError,
    ) -> Result<(), RequestError> {
        const CONTENT: &str = "a string, a list of parts, or null";
        if Kind::of(raw) != Kind::Object {
            return Err(wrong("", "an object"));
        }
        let message: Message<'a> =
            serde_json::from_str(raw.get()).map_err(|_| wrong("", "an object that names each field once"))?;
        match message.content.map(|content| (content, Kind::of(content))) {
            None => {}
            Some((content, Kind::String)) => {
                let content = text(content).ok_or_else(|| wrong(".content", CONTENT))?;
                self.add(content, room);
            }
            Some((content, Kind::Array)) => {
                let parts: Vec<&RawValue> =
                    serde_json::from_str(content.get()).map_err(|_| wrong(".content", CONTENT))?;
                for part in parts.into_iter().filter_map(text_of_part) {
                    self.add(part, room);
                }
            }
            Some(_) => return Err(wrong(".content", CONTENT)),
        }
        for calls in [message.tool_calls, message.function_call].into_iter().flatten() {
            self.add(Cow::Borrowed(calls.get()), room);
        }
        Ok(())
    }

    /// Adds a line. `room` is how long the text may get, if that is known, so that it moves only once.
    pub(super) fn add(&mut self, piece: Cow<'a, str>, room: usize) {
        if self.text.is_empty() {
            self.text = piece;
        } else if !piece.is_empty() {
            let text = self.text.to_mut();
            text.reserve(room.saturating_sub(text.len()).max(piece.len() + 1));
            text.push('\n');
            text.push_str(&piece);
        }
    }
}

fn text_of_part(part: &RawValue) -> Option<Cow<'_, str>> {
    match Kind::of(part) {
        Kind::String => text(part),
        Kind::Object => {
            let part: Part<'_> = serde_json::from_str(part.get()).ok()?;
            part.text.and_then(text)
        }
        _ => None,
    }
}

// === impl Item ===

impl<'a> Item<'_, 'a> {
    /// A text counts as a prompt wherever it stands.
    fn take(self, text: Cow<'a, str>) {
        self.prompt.count += 1;
        self.prompt.add(text, 0);
    }
}

impl<'a> DeserializeSeed<'a> for Item<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Item<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, token ids, or lists of them")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<(), E> {
        self.take(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.take(Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_u64<E: Error>(self, _id: u64) -> Result<(), E> {
        if self.depth == 0 {
            return Err(E::custom("a lone token id"));
        }
        self.prompt.tokens += 1;
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut items: S) -> Result<(), S::Error> {
        const DEEPEST: u8 = 2;
        let depth = self.depth + 1;
        if depth > DEEPEST {
            return Err(S::Error::custom("too many lists within lists"));
        }
        let (count, tokens) = (self.prompt.count, self.prompt.tokens);
        let prompt = &mut *self.prompt;
        while let Some(()) = items.next_element_seed(Item { prompt, depth })? {}
        // The ids of a list are one prompt together; an inner list is one whatever is in it.
        if depth == DEEPEST {
            prompt.count = count + 1;
        } else if prompt.count == count && prompt.tokens > tokens {
            prompt.count += 1;
        }
        Ok(())
    }

    fn visit_map<M: MapAccess<'a>>(self, mut members: M) -> Result<(), M::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.prompt.count += 1;
        Ok(())
    }
}
