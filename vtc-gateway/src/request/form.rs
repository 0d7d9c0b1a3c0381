//! Forms with files: where in a body of `multipart/form-data` the fields lie.
//!
//! Source: RFC 7578; RFC 2046, section 5.1.1. The body is there as a whole and goes on as it is, so it is enough to
//! find the places: nothing is copied, and nothing is read but the heads of the parts and the fields asked for.

use actix_web::http::header::{ContentDisposition, HeaderValue};
use memchr::memmem::Finder;

use super::RequestError;
use crate::splice::Span;

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The field's name.
    pub(super) name: String,
    /// Whether it is a file.
    pub(super) is_file: bool,
    /// Where its content lies.
    pub(super) at: Span,
}

/// More parts make no request that a model could serve.
const MOST_PARTS: usize = 1000;

/// The parts of a form, in their order. Linear in the length of the body.
///
/// Strict where servers differ: a boundary that goes on as something else, or a part without a name, is an error.
pub(super) fn parts(body: &[u8], boundary: &str) -> Result<Vec<Part>, RequestError> {
    let broken = |what: &'static str| RequestError::BrokenForm(what);
    let dashes = format!("\r\n--{boundary}");
    let finder = Finder::new(&dashes);
    let delimiter = |from: usize| finder.find(body.get(from..)?).map(|at| from + at);

    // The first may stand at the very beginning, without a line before it.
    let mut at = if body.starts_with(&dashes.as_bytes()[2..]) {
        dashes.len() - 2
    } else {
        delimiter(0).ok_or(broken("its boundary is not in it"))? + dashes.len()
    };
    let mut parts = Vec::new();
    loop {
        let rest = body.get(at..).unwrap_or_default();
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        let padding = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if !rest.get(padding..).unwrap_or_default().starts_with(b"\r\n") {
            return Err(broken("what follows a boundary must be the end of its line"));
        }
        if parts.len() >= MOST_PARTS {
            return Err(broken("it has more than a thousand parts"));
        }
        let head_at = at + padding + 2;
        let end = delimiter(head_at - 2).ok_or(broken("it breaks off: no boundary ends it"))?;
        let head_end = memchr::memmem::find(body.get(head_at..end).unwrap_or_default(), b"\r\n\r\n")
            .ok_or(broken("a part has no head"))?;
        let (name, is_file) = field(&body[head_at..head_at + head_end])
            .ok_or(broken("a part does not say which field it is: Content-Disposition: form-data; name=…"))?;
        parts.push(Part { name, is_file, at: Span { start: head_at + head_end + 4, end } });
        at = end + dashes.len();
    }
}

/// The name of the field that a part with this head is of, and whether it is a file.
fn field(head: &[u8]) -> Option<(String, bool)> {
    let mut named = head.split(|&byte| byte == b'\n').filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = line.split_at(colon);
        name.trim_ascii().eq_ignore_ascii_case(b"content-disposition").then(|| value[1..].trim_ascii())
    });
    let value = HeaderValue::from_bytes(named.next()?).ok()?;
    // Two of them: who knows which one a server takes.
    if named.next().is_some() {
        return None;
    }
    let disposition = ContentDisposition::from_raw(&value).ok()?;
    let is_file = disposition.get_filename().is_some() || disposition.get_filename_ext().is_some();
    Some((disposition.get_name()?.to_owned(), is_file))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(body: &str) -> Vec<(String, bool, String)> {
        let text = |part: Part| (part.name, part.is_file, body[part.at.start..part.at.end].to_owned());
        parts(body.as_bytes(), "b").unwrap().into_iter().map(text).collect()
    }

    fn is(name: &str, is_file: bool, content: &str) -> (String, bool, String) {
        (name.to_owned(), is_file, content.to_owned())
    }

    #[test]
    fn fields_and_files_are_found_where_they_lie() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n\
            --b \r\ncontent-type: audio/wav\r\nCONTENT-DISPOSITION: form-data; name=file; filename=\"a;name=x.wav\"\r\n\r\n\
            a\r\n--c\r\n\r\n-\r\n--b\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--b--\r\n";
        let wanted =
            [is("model", false, "whisper"), is("file", true, "a\r\n--c\r\n\r\n-"), is("empty", false, "")];
        assert_eq!(seen(body), wanted);
        assert_eq!(seen(&format!("a preamble\r\n{body}and an epilogue")), wanted);
        assert_eq!(seen("--b--"), []);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for body in [
            "",
            "b",
            "--b",
            "--b\r\n",
            "--bc\r\n\r\n--b--",
            "--b\r\n\r\n\r\n--b--",
            "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper",
            "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--bc--",
            "--b\r\nContent-Disposition: form-data\r\n\r\nwhisper\r\n--b--",
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n\r\n--b--",
        ] {
            assert!(parts(body.as_bytes(), "b").is_err(), "{body:?}");
        }
        let part = "\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--b";
        let many = |count| format!("--b{}--", part.repeat(count));
        assert_eq!(parts(many(MOST_PARTS).as_bytes(), "b").unwrap().len(), MOST_PARTS);
        assert!(parts(many(MOST_PARTS + 1).as_bytes(), "b").is_err());
    }

    proptest! {
        #[test]
        fn what_was_put_into_a_form_is_found_in_it(
            fields in prop::collection::vec(("[a-z_]{1,8}", prop::collection::vec(any::<u8>(), 0..64), any::<bool>()), 0..8),
        ) {
            let mut body = Vec::new();
            for (name, content, is_file) in &fields {
                let file = if *is_file { "; filename=\"f\"" } else { "" };
                body.extend_from_slice(format!("--bound\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes());
                body.extend_from_slice(content);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"--bound--\r\n");
            let found = parts(&body, "bound").unwrap();
            let found: Vec<_> = found
                .iter()
                .map(|part| (part.name.clone(), body[part.at.start..part.at.end].to_vec(), part.is_file))
                .collect();
            prop_assert_eq!(found, fields);
        }
    }
}
