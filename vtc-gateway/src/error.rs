//! What a client gets when it cannot get an answer: a status, OpenAI's error body, and when to come back.

mod shape;
#[cfg(test)]
mod tests;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use bytes::Bytes;
use vtc_actor::{HandleError, Refusal};
use vtc_core::{InvalidTokens, RouteError, UnknownPolicy};

pub use self::shape::{Shape, Told};
use crate::identity::LONGEST_NAME;
use crate::identity::key::WrongKey;
use crate::quota::Standing;
use crate::request::RequestError;
use crate::whatif::{self, WhatIfError};

/// Why a request got no answer from a pod.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GatewayError {
    /// The body is not what the endpoint takes.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The user's name is longer than a name may be.
    #[error("the user's name is longer than the {LONGEST_NAME} bytes that a name may have")]
    LongUser,
    /// The headers name more than one user.
    #[error("the request's headers name more than one user")]
    ManyUsers,
    /// There is no key, or a wrong one.
    #[error(transparent)]
    Unauthorized(#[from] WrongKey),
    /// It would change something, and no key is configured by which to see who may.
    #[error("changes need an admin key, and none is configured: `[admin]` `key_sha256`")]
    NoAdminKey,
    /// The account has had as much as it may for now.
    #[error("{reason}: come back in {} s", whole_seconds(*.retry_after))]
    RateLimited {
        /// Which limit it would have passed.
        reason: String,
        /// When there will be room again.
        retry_after: Duration,
        /// How its limits stand.
        standing: Standing,
    },
    /// The client has more connections than is allowed.
    #[error("you have more than the {limit} connections that are allowed: use fewer for more requests each")]
    ManyConnections {
        /// The limit.
        limit: usize,
    },
    /// The headers are longer than is allowed.
    #[error("the request's headers are longer than the {limit} bytes that are allowed")]
    LongHead {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is longer than is allowed.
    #[error("the body is longer than the {limit} bytes that are allowed")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body did not arrive in time.
    #[error("the body did not arrive within {limit:?}")]
    TooSlow {
        /// How long it may take.
        limit: Duration,
    },
    /// The body broke off.
    #[error("the body cannot be read: {0}")]
    BrokenBody(String),
    /// No pod serves that model.
    #[error("the model {model:?} does not exist here; there are: {}", known.join(", "))]
    UnknownModel {
        /// The model asked for.
        model: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// The header `routing-strategy` names no policy.
    #[error(transparent)]
    Policy(#[from] UnknownPolicy),
    /// No pod is ready, or all have just gone.
    #[error("no pod is ready to serve this request: come back in {} s", RETRY_SECONDS)]
    NoPods,
    /// The queue takes in no more, of this user or at all.
    #[error("{reason}: come back in {} s", whole_seconds(*.retry_after))]
    QueueFull {
        /// Which limit it would have passed.
        reason: String,
        /// When those who wait now will have gone, at the pace of late.
        retry_after: Duration,
    },
    /// The request has waited for as long as it may.
    #[error("no pod had room within {waited:.1?}: come back in {} s", whole_seconds(*.retry_after))]
    QueueTimeout {
        /// How long it has waited.
        waited: Duration,
        /// When those who wait still will have gone, at the pace of late.
        retry_after: Duration,
    },
    /// The gateway is ending.
    #[error("the gateway is ending: ask another, or this one again in {} s", RETRY_SECONDS)]
    Ending,
    /// The last pod that was asked, maybe after others, did not bring its answer to an end.
    #[error("no pod answered; the last one that was asked: {0}")]
    PodFailed(String),
    /// The pod takes longer than it may, and nothing of its answer has gone to the client.
    #[error("the pod was given up: {0}")]
    PodTimeout(String),
    /// The pod ended a stream before its last event.
    #[error("the pod broke off its answer")]
    BrokenOff,
    /// There is nothing at this path, or not by this method.
    #[error("there is nothing at {method} {path}")]
    NotFound {
        /// The request's method.
        method: String,
        /// The request's path.
        path: String,
    },
    /// There is something at this path, but not by this method.
    #[error("{path} takes {allowed}, and no {method}")]
    WrongMethod {
        /// The request's method.
        method: String,
        /// The request's path.
        path: String,
        /// The methods that there are, as the header `Allow` names them.
        allowed: &'static str,
    },
    /// No request of that name is remembered.
    #[error(
        "no request {id:?} is among the last {kept} that have ended: it runs still, or is older, or never came"
    )]
    UnknownRequest {
        /// The name asked for.
        id: String,
        /// How many are remembered.
        kept: usize,
    },
    /// What a change would do cannot be said.
    #[error(transparent)]
    WhatIf(#[from] WhatIfError),
    /// An estimate that is no number: cannot come from a real request.
    #[error(transparent)]
    Tokens(#[from] InvalidTokens),
}

/// The code of [`GatewayError::QueueFull`].
pub(crate) const QUEUE_FULL: &str = "queue_full";
/// The code of [`GatewayError::QueueTimeout`].
pub(crate) const QUEUE_TIMEOUT: &str = "queue_timeout";
/// When to come back while no pod is ready: readiness is looked at every few seconds.
const RETRY_SECONDS: u64 = 2;

/// For the header: rounded up, so that nobody comes too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

// === impl GatewayError ===

impl GatewayError {
    /// A word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.status_and_code().1
    }

    const fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Request(_) | Self::LongUser | Self::ManyUsers | Self::BrokenBody(_) | Self::Tokens(_) => {
                (StatusCode::BAD_REQUEST, "invalid_request")
            }
            Self::Policy(_) => (StatusCode::BAD_REQUEST, "unknown_routing_strategy"),
            Self::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "invalid_api_key"),
            Self::NoAdminKey => (StatusCode::FORBIDDEN, "admin_key_required"),
            Self::UnknownModel { .. } => (StatusCode::NOT_FOUND, "model_not_found"),
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
            Self::UnknownRequest { .. } => (StatusCode::NOT_FOUND, "request_not_found"),
            Self::WrongMethod { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::TooSlow { .. } => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large"),
            Self::LongHead { .. } => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "request_header_fields_too_large")
            }
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded"),
            Self::ManyConnections { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_connections"),
            Self::QueueFull { .. } => (StatusCode::TOO_MANY_REQUESTS, QUEUE_FULL),
            Self::QueueTimeout { .. } => (StatusCode::SERVICE_UNAVAILABLE, QUEUE_TIMEOUT),
            Self::NoPods => (StatusCode::SERVICE_UNAVAILABLE, "no_ready_pods"),
            Self::Ending => (StatusCode::SERVICE_UNAVAILABLE, "gateway_ending"),
            Self::PodFailed(_) | Self::BrokenOff => (StatusCode::BAD_GATEWAY, "pod_failed"),
            Self::PodTimeout(_) => (StatusCode::GATEWAY_TIMEOUT, "pod_timeout"),
            Self::WhatIf(error) => match error {
                WhatIfError::Wrong { .. } => (StatusCode::BAD_REQUEST, "invalid_request"),
                WhatIfError::Thin { .. } | WhatIfError::NoRecord => (StatusCode::CONFLICT, "record_too_thin"),
                WhatIfError::Busy => (StatusCode::TOO_MANY_REQUESTS, "replay_under_way"),
                WhatIfError::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "replay_failed"),
            },
        }
    }

    /// Whether its message tells of the gateway and its pods, and so may be remembered: those about the body or the headers
    /// may show what stands in them.
    pub(crate) const fn is_about_the_gateway(&self) -> bool {
        match self {
            Self::Request(_) | Self::BrokenBody(_) | Self::Policy(_) => false,
            Self::LongUser
            | Self::ManyUsers
            | Self::Unauthorized(_)
            | Self::NoAdminKey
            | Self::RateLimited { .. }
            | Self::ManyConnections { .. }
            | Self::LongHead { .. }
            | Self::TooLarge { .. }
            | Self::TooSlow { .. }
            | Self::UnknownModel { .. }
            | Self::NoPods
            | Self::QueueFull { .. }
            | Self::QueueTimeout { .. }
            | Self::Ending
            | Self::PodFailed(_)
            | Self::PodTimeout(_)
            | Self::BrokenOff
            | Self::NotFound { .. }
            | Self::WrongMethod { .. }
            | Self::UnknownRequest { .. }
            | Self::WhatIf(_)
            | Self::Tokens(_) => true,
        }
    }

    fn param(&self) -> Option<&str> {
        match self {
            Self::Request(error) => error.param(),
            Self::LongUser | Self::ManyUsers => Some("user"),
            Self::UnknownModel { .. } => Some("model"),
            Self::Policy(_) => Some("routing-strategy"),
            Self::WhatIf(WhatIfError::Wrong { param, .. }) => Some(param),
            _ => None,
        }
    }

    /// When it is worth to come back, in seconds, if it is.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::NoPods | Self::Ending | Self::ManyConnections { .. } => Some(RETRY_SECONDS),
            Self::WhatIf(WhatIfError::Busy) => Some(whatif::RETRY_SECONDS),
            Self::QueueFull { retry_after, .. }
            | Self::QueueTimeout { retry_after, .. }
            | Self::RateLimited { retry_after, .. } => Some(whole_seconds(*retry_after)),
            _ => None,
        }
    }

    /// The reply to a client of an API of that shape.
    #[must_use]
    pub fn response(&self, shape: Shape) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after() {
            response.insert_header((RETRY_AFTER, seconds));
        }
        match self {
            Self::Unauthorized(_) => {
                response.insert_header((WWW_AUTHENTICATE, "Bearer"));
            }
            Self::WrongMethod { allowed, .. } => {
                response.insert_header((ALLOW, *allowed));
            }
            _ => {}
        }
        if matches!(self, Self::TooLarge { .. } | Self::TooSlow { .. } | Self::BrokenBody(_)) {
            // What is left of the body is not read: the connection cannot carry another request.
            response.force_close();
        }
        let mut response = response.json(shape.body(&self.told(&self.to_string())));
        if let Self::RateLimited { standing, .. } = self {
            standing.tell(response.headers_mut());
        }
        response
    }

    /// The end of a stream that had begun, for clients of an API of that shape.
    #[must_use]
    pub fn event(&self, shape: Shape) -> Bytes {
        shape.event(&self.told(&self.to_string()))
    }

    fn told<'a>(&'a self, message: &'a str) -> Told<'a> {
        let (status, code) = self.status_and_code();
        Told { status, message, code, param: self.param() }
    }
}

impl From<Refusal> for GatewayError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Full { reason, retry_after } => {
                Self::QueueFull { reason: reason.to_string(), retry_after }
            }
            Refusal::Expired { waited, retry_after } => Self::QueueTimeout { waited, retry_after },
            Refusal::NoPods { .. } => Self::NoPods,
            Refusal::Policy(unknown) => Self::Policy(unknown),
        }
    }
}

impl From<HandleError> for GatewayError {
    fn from(error: HandleError) -> Self {
        match error {
            HandleError::Overloaded { retry_after } => {
                Self::QueueFull { reason: "too many requests come at once".to_owned(), retry_after }
            }
            // It has no timeout of its own.
            HandleError::Stopped | HandleError::Timeout => Self::Ending,
        }
    }
}

impl From<RouteError> for GatewayError {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::NoPods => Self::NoPods,
            RouteError::Tokens(error) => Self::Tokens(error),
        }
    }
}

impl ResponseError for GatewayError {
    fn status_code(&self) -> StatusCode {
        self.status_and_code().0
    }

    fn error_response(&self) -> HttpResponse {
        self.response(Shape::OpenAi)
    }
}
