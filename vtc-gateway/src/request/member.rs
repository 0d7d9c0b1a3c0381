//! The members of a JSON body that are read, as they stand there.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A member of a body that some endpoint reads. All others pass unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum Member {
    Model,
    Messages,
    Tools,
    Functions,
    Prompt,
    Input,
    Instructions,
    System,
    Query,
    Queries,
    Documents,
    #[serde(rename = "text_1")]
    Text1,
    #[serde(rename = "text_2")]
    Text2,
    #[serde(rename = "data_1")]
    Data1,
    #[serde(rename = "data_2")]
    Data2,
    Items,
    Tokens,
    Content,
    Text,
    MaxCompletionTokens,
    MaxTokens,
    MaxOutputTokens,
    NPredict,
    N,
    Stream,
    StreamOptions,
    TimingsPerToken,
    /// None of these.
    #[serde(other)]
    Unread,
}

/// What a body says of each [`Member`].
#[derive(Clone, Debug, Default)]
pub(super) struct Members<'a>([Option<&'a RawValue>; Member::Unread as usize]);

// === impl Member ===

impl Member {
    /// How it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Messages => "messages",
            Self::Tools => "tools",
            Self::Functions => "functions",
            Self::Prompt => "prompt",
            Self::Input => "input",
            Self::Instructions => "instructions",
            Self::System => "system",
            Self::Query => "query",
            Self::Queries => "queries",
            Self::Documents => "documents",
            Self::Text1 => "text_1",
            Self::Text2 => "text_2",
            Self::Data1 => "data_1",
            Self::Data2 => "data_2",
            Self::Items => "items",
            Self::Tokens => "tokens",
            Self::Content => "content",
            Self::Text => "text",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxTokens => "max_tokens",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::NPredict => "n_predict",
            Self::N => "n",
            Self::Stream => "stream",
            Self::StreamOptions => "stream_options",
            Self::TimingsPerToken => "timings_per_token",
            Self::Unread => "",
        }
    }
}

// === impl Members ===

impl<'a> Members<'a> {
    /// Its value; nothing if it is absent or null.
    pub(super) fn get(&self, member: Member) -> Option<&'a RawValue> {
        self.even_null(member).filter(|raw| raw.get() != "null")
    }

    /// Its value, be it null; nothing if it is absent.
    pub(super) fn even_null(&self, member: Member) -> Option<&'a RawValue> {
        self.0.get(member as usize).copied().flatten()
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut object: M) -> Result<Members<'de>, M::Error> {
                let mut members = Members::default();
                while let Some(member) = object.next_key::<Member>()? {
                    let Some(seat) = members.0.get_mut(member as usize) else {
                        object.next_value::<IgnoredAny>()?;
                        continue;
                    };
                    if seat.is_some() {
                        return Err(M::Error::duplicate_field(member.name()));
                    }
                    *seat = Some(object.next_value()?);
                }
                Ok(members)
            }
        }

        value.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_by_its_name_however_it_is_escaped() {
        let json = r#"{"text_1":1,"n_predict":null,"mod\u0065l":"m","else":{"model":2},"model ":3}"#;
        let members: Members<'_> = serde_json::from_str(json).unwrap();
        let get = |member| members.get(member).map(RawValue::get);
        assert_eq!(get(Member::Text1), Some("1"));
        assert_eq!(get(Member::Model), Some("\"m\""));
        assert_eq!(get(Member::NPredict), None);
        assert_eq!(members.even_null(Member::NPredict).map(RawValue::get), Some("null"));
        assert_eq!(get(Member::Unread), None);
    }

    #[test]
    fn a_member_that_stands_twice_is_an_error_by_its_name() {
        let error = serde_json::from_str::<Members<'_>>(r#"{"max_tokens":1,"max_tokens":null}"#).unwrap_err();
        assert!(error.to_string().contains("duplicate field `max_tokens`"), "{error}");
    }

    #[test]
    fn names_and_members_are_one_to_one() {
        let mut at = 0;
        loop {
            let name = NAMES_IN_ORDER[at];
            let member: Member = serde_json::from_str(&format!("\"{name}\"")).unwrap();
            assert_eq!((member as usize, member.name()), (at, name));
            at += 1;
            if at == Member::Unread as usize {
                break;
            }
        }
    }

    const NAMES_IN_ORDER: [&str; Member::Unread as usize] = [
        "model",
        "messages",
        "tools",
        "functions",
        "prompt",
        "input",
        "instructions",
        "system",
        "query",
        "queries",
        "documents",
        "text_1",
        "text_2",
        "data_1",
        "data_2",
        "items",
        "tokens",
        "content",
        "text",
        "max_completion_tokens",
        "max_tokens",
        "max_output_tokens",
        "n_predict",
        "n",
        "stream",
        "stream_options",
        "timings_per_token",
    ];
}
