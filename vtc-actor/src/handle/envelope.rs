//! A request on its way, with its place among those in flight and the way back.

use actix::Message;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use vtc_core::{Clock, Router};

use crate::messages::Request;

/// What the mailbox holds of a request that was sent through a handle.
pub(super) struct Envelope<M: Message> {
    request: M,
    reply: oneshot::Sender<M::Result>,
    /// Given back when the message leaves the mailbox, not when the caller leaves: so a stuck actor's mailbox
    /// does not grow with callers who give up. `None`: it needs no place.
    place: Option<OwnedSemaphorePermit>,
}

// === impl Envelope ===

impl<M: Message> Envelope<M> {
    pub(super) fn seal(
        request: M,
        place: Option<OwnedSemaphorePermit>,
    ) -> (Self, oneshot::Receiver<M::Result>) {
        let (reply, answer) = oneshot::channel();
        (Self { request, reply, place }, answer)
    }
}

impl<M: Message> Message for Envelope<M> {
    type Result = ();
}

impl<C: Clock, M: Request<C>> Request<C> for Envelope<M> {
    fn serve(self, router: &Router<C>) {
        if self.reply.is_closed() && !M::SETTLES {
            return;
        }
        let reply = self.request.serve(router);
        // Before the answer: whoever has it may send the next request at once.
        drop(self.place);
        // If the caller has left meanwhile the reply is dropped: a ticket in it abandons itself.
        drop(self.reply.send(reply));
    }
}
