//! What did it cost: the ticket's ending, from what the pod says.

use actix_web::http::StatusCode;
use vtc_core::Ticket;

use crate::metrics;
use crate::usage::{Usage, usage_of_response};

/// Ends the ticket with the usage that its pod reported. Does nothing on one that has ended.
pub(crate) fn settle(ticket: &Ticket, usage: Usage) {
    // An error would mean a number that is not finite; these were whole numbers.
    if ticket.settle(usage.input_tokens as f64, usage.output_tokens as f64) == Ok(true) {
        metrics::tokens(usage.input_tokens, usage.output_tokens);
    }
}

/// Ends the ticket of an answer that came whole: a refusal costs nothing, an answer its usage; one that tells no
/// usage costs what was estimated.
pub(crate) fn settle_answer(ticket: &Ticket, status: StatusCode, body: &[u8]) {
    if !status.is_success() {
        settle(ticket, Usage::default());
    } else if let Some(usage) = usage_of_response(body) {
        settle(ticket, usage);
    } else {
        ticket.close();
    }
}
