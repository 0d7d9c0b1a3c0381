//! The bytes to and from a pod, in the clear or over TLS.

use std::cell::Cell;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connection's two streams of bytes.
///
/// A pod that refuses a request may close its side before it has read the body. Writing then fails, though the answer
/// lies there to be read: what cannot be written any more is dropped, and the end of what can be read tells.
pub(super) struct Wire {
    transport: Transport,
    witness: Rc<Witness>,
}

/// What a connection has seen.
#[derive(Debug, Default)]
pub(super) struct Witness {
    has_heard: Cell<bool>,
    is_deaf: Cell<bool>,
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

// === impl Witness ===

impl Witness {
    /// Forgets what has been read so far.
    pub(super) fn listen(&self) {
        self.has_heard.set(false);
    }

    /// Whether any byte came since.
    pub(super) fn has_heard(&self) -> bool {
        self.has_heard.get()
    }

    /// Whether the pod has stopped to read: the connection carries no other request.
    pub(super) fn is_deaf(&self) -> bool {
        self.is_deaf.get()
    }

    fn forgive(&self, written: Poll<Result<usize>>, length: usize) -> Poll<Result<usize>> {
        match written {
            Poll::Ready(Err(error)) if is_departure(&error) => {
                self.is_deaf.set(true);
                Poll::Ready(Ok(length))
            }
            other => other,
        }
    }
}

fn is_departure(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
}

// === impl Wire ===

impl Wire {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self { transport: Transport::Plain(stream), witness: Rc::default() }
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self { transport: Transport::Tls(Box::new(stream)), witness: Rc::default() }
    }

    pub(super) fn witness(&self) -> Rc<Witness> {
        Rc::clone(&self.witness)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        if buffer.filled().len() > before {
            self.witness.has_heard.set(true);
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        if self.witness.is_deaf() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        self.witness.forgive(written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let length = parts.iter().map(|part| part.len()).sum();
        if self.witness.is_deaf() {
            return Poll::Ready(Ok(length));
        }
        let written = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        };
        self.witness.forgive(written, length)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        if self.witness.is_deaf() {
            return Poll::Ready(Ok(()));
        }
        let flushed = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(context),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(context),
        };
        self.witness.forgive(flushed.map_ok(|()| 0), 0).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
