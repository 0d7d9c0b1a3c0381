//! What is wrong with a request's body.

/// A body that the gateway cannot read: the client's mistake, to be answered with 400. Its text is the
/// `message` of an OpenAI error, and [`param`](Self::param) its `param`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The body is empty, or some other thing than a JSON object.
    #[error("the body must be a JSON object: send one with content-type application/json")]
    NotAnObject,
    /// The body is no valid JSON, or has a field twice. Holds what is wrong and where.
    #[error("the body cannot be read as JSON: {0}")]
    Unreadable(String),
    /// The body is no valid form.
    #[error("the body cannot be read as a form: {0}")]
    BrokenForm(&'static str),
    /// A field that must be there is absent or null.
    #[error("`{param}` is missing: {what}")]
    Missing {
        /// The field.
        param: &'static str,
        /// What to do about it.
        what: &'static str,
    },
    /// A field has the wrong type or value.
    #[error("`{param}` must be {wanted}")]
    Wrong {
        /// The field, with dots into objects.
        param: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A message of a chat cannot be read.
    #[error("`messages[{index}]{field}` must be {wanted}")]
    WrongMessage {
        /// Which message, from 0.
        index: usize,
        /// Its field, with a dot; empty for the message itself.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
}

// === impl RequestError ===

impl RequestError {
    /// A model has to be named.
    pub const NO_MODEL: Self =
        Self::Missing { param: "model", what: "name one of the models that GET /v1/models lists" };

    /// The field of the body that is at fault, if it is one.
    #[must_use]
    pub const fn param(&self) -> Option<&str> {
        match self {
            Self::NotAnObject | Self::Unreadable(_) | Self::BrokenForm(_) => None,
            Self::Missing { param, .. } | Self::Wrong { param, .. } => Some(param),
            Self::WrongMessage { .. } => Some("messages"),
        }
    }

    pub(super) const fn wrong(param: &'static str, wanted: &'static str) -> Self {
        Self::Wrong { param, wanted }
    }
}
