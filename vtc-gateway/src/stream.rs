//! A stream of events on its way from a pod to a client: counted as it flows, settled when it ends.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::Error;
use bytes::Bytes;
use futures_util::Stream;
use serde::de::IgnoredAny;

use crate::error::{GatewayError, Shape};
use crate::estimate::Estimate;
use crate::pass::Pass;
use crate::record::Trail;
use crate::request::GenerationRequest;
use crate::settlement::settle;
use crate::sse::{self, Piece, SseSplitter};
use crate::upstream::{PodBody, UpstreamError};
use crate::usage::{End, StreamPart, Tally, Usage};
use crate::view::ClientView;

/// The body of a streamed reply. It owns the pass: whichever way it ends, the pass ends with it.
///
/// - At the last event, which each API calls otherwise (`[DONE]`, or see [`End`]), the pass is settled with the usage
///   that the pod told.
/// - If the client leaves, actix drops this body: the connection to the pod closes, which cancels its request, and
///   the pass is dropped: what was delivered is charged.
/// - If the pod breaks off before that, or takes too long, the client gets an error event, and what was delivered is charged.
///
/// Every event that has come in whole is passed on at once.
pub(crate) struct MeteredStream {
    pod: PodBody,
    splitter: SseSplitter,
    view: ClientView,
    tally: Tally,
    estimate: Estimate,
    /// How its client wants to be told of errors.
    shape: Shape,
    /// `None` once it has ended.
    pass: Option<Pass>,
    ready: VecDeque<Bytes>,
    /// Whether all may have come by now.
    may_end: bool,
    ended: bool,
}

// === impl MeteredStream ===

impl MeteredStream {
    /// Takes over a stream that has begun. `request`: what was asked for.
    #[must_use]
    pub(crate) fn new(
        pod: PodBody,
        view: ClientView,
        request: &GenerationRequest<'_>,
        estimate: Estimate,
        pass: Pass,
    ) -> Self {
        let stream = Self {
            pod,
            splitter: SseSplitter::new(),
            view,
            tally: Tally::new(request.n),
            estimate,
            shape: Shape::of(request.endpoint),
            pass: Some(pass),
            ready: VecDeque::new(),
            may_end: false,
            ended: false,
        };
        // From here on it is known what was delivered: nothing yet.
        stream.report();
        stream
    }

    /// Bytes came from the pod: counts them and makes ready what the client shall see.
    fn take(&mut self, chunk: Bytes) {
        self.splitter.push(chunk);
        while let Some(piece) = self.splitter.next_event() {
            let shown = match piece {
                Piece::Event(event) => self.take_event(event),
                Piece::Passthrough(part) => Some(part),
            };
            self.ready.extend(shown);
        }
    }

    fn take_event(&mut self, event: Bytes) -> Option<Bytes> {
        let Some(data) = sse::data(&event) else { return Some(event) };
        if sse::is_done(&data) {
            // Before the client learns that it is over, so that whoever then asks for counts finds them settled.
            self.settle();
            return Some(event);
        }
        let part = StreamPart::read(&data);
        drop(data);
        self.tally.add(&part);
        self.report();
        match part.end {
            None => {}
            Some(End::Last) => self.settle(),
            Some(End::MaybeLast) => self.may_end = true,
            Some(End::Failed) => self.fail(),
        }
        self.view.show(event, &part)
    }

    /// Tells the pass what has been delivered: as the pod counts, else as far as can be seen.
    fn report(&self) {
        let Some(pass) = &self.pass else { return };
        let input = self.usage().map_or_else(|| self.estimated_input(), |usage| usage.input_tokens);
        pass.progress(input, self.tally.output_tokens());
    }

    /// What the pod told. One that has read nothing has not told what it has read.
    fn usage(&self) -> Option<Usage> {
        let usage = self.tally.usage()?;
        let is_told = usage.input_tokens > 0;
        Some(if is_told { usage } else { Usage { input_tokens: self.estimated_input(), ..usage } })
    }

    fn estimated_input(&self) -> u64 {
        // The cast saturates.
        self.estimate.input_tokens.ceil() as u64
    }

    /// The stream is complete: the usage stands, or what was delivered if the pod told none.
    fn settle(&mut self) {
        let Some(pass) = self.pass.take() else { return };
        match self.usage() {
            Some(usage) => settle(pass, usage),
            None => pass.close(),
        }
    }

    /// The pod itself says that it has failed: what was delivered is charged, and the client knows already.
    fn fail(&mut self) {
        let Some(pass) = self.pass.take() else { return };
        let request_id = pass.trail().map(Trail::id);
        let trace_id = pass.trail().and_then(Trail::trace_id);
        tracing::warn!(request_id, trace_id, pod = pass.pod().name(), "a pod ended its stream with an error");
        pass.broke_off("pod_failed");
        pass.note_failure(&"it ended its stream with an error");
        pass.close();
    }

    /// No more bytes come. However they ended: behind the last event the stream is complete.
    fn end(&mut self, reason: &UpstreamError) {
        self.ended = true;
        // What came of an event may be all of it but the blank line.
        let rest = self.splitter.finish().and_then(|rest| self.take_event(rest));
        if self.may_end {
            self.settle();
        }
        match self.pass.take() {
            None => self.ready.extend(rest),
            Some(pass) => self.break_off(pass, rest, reason),
        }
    }

    fn break_off(&mut self, pass: Pass, rest: Option<Bytes>, reason: &UpstreamError) {
        let error = match reason {
            UpstreamError::TimedOut(message) => GatewayError::PodTimeout(message.clone()),
            _ => GatewayError::BrokenOff,
        };
        let request_id = pass.trail().map(Trail::id);
        let trace_id = pass.trail().and_then(Trail::trace_id);
        let pod = pass.pod().name();
        tracing::warn!(request_id, trace_id, pod, %reason, "a pod broke off its stream");
        pass.broke_off(error.code());
        pass.note_failure(reason);
        pass.pod_failed(false);
        pass.close();
        // An event that came in part is none: clients drop it, or choke on it.
        self.ready.extend(rest.filter(is_whole).map(|rest| [&rest[..], b"\n\n"].concat().into()));
        self.ready.push_back(error.event(self.shape));
    }
}

/// Whether the last event lacks nothing but its end.
fn is_whole(event: &Bytes) -> bool {
    sse::data(event).is_some_and(|data| serde_json::from_slice::<IgnoredAny>(&data).is_ok())
}

impl Stream for MeteredStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut self.pod).poll_next(context)) {
                Some(Ok(chunk)) => self.take(chunk),
                Some(Err(error)) => self.end(&error),
                None => self.end(&UpstreamError::BrokenOff("it ended without its last event".to_owned())),
            }
        }
    }
}
