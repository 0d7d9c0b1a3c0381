//! What did it cost: the ending of a request, from what its pod says.

use actix_web::http::StatusCode;

use crate::metrics;
use crate::pass::Pass;
use crate::usage::{Usage, usage_of_response};

/// Ends the request with the usage that its pod reported.
pub(crate) fn settle(pass: Pass, usage: Usage) {
    let Usage { input_tokens: input, cached_tokens: cached, output_tokens: output } = usage;
    pass.settle(vtc_core::Usage { input, cached, output });
    metrics::tokens(input, output);
}

/// Ends the request whose answer came whole: a refusal costs nothing, an answer its usage; one that tells no usage
/// costs what was estimated.
pub(crate) fn settle_answer(pass: Pass, status: StatusCode, body: &[u8]) {
    if !status.is_success() {
        pass.void();
    } else if let Some(usage) = usage_of_response(body) {
        settle(pass, usage);
    } else {
        pass.close();
    }
}
