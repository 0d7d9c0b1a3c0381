//! Text in whatever lists and objects it is wrapped in.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::prompt::Prompt;

/// A value whose text is gathered: strings, in lists, and in objects under the names that stand for text. Pictures,
/// sounds and files stand under others, and count as nothing.
pub(super) struct Gather<'p, 'a>(pub(super) &'p mut Prompt<'a>);

/// What a member of an object is to a [`Gather`].
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    /// A text, or parts of one: a message's or a block's.
    Content,
    Text,
    Thinking,
    Summary,
    /// What a tool answered.
    Output,
    /// What a tool is called with: text.
    Arguments,
    /// What a tool is called with: JSON.
    Input,
    #[serde(other)]
    Other,
}

// === impl Gather ===

impl<'a> Gather<'_, 'a> {
    /// Gathers the text of a member. What is nested deeper than any message is, is left out.
    pub(super) fn of(self, raw: &'a RawValue) {
        let _ = self.deserialize(&mut serde_json::Deserializer::from_str(raw.get()));
    }
}

impl<'a> DeserializeSeed<'a> for Gather<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Gather<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<(), E> {
        self.0.add(Cow::Borrowed(text), 0);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.add(Cow::Owned(text.to_owned()), 0);
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut items: S) -> Result<(), S::Error> {
        while let Some(()) = items.next_element_seed(Gather(&mut *self.0))? {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'a>>(self, mut members: M) -> Result<(), M::Error> {
        while let Some(name) = members.next_key::<Name>()? {
            match name {
                Name::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
                Name::Input => {
                    let json: &'a RawValue = members.next_value()?;
                    self.0.add(Cow::Borrowed(json.get()), 0);
                }
                _ => members.next_value_seed(Gather(&mut *self.0))?,
            }
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}
