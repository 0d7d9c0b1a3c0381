//! Edits of JSON text in place: whatever lies outside an edit stays byte for byte as it was.

use bytes::{Bytes, BytesMut};

/// A part of a text: from byte `start` up to, but not including, byte `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// One edit: what stands at `at` gives way to `with`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Splice<'w> {
    pub(crate) at: Span,
    pub(crate) with: &'w str,
}

/// The text with the edits made; the same text (and no copy) when there are none.
///
/// Edits at one place happen in the order given; edits must not overlap.
pub(crate) fn splice(text: &Bytes, edits: &mut [Splice<'_>]) -> Bytes {
    if edits.is_empty() {
        return text.clone();
    }
    edits.sort_by_key(|edit| edit.at.start);
    let added: usize = edits.iter().map(|edit| edit.with.len()).sum();
    let mut out = BytesMut::with_capacity(text.len() + added);
    let mut done = 0;
    for edit in &*edits {
        out.extend_from_slice(&text[done..edit.at.start]);
        out.extend_from_slice(edit.with.as_bytes());
        done = edit.at.end;
    }
    out.extend_from_slice(&text[done..]);
    out.freeze()
}

// === impl Splice ===

impl<'w> Splice<'w> {
    /// Puts `with` before byte `at`.
    pub(crate) const fn insert(at: usize, with: &'w str) -> Self {
        let at = Span { start: at, end: at };
        Self { at, with }
    }
}

// === impl Span ===

impl Span {
    /// Where `part` lies inside `whole`; nothing unless it is a slice of it.
    pub(crate) fn of(part: &[u8], whole: &[u8]) -> Option<Self> {
        let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
        let end = start.checked_add(part.len())?;
        (end <= whole.len()).then_some(Self { start, end })
    }

    /// Widens the span of a member's value to all that goes when the member leaves its object: the key,
    /// the value, and one comma if it has neighbours.
    ///
    /// `json` must be valid, and the key one whose text holds no quote (as no name of ours does, however
    /// it is escaped), so that the quote before the closing one opens it.
    pub(crate) fn whole_member(self, json: &[u8]) -> Option<Self> {
        let colon = last_solid(&json[..self.start])?;
        let closing = last_solid(&json[..colon])?;
        let opening = json[..closing].iter().rposition(|&byte| byte == b'"')?;
        let before = last_solid(&json[..opening])?;
        if json[before] == b',' {
            return Some(Self { start: before, end: self.end });
        }
        let after = self.end + json[self.end..].iter().position(is_solid)?;
        let end = if json[after] == b',' { after + 1 } else { self.end };
        Some(Self { start: opening, end })
    }
}

/// Whether a byte is anything but JSON's whitespace.
pub(crate) const fn is_solid(byte: &u8) -> bool {
    !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn last_solid(text: &[u8]) -> Option<usize> {
    text.iter().rposition(is_solid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(json: &str, value: &str) -> String {
        let start = json.find(value).unwrap();
        let span = Span { start, end: start + value.len() };
        let at = span.whole_member(json.as_bytes()).unwrap();
        let edited = splice(&Bytes::from(json.to_owned()), &mut [Splice { at, with: "" }]);
        String::from_utf8(edited.to_vec()).unwrap()
    }

    #[test]
    fn a_member_leaves_with_exactly_one_comma() {
        assert_eq!(cut(r#"{"a":1,"b":[2],"c":3}"#, "[2]"), r#"{"a":1,"c":3}"#);
        assert_eq!(cut(r#"{"b":[2],"c":3}"#, "[2]"), r#"{"c":3}"#);
        assert_eq!(cut(r#"{"a":1,"b":[2]}"#, "[2]"), r#"{"a":1}"#);
        assert_eq!(cut(r#"{"b":[2]}"#, "[2]"), "{}");
        assert_eq!(cut("{ \"b\" :\n[2]\t,\r\n\"c\" : 3 }", "[2]"), "{ \r\n\"c\" : 3 }");
        assert_eq!(cut("{ \"a\" : \"}\" , \"b\" : [2] }", "[2]"), "{ \"a\" : \"}\"  }");
        assert_eq!(cut(r#"{"a":"\"","\u0062":[2]}"#, "[2]"), r#"{"a":"\""}"#, "an escaped key");
    }

    #[test]
    fn a_text_without_edits_is_the_same_memory() {
        let text = Bytes::from_static(b"abc");
        assert_eq!(splice(&text, &mut []).as_ptr(), text.as_ptr());
    }

    #[test]
    fn edits_at_one_place_happen_in_the_order_given_wherever_others_are() {
        let text = Bytes::from_static(b"{xyz}");
        let replaced = Splice { at: Span { start: 2, end: 3 }, with: "Y" };
        let mut edits = [replaced, Splice::insert(1, "1"), Splice::insert(1, "2")];
        assert_eq!(&splice(&text, &mut edits)[..], b"{12xYz}");
    }

    #[test]
    fn a_slice_of_another_text_has_no_place() {
        let whole = [b"abc".to_vec(), b"abc".to_vec()];
        assert_eq!(Span::of(&whole[0], &whole[1]), None);
        assert_eq!(Span::of(&whole[0][1..], &whole[0]), Some(Span { start: 1, end: 3 }));
    }
}
