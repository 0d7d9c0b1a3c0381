//! The body of a streamed answer: it holds the request's seat, so that a client who leaves gives
//! the seat back with the body.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;

use super::live::Seat;
use super::reply::Reply;
use crate::demo::text::Prose;

/// Server-sent events, one item per token.
#[derive(Debug)]
pub(super) struct EventStream {
    seat: Seat,
    reply: Reply,
    prose: Prose,
}

// === impl EventStream ===

impl EventStream {
    /// The stream of the request that sits in `seat`.
    pub(super) fn new(seat: Seat, reply: Reply) -> Self {
        let prose = Prose::new(seat.id().number());
        Self { seat, reply, prose }
    }
}

impl Stream for EventStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let progress = ready!(Pin::new(&mut self.seat).poll_next(cx));
        Poll::Ready(progress.map(|progress| {
            let token = self.prose.next_token();
            Ok(self.reply.events(progress, &token))
        }))
    }
}
