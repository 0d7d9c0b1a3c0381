//! The client's view of a stream: what the pod was asked for on the gateway's behalf is taken out again.

#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::dialect::Dialect;
use crate::request::{GenerationRequest, StreamUsage};
use crate::splice::{Splice, splice};
use crate::sse::in_event;
use crate::usage::StreamPart;

/// Shows a client the stream that its pod would have sent had
/// [`to_pod`](GenerationRequest::to_pod) not asked for more.
///
/// What a server was told to report always, by its own configuration, is taken for asked by the gateway,
/// and hidden as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientView {
    /// Whether the extra event with only the usage is dropped.
    drops_only_usage: bool,
    running: Running,
}

/// What happens to the running report that chunks carry beside their choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Running {
    /// It stays: the client asked for it, or nobody did.
    Stays,
    /// `usage` is cut out of every chunk.
    CutUsage,
    /// `usage` becomes null in every chunk.
    NullUsage,
    /// `timings` are cut out, except where they come unasked: with the end of a choice, or with usage.
    CutTimings,
}

// === impl ClientView ===

impl ClientView {
    /// The view of the client that sent `request`, on the stream of a pod of `dialect` that was sent the
    /// request's [`to_pod`](GenerationRequest::to_pod).
    #[must_use]
    pub fn new(request: &GenerationRequest<'_>, dialect: Dialect) -> Self {
        let (client, gateway) = (request.usage_ask, dialect.usage_ask());
        let client_sees_usage = client.include_usage && client.continuous_usage_stats;
        let asked = match request.endpoint.description().streams {
            Some(StreamUsage::Asked { null_unasked }) if request.stream => Some(null_unasked),
            _ => None,
        };
        let running = if asked.is_none() {
            Running::Stays
        } else if gateway.timings_per_token && !client.timings_per_token {
            Running::CutTimings
        } else if gateway.continuous_usage_stats && !client_sees_usage {
            if asked == Some(true) { Running::NullUsage } else { Running::CutUsage }
        } else {
            Running::Stays
        };
        Self { drops_only_usage: asked.is_some() && gateway.include_usage && !client.include_usage, running }
    }

    /// The event as the client shall see it, or nothing if it shall not. `part` is the event's
    /// [data](crate::sse::data), read.
    ///
    /// An event that stays as it is comes back as the same memory.
    #[must_use]
    pub fn show(&self, event: Bytes, part: &StreamPart) -> Option<Bytes> {
        if part.only_usage {
            return (!self.drops_only_usage).then_some(event);
        }
        Some(self.edit(&event, part).unwrap_or(event))
    }

    /// The event with its running report hidden; nothing if there is none to hide.
    fn edit(&self, event: &Bytes, part: &StreamPart) -> Option<Bytes> {
        let value = match self.running {
            Running::Stays => None,
            Running::CutUsage | Running::NullUsage => part.usage_at.filter(|_| part.choice.is_some()),
            Running::CutTimings => part.timings_at.filter(|_| !part.finished && part.usage_at.is_none()),
        }?;
        let edit = if self.running == Running::NullUsage {
            Splice { at: in_event(event, value)?, with: "null" }
        } else {
            let data = crate::sse::data(event)?;
            Splice { at: in_event(event, value.whole_member(&data)?)?, with: "" }
        };
        Some(splice(event, &mut [edit]))
    }
}
