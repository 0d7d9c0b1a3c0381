//! A request's way through the core: look, decide, charge.

use crate::clock::{Clock, CoarseClock, Tick};
use crate::config::VtcConfig;
use crate::estimator::TokenEstimator;
use crate::noise::Noise;
use crate::pods::{Pod, PodTable, Pods};
use crate::policy::{Policies, Policy, UnknownPolicy, View, VtcBasic};
use crate::setting::ConfigError;
use crate::sync::Arc;
use crate::ticket::Ticket;
use crate::tokens::{InvalidTokens, Tokens};
use crate::tracker::{Account, SlidingWindowTracker};

/// Routes requests to pods and charges their users. Share it in an [`Arc`](std::sync::Arc).
///
/// ```
/// use vtc_core::{RouteRequest, Router, TokenTracker, VtcConfig};
///
/// let router = Router::new(VtcConfig::default())?;
/// router.pods().set(["pod-0", "pod-1"]);
///
/// let ticket = router.route(&RouteRequest { user: Some("alice"), input_tokens: 10.0, output_tokens: 15.0 })?;
/// assert_eq!(router.tracker().token_count("alice"), 40.0); // the estimate, reserved
/// // ... the request is served by ticket.pod().name(), and the response's usage says:
/// ticket.settle(12.0, 100.0)?;
/// assert_eq!(router.tracker().token_count("alice"), 212.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Router<C = CoarseClock> {
    tracker: SlidingWindowTracker<C>,
    pods: Pods,
    policies: Policies,
    vtc_basic: VtcBasic,
    default_policy: usize,
}

/// What a decision needs to know of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RouteRequest<'a> {
    /// Who asks. `None`: the request names nobody; it goes to a random pod under `vtc-basic`, and nobody is
    /// charged. The empty name counts as a user without tokens, and nobody is charged.
    pub user: Option<&'a str>,
    /// How many tokens the pod will read.
    pub input_tokens: f64,
    /// How many tokens the pod will write, probably.
    pub output_tokens: f64,
}

/// Who asks, and when.
struct Asker<'a, C> {
    user: Option<&'a str>,
    account: Option<Account<C>>,
    now: Tick,
    /// The bucket of now.
    bucket: u64,
}

/// A request that was not routed. Nobody was charged.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum RouteError {
    /// There is no ready pod: try again later.
    #[error("no pod is ready")]
    NoPods,
    /// A number of tokens is no number.
    #[error(transparent)]
    Tokens(#[from] InvalidTokens),
}

// === impl Router ===

impl Router {
    /// A router on the default clock, without pods yet.
    ///
    /// # Errors
    /// The first setting that is not allowed.
    pub fn new(config: VtcConfig) -> Result<Self, ConfigError> {
        Self::with_clock(config, CoarseClock::new())
    }
}

impl<C: Clock> Router<C> {
    /// A router that takes the time from `clock`.
    ///
    /// # Errors
    /// The first setting that is not allowed.
    pub fn with_clock(config: VtcConfig, clock: C) -> Result<Self, ConfigError> {
        config.validate()?;
        let policies = Policies::new(&config.scoring);
        let default_policy =
            policies.position(&config.policy).map_err(|unknown| unknown.of_field("policy"))?;
        Ok(Self {
            tracker: SlidingWindowTracker::new(config.tracker, clock)?,
            pods: Pods::new(),
            policies,
            vtc_basic: VtcBasic::new(config.scoring),
            default_policy,
        })
    }

    /// Who has used how much.
    #[must_use]
    pub fn tracker(&self) -> &SlidingWindowTracker<C> {
        &self.tracker
    }

    /// The pods that [`Router::route`] chooses from.
    #[must_use]
    pub fn pods(&self) -> &Pods {
        &self.pods
    }

    /// The policy of that name.
    ///
    /// # Errors
    /// [`UnknownPolicy`], which lists the names there are.
    pub fn policy(&self, name: &str) -> Result<&dyn Policy, UnknownPolicy> {
        self.policies.get(name)
    }

    /// The configured policy.
    #[must_use]
    pub fn default_policy(&self) -> &dyn Policy {
        self.policies.at(self.default_policy).unwrap_or(&self.vtc_basic)
    }

