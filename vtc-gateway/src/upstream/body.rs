//! The body of a pod's answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use hyper::body::{Body, Incoming};

use super::UpstreamError;
use super::link::Link;
use super::origin::Origin;
use super::patience::Patience;

/// The body of an answer, as it comes. Dropping it before its end closes the connection, which cancels the pod's
/// request; at its end the connection is free for another.
pub struct PodBody {
    incoming: Incoming,
    /// `None` once it has ended.
    link: Option<Box<Link>>,
    origin: Rc<Origin>,
    patience: Patience,
}

/// No more memory is set aside for an answer because its pod announces a length.
const TRUSTED_LENGTH: u64 = 1 << 20;

// === impl PodBody ===

impl PodBody {
    pub(super) fn new(incoming: Incoming, link: Box<Link>, origin: Rc<Origin>, patience: Patience) -> Self {
        Self { incoming, link: Some(link), origin, patience }
    }

    /// How many bytes are to come, if the pod has told.
    pub fn length(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// All of it, if it is no longer than `limit` bytes. It is not copied if it comes in one piece.
    pub(super) async fn whole(mut self, limit: usize) -> Result<Bytes, UpstreamError> {
        let announced = self.incoming.size_hint().exact();
        if announced.is_some_and(|length| length > limit as u64) {
            return Err(UpstreamError::TooLong { limit });
        }
        let mut first = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(chunk) = poll_fn(|context| self.poll_chunk(context)).await.transpose()? {
            if first.len() + joined.len() + chunk.len() > limit {
                return Err(UpstreamError::TooLong { limit });
            }
            if first.is_empty() && joined.is_empty() {
                first = chunk;
            } else {
                if joined.is_empty() {
                    joined.reserve(announced.unwrap_or(0).min(TRUSTED_LENGTH) as usize);
                    joined.extend_from_slice(&std::mem::take(&mut first));
                }
                joined.extend_from_slice(&chunk);
            }
        }
        Ok(if joined.is_empty() { first } else { joined.freeze() })
    }

    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        let Some(link) = &mut self.link else { return Poll::Ready(None) };
        let end = match link.poll_body(&mut self.incoming, context) {
            Poll::Ready(Some(Ok(chunk))) => {
                self.patience.renew();
                return Poll::Ready(Some(Ok(chunk)));
            }
            Poll::Ready(Some(Err(error))) => UpstreamError::broken_off(&error),
            Poll::Ready(None) => {
                let link = self.link.take();
                link.into_iter().for_each(|link| self.origin.put_back(link));
                return Poll::Ready(None);
            }
            Poll::Pending => match self.patience.poll_end(context) {
                Poll::Ready(reason) => reason,
                Poll::Pending => return Poll::Pending,
            },
        };
        self.link = None;
        Poll::Ready(Some(Err(end)))
    }
}

impl Stream for PodBody {
    type Item = Result<Bytes, UpstreamError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_chunk(context)
    }
}
