//! Server-sent events: a stream of bytes cut into events, and the data of an event.
//!
//! Source: WHATWG HTML, section 9.2, "Server-sent events". An event ends with a blank line, and a line
//! with LF, CRLF or CR.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use crate::splice::Span;

/// The most bytes of an unfinished event that are held back. Events of language models have some
/// hundred bytes; those with the log probabilities of many candidates some ten thousand. Beyond a
/// megabyte it is no such event, and holding it would only cost memory and delay the client.
pub const LONGEST_HELD: usize = 1 << 20;

/// What a splitter gives out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A whole event with the blank line that ends it. It may have no data: a comment, or an extra line
    /// end.
    Event(Bytes),
    /// A part of an event too long to be held: to be passed on, and not to be looked into. The next
    /// event starts behind the last such part.
    Passthrough(Bytes),
}

/// Cuts a stream of bytes into events, and never changes a byte: all pieces and what
/// [`finish`](Self::finish) returns, joined, are the input.
///
/// An event inside one chunk is a slice of it; only one that spans chunks is copied together. At most
/// [`LONGEST_HELD`] bytes are held besides the last chunk. Linear in the bytes pushed.
#[derive(Debug)]
pub struct SseSplitter {
    /// Pushed, and not yet looked at.
    chunk: Bytes,
    /// The beginning of an event whose end has not come.
    held: BytesMut,
    /// Whether the event under way is too long, its beginning given out already.
    too_long: bool,
    lines: Lines,
}

/// Where in an event the bytes seen so far end.
#[derive(Clone, Copy, Debug)]
struct Lines {
    /// Nothing of the event has been seen.
    fresh: bool,
    /// Nothing of the line has been seen.
    blank: bool,
    /// The last byte was a CR at the end of a chunk, so that an LF, if it comes next, belongs to it.
    cr: bool,
}

/// The data of an event, or nothing if it has none: the values of its `data` fields, joined with line
/// feeds. Borrowed if there is just one.
#[must_use]
pub fn data(event: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut values = data_fields(event);
    let first = values.next()?;
    let Some(second) = values.next() else {
        return Some(Cow::Borrowed(first));
    };
    let mut joined = first.to_vec();
    for value in std::iter::once(second).chain(values) {
        joined.push(b'\n');
        joined.extend_from_slice(value);
    }
    Some(Cow::Owned(joined))
}

/// Whether this data is `[DONE]`, which ends a stream in OpenAI's API.
#[must_use]
pub fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]"
}

/// Where in the event a span of its [`data`] lies. A span over several lines covers what is between
/// them, too.
pub(crate) fn in_event(event: &[u8], span: Span) -> Option<Span> {
    // The end is found through the last byte, since behind it another line may begin.
    let last = span.end.checked_sub(1)?;
    Some(Span { start: place(event, span.start)?, end: place(event, last)? + 1 })
}

/// Where in the event the data's byte at `offset` lies.
fn place(event: &[u8], mut offset: usize) -> Option<usize> {
    for value in data_fields(event) {
        // The line feed that joins a value to the next stands for the end of its line.
        if offset <= value.len() {
            return Some(Span::of(value, event)?.start + offset);
        }
        offset -= value.len() + 1;
    }
    None
}

fn data_fields(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines(event).filter_map(|line| match line.strip_prefix(b"data")? {
        [b':', b' ', value @ ..] | [b':', value @ ..] | value @ [] => Some(value),
        _ => None,
    })
}

fn lines(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (line, tail) = rest.split_at(line_end(rest).unwrap_or(rest.len()));
        rest = tail.strip_prefix(b"\r\n").or_else(|| tail.get(1..)).unwrap_or_default();
        Some(line)
    })
}

fn line_end(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| matches!(byte, b'\n' | b'\r'))
}

// === impl Piece ===

impl Piece {
    /// The bytes, whichever they are.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Event(bytes) | Self::Passthrough(bytes) => bytes,
        }
    }
}

// === impl SseSplitter ===

impl SseSplitter {
    /// A splitter at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self { chunk: Bytes::new(), held: BytesMut::new(), too_long: false, lines: Lines::START }
    }

    /// Takes the next bytes of the stream. [`next_event`](Self::next_event) should have returned `None`
    /// before: if it has not, what is left of the chunk before is copied.
    pub fn push(&mut self, chunk: Bytes) {
        self.chunk =
            if self.chunk.is_empty() { chunk } else { [&self.chunk[..], &chunk[..]].concat().into() };
    }

    /// The next piece, or nothing until more bytes are pushed.
    pub fn next_event(&mut self) -> Option<Piece> {
        if self.chunk.is_empty() {
            return None;
        }
        if let Some(end) = self.lines.end_of_event(&self.chunk) {
            let tail = self.chunk.split_to(end);
            let too_long = std::mem::take(&mut self.too_long);
            return Some(if too_long {
                Piece::Passthrough(tail)
            } else {
                Piece::Event(self.with_held(tail))
            });
        }
        let open = std::mem::take(&mut self.chunk);
        if self.too_long || self.held.len() + open.len() > LONGEST_HELD {
            self.too_long = true;
            return Some(Piece::Passthrough(self.with_held(open)));
        }
        self.held.extend_from_slice(&open);
        None
    }

    /// The end of the stream: what was pushed and not given out, mostly nothing, or an event that lacks
    /// its blank line. The splitter is as new.
    pub fn finish(&mut self) -> Option<Bytes> {
        let Self { chunk, mut held, .. } = std::mem::take(self);
        held.extend_from_slice(&chunk);
        (!held.is_empty()).then(|| held.freeze())
    }

    fn with_held(&mut self, tail: Bytes) -> Bytes {
        if self.held.is_empty() {
            return tail;
        }
        self.held.extend_from_slice(&tail);
        self.held.split().freeze()
    }
}

impl Default for SseSplitter {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Lines ===

impl Lines {
    const START: Self = Self { fresh: true, blank: true, cr: false };

    /// Reads on until behind the blank line that ends the event; nothing if that is not in these bytes,
    /// which are then all read.
    ///
    /// A CR ends its line at once, not when it is known what follows: an event must not wait for the
    /// next one. An LF that follows the CR of a blank line in a later chunk is a piece of its own.
    fn end_of_event(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        if std::mem::take(&mut self.cr) && bytes.first() == Some(&b'\n') {
            at = 1;
            if self.fresh {
                return Some(at);
            }
        }
        while at < bytes.len() {
            let was_blank = self.blank;
            self.fresh = false;
            let Some(length) = line_end(&bytes[at..]) else {
                self.blank = false;
                return None;
            };
            at += length;
            match bytes[at..] {
                [b'\r', b'\n', ..] => at += 2,
                [b'\r'] => {
                    at += 1;
                    self.cr = true;
                }
                _ => at += 1,
            }
            self.blank = true;
            if was_blank && length == 0 {
                self.fresh = true;
                return Some(at);
            }
        }
        None
    }
}
