//! One connection to a pod.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::wire::{Wire, Witness};

/// A connection, with at most one request on it. It is no task of its own: whoever uses it drives it, so that an answer
/// wakes its request and nobody else, and dropping it closes it at once.
pub(super) struct Link {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    driver: Option<Connection<TokioIo<Wire>, Full<Bytes>>>,
    witness: Rc<Witness>,
}

/// The longest head of an answer, in bytes, of at most a hundred headers. It is also how much is read at once.
const LONGEST_HEAD: usize = 64 << 10;

// === impl Link ===

impl Link {
    pub(super) async fn new(wire: Wire) -> hyper::Result<Self> {
        let witness = wire.witness();
        let (sender, driver) =
            http1::Builder::new().max_buf_size(LONGEST_HEAD).handshake(TokioIo::new(wire)).await?;
        Ok(Self { sender, driver: Some(driver), witness })
    }

    /// Whether it can carry another request. What the pod did to it meanwhile is seen as far as the runtime knows it.
    pub(super) fn is_fit(&mut self) -> bool {
        let context = &mut Context::from_waker(Waker::noop());
        self.drive(context);
        self.driver.is_some() && !self.witness.is_deaf() && self.sender.is_ready()
    }

    /// Whether a byte came since the last request was sent.
    pub(super) fn has_heard(&self) -> bool {
        self.witness.has_heard()
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        self.witness.listen();
        let mut answer = pin!(self.sender.send_request(request));
        poll_fn(|context| {
            self.drive(context);
            // It is the driver that brings it about, and the driver wakes this task.
            answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        })
        .await
    }

    /// The next bytes of the body of that answer; nothing at its end.
    pub(super) fn poll_body(
        &mut self,
        body: &mut Incoming,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Bytes>>> {
        let quiet = &mut Context::from_waker(Waker::noop());
        let mut is_driven = false;
        loop {
            match Pin::new(&mut *body).poll_frame(quiet) {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are nobody's.
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Poll::Pending if is_driven => return Poll::Pending,
                Poll::Pending => {
                    self.drive(context);
                    is_driven = true;
                }
            }
        }
    }

    fn drive(&mut self, context: &mut Context<'_>) {
        // How it ended is told to whoever waits for the answer.
        if let Some(driver) = &mut self.driver
            && Pin::new(driver).poll(context).is_ready()
        {
            self.driver = None;
        }
    }
}