    /// Chooses one of [`Router::pods`] by the configured policy, takes a place on it and charges the estimate.
    /// Allocates nothing for a known user.
    ///
    /// # Errors
    /// [`RouteError`]; nobody was charged then.
    pub fn route(&self, request: &RouteRequest<'_>) -> Result<Ticket<C>, RouteError> {
        self.pods.with(|pods| self.route_among(pods, self.default_policy(), request))
    }

    /// [`Router::route`], with these pods and that policy.
    ///
    /// # Errors
    /// [`RouteError`]; nobody was charged then.
    pub fn route_among(
        &self,
        pods: &PodTable,
        policy: &dyn Policy,
        request: &RouteRequest<'_>,
    ) -> Result<Ticket<C>, RouteError> {
        let cost = self.cost(request)?;
        let asker = self.asker(request.user);
        let pod = self.chosen(pods, policy, &asker).ok_or(RouteError::NoPods)?;
        Ok(Ticket::open(pod, self.payer(request.user, asker.account), cost, asker.bucket))
    }

    /// Only the choice: for a second try, when the pod of a ticket has failed and the ticket is to
    /// [move](Ticket::move_to) to another. `None` if there is no pod. Charges nobody.
    #[must_use]
    pub fn choose<'a>(
        &self,
        pods: &'a PodTable,
        policy: &dyn Policy,
        user: Option<&str>,
    ) -> Option<&'a Arc<Pod>> {
        self.chosen(pods, policy, &self.asker(user))
    }

    /// The same charge and the same ticket for a pod that somebody else chose, for instance from the scores of
    /// [`Router::score_all`]: what is charged does not depend on how the pod was chosen.
    ///
    /// # Errors
    /// [`InvalidTokens`]; nobody was charged then.
    pub fn assign(&self, pod: &Arc<Pod>, request: &RouteRequest<'_>) -> Result<Ticket<C>, InvalidTokens> {
        let cost = self.cost(request)?;
        let now = self.tracker.ledger().bucket();
        Ok(Ticket::open(pod, self.payer(request.user, None), cost, now))
    }

    /// The score that `vtc-basic` gives each of these pods for that user, in their order; the least is the
    /// best. Charges nobody: whoever chooses by it calls [`Router::assign`] with the choice. O(pods).
    #[must_use]
    pub fn score_all(&self, pods: &PodTable, user: Option<&str>) -> Vec<f64> {
        self.vtc_basic.score_all(&self.view(pods, &self.asker(user)))
    }

    fn cost(&self, request: &RouteRequest<'_>) -> Result<Tokens, InvalidTokens> {
        self.tracker.config().weights.cost(request.input_tokens, request.output_tokens)
    }

    /// Looks at the clock and for the account, once per decision.
    #[inline]
    fn asker<'a>(&self, user: Option<&'a str>) -> Asker<'a, C> {
        let account = user.and_then(|user| self.tracker.account(user));
        let now = self.tracker.clock().now();
        Asker { user, account, now, bucket: self.tracker.ledger().window.bucket_of(now) }
    }

    #[inline]
    fn chosen<'a>(
        &self,
        pods: &'a PodTable,
        policy: &dyn Policy,
        asker: &Asker<'_, C>,
    ) -> Option<&'a Arc<Pod>> {
        let position = policy.choose(&self.view(pods, asker))?;
        pods.pods().get(position)
    }

    #[inline]
    fn view<'a>(&self, pods: &'a PodTable, asker: &Asker<'_, C>) -> View<'a> {
        let count = asker.account.as_ref().map_or(0.0, |account| account.count(asker.bucket).as_f64());
        View {
            pods,
            user_tokens: asker.user.map(|_| count),
            extremes: self.tracker.extremes_at(asker.now),
            noise: Noise::draw(),
        }
    }

    /// Who is charged: the account that was found, else a new one; nobody if the request names nobody.
    #[inline]
    fn payer(&self, user: Option<&str>, found: Option<Account<C>>) -> Option<Account<C>> {
        found.or_else(|| self.tracker.account_or_open(user?).ok())
    }
}

// === impl RouteRequest ===

impl<'a> RouteRequest<'a> {
    /// A request whose tokens are estimated from the text of its prompt.
    #[must_use]
    pub fn from_text(user: Option<&'a str>, text: &str, estimator: &dyn TokenEstimator) -> Self {
        Self {
            user,
            input_tokens: estimator.estimate_input_tokens(text),
            output_tokens: estimator.estimate_output_tokens(text),
        }
    }
}
