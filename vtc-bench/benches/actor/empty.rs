//! The yardstick: an actor that does nothing.

use actix::{Actor, Context, Handler, Message};

/// Answers, and that is all.
pub struct Empty;

/// A message without a content or a reply.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Nothing;

impl Actor for Empty {
    type Context = Context<Self>;
}

impl Handler<Nothing> for Empty {
    type Result = ();

    fn handle(&mut self, _: Nothing, _: &mut Context<Self>) {}
}
