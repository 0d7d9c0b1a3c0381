//! The two edits of a request: to ask the pod for usage, where the client did not, and to call a model by the name that
//! pods know.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{GenerationRequest, Kind, Member, StreamUsage};
use crate::dialect::Dialect;
use crate::splice::{Span, Splice, is_solid, splice};

/// An object of the body that gets members set to true.
struct Target<'e, 'w> {
    edits: &'e mut Vec<Splice<'w>>,
    body: &'e [u8],
    /// Just behind its opening brace. The object is not empty, so what is put here ends with a comma.
    inside: usize,
}

// === impl GenerationRequest ===

impl GenerationRequest<'_> {
    /// The body to send to a pod of this dialect: a stream is asked for usage, where that has to be asked for, with
    /// just the missing members added (or set to true, where they are false or null); `model` takes the place of the
    /// model's name, if there is one; and every other byte is as the client sent it. The same bytes, not copied, when
    /// nothing is to be done.
    ///
    /// [`ClientView`](crate::view::ClientView) hides from the client what it did not ask for.
    #[must_use]
    pub fn to_pod(&self, dialect: Dialect, model: Option<&str>) -> Bytes {
        let json = model.map(|name| serde_json::Value::from(name).to_string());
        let mut edits = Vec::new();
        if let (Some(at), Some(name), Some(json)) = (self.model_at, model, &json) {
            let is_json = self.members.get(Member::Model).is_some();
            edits.push(Splice { at, with: if is_json { json } else { name } });
        }
        let asks = matches!(self.endpoint.description().streams, Some(StreamUsage::Asked { .. }));
        // The body was read, so it opens with a brace, and has at least a model inside.
        let brace = self.body.iter().position(is_solid);
        if let Some(brace) = brace.filter(|_| self.stream && asks) {
            let ask = dialect.usage_ask();
            let mut body = Target { edits: &mut edits, body: self.body, inside: brace + 1 };
            if ask.timings_per_token {
                let name = "\"timings_per_token\":true,";
                body.set(self.members.even_null(Member::TimingsPerToken), name);
            }
            if ask.include_usage {
                self.ask_in_stream_options(&mut body, ask.continuous_usage_stats);
            }
        }
        splice(self.body, &mut edits)
    }

    fn ask_in_stream_options(&self, body: &mut Target<'_, '_>, continuous: bool) {
        const INCLUDE: &str = "\"include_usage\":true,";
        const CONTINUOUS: &str = "\"continuous_usage_stats\":true,";
        let fresh = if continuous {
            r#"{"include_usage":true,"continuous_usage_stats":true}"#
        } else {
            r#"{"include_usage":true}"#
        };
        let Some(options) = self.members.even_null(Member::StreamOptions) else {
            for with in ["\"stream_options\":", fresh, ","] {
                body.edits.push(Splice::insert(body.inside, with));
            }
            return;
        };
        let Some(at) = Span::of(options.get().as_bytes(), body.body) else {
            return;
        };
        if Kind::of(options) == Kind::Null || is_empty_object(options) {
            body.edits.push(Splice { at, with: fresh });
            return;
        }
        let mut options = Target { edits: body.edits, body: body.body, inside: at.start + 1 };
        options.set(self.stream_options.include_usage, INCLUDE);
        if continuous {
            options.set(self.stream_options.continuous_usage_stats, CONTINUOUS);
        }
    }
}

fn is_empty_object(raw: &RawValue) -> bool {
    raw.get().bytes().filter(is_solid).eq(*b"{}")
}

// === impl Target ===

impl Target<'_, '_> {
    /// Sees to it that a member is true: `there` is its value now, `member` its whole text.
    fn set(&mut self, there: Option<&RawValue>, member: &'static str) {
        let edit = match there {
            None => Some(Splice::insert(self.inside, member)),
            Some(value) if value.get() == "true" => None,
            Some(value) => Span::of(value.get().as_bytes(), self.body).map(|at| Splice { at, with: "true" }),
        };
        self.edits.extend(edit);
    }
}
