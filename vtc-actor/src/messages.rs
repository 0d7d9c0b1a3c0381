//! The messages. Each is a small struct that names its reply and knows how the router serves it.
//!
//! A new message is one struct and one `impl Request`, here or in the app that embeds the actor.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use actix::Message;
use vtc_core::{Clock, CoarseClock, Extremes, RouteRequest, Router, Ticket, TokenTracker, UpdateError};

use crate::error::RouteRefusal;

/// A message that a router can serve, from beginning to end and without waiting.
///
/// ```
/// use vtc_actor::Request;
/// use vtc_core::{Clock, Router};
///
/// /// How many accounts are open?
/// #[derive(actix::Message)]
/// #[rtype(result = "usize")]
/// struct CountAccounts;
///
/// impl<C: Clock> Request<C> for CountAccounts {
///     fn serve(self, router: &Router<C>) -> usize {
///         router.tracker().account_count()
///     }
/// }
/// ```
pub trait Request<C: Clock>: Message<Result: Send> + Send + 'static {
    /// Whether this settles what an earlier request took. A handle never sheds such a message, and once it
    /// is in the mailbox it is served even if nobody waits for the reply any more.
    const SETTLES: bool = false;

    /// Does what the message says.
    fn serve(self, router: &Router<C>) -> Self::Result;
}

/// Choose a pod, take a place on it and charge the estimate: [`Router::route`].
///
/// The reply is the ticket. Whoever has it ends it directly, without another message; if nobody
/// picks the reply up, the ticket abandons itself and the place on the pod is free.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Ticket<C>, RouteRefusal>")]
pub struct Route<C: Clock = CoarseClock> {
    /// Who asks; see [`RouteRequest::user`].
    pub user: Option<Arc<str>>,
    /// How many tokens the pod will read.
    pub input_tokens: f64,
    /// How many tokens the pod will write, probably.
    pub output_tokens: f64,
    /// The name of the policy that chooses; `None`: the configured one.
    pub policy: Option<Cow<'static, str>>,
    /// The reply is a ticket on the clock of the router.
    clock: PhantomData<fn() -> C>,
}

/// Charge so many tokens to a user, now: [`TokenTracker::update_token_count`].
///
/// For usage that is known without a ticket. It is never shed: what it reports has been consumed already.
/// There are not more of these than of the requests that were admitted, so they need no bound of their own.
#[derive(Clone, Debug, PartialEq, Message)]
#[rtype(result = "Result<(), UpdateError>")]
pub struct Update {
    /// Who pays; not empty.
    pub user: Arc<str>,
    /// How many tokens were read; negative counts as 0.
    pub input_tokens: f64,
    /// How many tokens were written; negative counts as 0.
    pub output_tokens: f64,
}

/// How many weighted tokens a user has in the window: [`TokenTracker::token_count`].
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "f64")]
pub struct GetTokenCount {
    /// Who; an unknown user has 0.
    pub user: Arc<str>,
}

/// The least and the most that any user has, at most [`staleness`](vtc_core::TrackerConfig::staleness) old.
/// Its `min` and `max` are what AIBrix calls `GetMinTokenCount` and `GetMaxTokenCount`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Message)]
#[rtype(result = "Extremes")]
pub struct GetExtremes;

/// Put the pods of these names in force, instead of those before: [`vtc_core::Pods::set`].
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct SetPods {
    /// The names; the order does not matter.
    pub names: Vec<String>,
}

/// Many messages of one kind in one: they share one trip through the mailbox, and one place among those
/// [in flight](crate::HandleConfig::max_in_flight).
///
/// The replies are in the order of the messages. Each message is served by itself: one that is refused
/// keeps none of the others back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<M>(pub Vec<M>);

// === impl Route ===

impl<C: Clock> Route<C> {
    /// A request of that user. A name that is an `Arc<str>` already is not copied: whoever keeps a
    /// session keeps one.
    #[must_use]
    pub fn new(user: impl Into<Arc<str>>, input_tokens: f64, output_tokens: f64) -> Self {
        Self { user: Some(user.into()), ..Self::anonymous(input_tokens, output_tokens) }
    }

    /// A request that names nobody: nobody is charged.
    #[must_use]
    pub fn anonymous(input_tokens: f64, output_tokens: f64) -> Self {
        Self { user: None, input_tokens, output_tokens, policy: None, clock: PhantomData }
    }

    /// The same request, for which the policy of that name chooses.
    #[must_use]
    pub fn by(self, policy: impl Into<Cow<'static, str>>) -> Self {
        Self { policy: Some(policy.into()), ..self }
    }
}

/// For a request whose tokens were estimated: [`RouteRequest::from_text`].
impl<C: Clock> From<RouteRequest<'_>> for Route<C> {
    fn from(request: RouteRequest<'_>) -> Self {
        let user = request.user.map(Arc::from);
        Self { user, ..Self::anonymous(request.input_tokens, request.output_tokens) }
    }
}

impl<C: Clock> Request<C> for Route<C> {
    fn serve(self, router: &Router<C>) -> Self::Result {
        let request = RouteRequest {
            user: self.user.as_deref(),
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
        };
        let ticket = match self.policy {
            Some(name) => router.route_among(&router.pods().table(), router.policy(&name)?, &request)?,
            None => router.route(&request)?,
        };
        Ok(ticket)
    }
}

// === impl Update ===

impl Update {
    /// A charge to that user.
    #[must_use]
    pub fn new(user: impl Into<Arc<str>>, input_tokens: f64, output_tokens: f64) -> Self {
        Self { user: user.into(), input_tokens, output_tokens }
    }
}

impl<C: Clock> Request<C> for Update {
    const SETTLES: bool = true;

    fn serve(self, router: &Router<C>) -> Self::Result {
        router.tracker().update_token_count(&self.user, self.input_tokens, self.output_tokens)
    }
}

// === impl GetTokenCount ===

impl GetTokenCount {
    /// The count of that user.
    #[must_use]
    pub fn new(user: impl Into<Arc<str>>) -> Self {
        Self { user: user.into() }
    }
}

impl<C: Clock> Request<C> for GetTokenCount {
    fn serve(self, router: &Router<C>) -> f64 {
        router.tracker().token_count(&self.user)
    }
}

// === impl GetExtremes ===

impl<C: Clock> Request<C> for GetExtremes {
    fn serve(self, router: &Router<C>) -> Extremes {
        router.tracker().extremes()
    }
}

// === impl SetPods ===

impl SetPods {
    /// The pods of these names.
    #[must_use]
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect() }
    }
}

impl<C: Clock> Request<C> for SetPods {
    fn serve(self, router: &Router<C>) {
        router.pods().set(self.names.iter().map(String::as_str));
    }
}

// === impl Batch ===

impl<M: Message> Message for Batch<M> {
    type Result = Vec<M::Result>;
}

impl<C: Clock, M: Request<C>> Request<C> for Batch<M> {
    const SETTLES: bool = M::SETTLES;

    fn serve(self, router: &Router<C>) -> Self::Result {
        self.0.into_iter().map(|request| request.serve(router)).collect()
    }
}
