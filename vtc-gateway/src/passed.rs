//! An answer that goes through as it comes: sound, pictures, files, whatever a path that nobody knows answers.

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::Error;
use actix_web::error::ErrorBadGateway;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;

use crate::pass::Pass;
use crate::record::Trail;
use crate::settlement::settle;
use crate::usage::usage_of_response;

/// The body of such a reply. It owns the pass, and with it the place on the pod, until it ends:
///
/// - At its end the request is settled with the usage that it told, if it was JSON, else with the estimate.
/// - If the client leaves, this is dropped, and the connection to the pod closes, which cancels its request. The
///   estimate stays: nobody knows how much the work was.
/// - If the pod breaks off, the same, and the client's connection closes, so that it sees that something is missing.
pub(crate) struct PassedStream<B> {
    pod: B,
    /// `None` once it has ended.
    pass: Option<Pass>,
    /// How many bytes are to come, if the pod said so.
    left: Option<u64>,
    /// What came so far, if it is to be read at the end.
    kept: Option<BytesMut>,
}

/// The longest answer that is kept to be read, in bytes. Beyond it is no list of numbers with its usage.
const LONGEST_KEPT: usize = 4 << 20;

// === impl PassedStream ===

impl<B> PassedStream<B> {
    /// Takes over an answer that has begun. `is_json`: whether it may tell its usage.
    #[must_use]
    pub(crate) fn new(pod: B, length: Option<u64>, is_json: bool, pass: Pass) -> Self {
        let kept = is_json.then(BytesMut::new);
        let mut stream = Self { pod, pass: Some(pass), left: length, kept };
        if length == Some(0) {
            // Nobody asks for the next bytes of nothing.
            stream.settle();
        }
        stream
    }

    fn take(&mut self, chunk: &Bytes) {
        self.left = self.left.map(|left| left.saturating_sub(chunk.len() as u64));
        let kept = self.kept.take();
        self.kept = kept.filter(|kept| kept.len() + chunk.len() <= LONGEST_KEPT).map(|mut kept| {
            kept.extend_from_slice(chunk);
            kept
        });
        // Before the client sees the end, so that whoever then asks for counts finds them settled.
        if self.left == Some(0) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let Some(pass) = self.pass.take() else { return };
        match self.kept.take().and_then(|body| usage_of_response(&body)) {
            Some(usage) => settle(pass, usage),
            None => pass.close(),
        }
    }

    fn break_off(&mut self, reason: &dyn Display) -> Error {
        if let Some(pass) = self.pass.take() {
            let request_id = pass.trail().map(Trail::id);
            let trace_id = pass.trail().and_then(Trail::trace_id);
            tracing::warn!(request_id, trace_id, pod = pass.pod().name(), %reason, "a pod broke off its answer");
            pass.broke_off("pod_failed");
            pass.pod_failed(false);
            pass.note_failure(&reason);
            pass.close();
        }
        ErrorBadGateway("the pod broke off its answer")
    }
}

impl<B, E> Stream for PassedStream<B>
where
    B: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Display,
{
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match ready!(Pin::new(&mut self.pod).poll_next(context)) {
            Some(Ok(chunk)) => {
                self.take(&chunk);
                Some(Ok(chunk))
            }
            Some(Err(error)) => Some(Err(self.break_off(&error))),
            None if self.left.is_some_and(|left| left > 0) && self.pass.is_some() => {
                Some(Err(self.break_off(&"it is shorter than was announced")))
            }
            None => {
                self.settle();
                None
            }
        })
    }
}
