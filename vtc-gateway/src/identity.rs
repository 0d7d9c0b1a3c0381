//! Who asks: the account that a request is charged to.
//!
//! The first of these that a request has:
//!
//! 1. A key of a tenant: `authorization: Bearer KEY` or `x-api-key: KEY`. If there are keys, whoever brings none or a wrong
//!    one is refused, unless [`Rules::require_key`] is off; then only a wrong one is.
//! 2. A header that names a user, from a client of a trusted network. From others it is ignored, and counted.
//! 3. Its client's address, if that is [wanted](Rules::by_address).
//! 4. Nothing: all of those are one [account](account::ANONYMOUS), which takes part in fairness like any other.
//!
//! # Drawbacks first
//!
//! - **Unless networks are configured, loopback and private ones are trusted**, so that it works at once and as AIBrix's
//!   gateway does: whoever is inside may name anybody. What a proxy passed on from elsewhere is not inside: a request
//!   with `x-forwarded-for` or `forwarded` is trusted only by configuration. With keys no network is trusted unless it is
//!   configured.
//! - **A trusted network answers for every header it passes on.** A proxy there has to set or remove each of the
//!   configured headers; one that adds its own beside a client's has the request refused, since nobody can tell the two
//!   apart.
//! - **A sub-user is no account of its own.** `user` in the body, if [wanted](Rules::sub_users), is a name that the client
//!   makes up. In the fair queue a new name starts at the level of those who wait, so each new name would buy its tenant
//!   another turn. So the tenant is charged and waits, whatever it calls its users: no name buys it anything. Among its
//!   own users there is no more fairness than a [limit](Rules::sub_user_max_in_flight) on what each has in flight.

pub mod account;
pub mod address;
pub mod key;

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use bytes::Bytes;
use ipnet::IpNet;
use serde::Deserialize;

use self::account::ANONYMOUS;
use self::key::{KeyRing, WrongKey};
use crate::error::GatewayError;
use crate::request::RequestError;

/// The header that names the user, as in AIBrix's gateway.
pub const USER: HeaderName = HeaderName::from_static("user");

/// The headers that name a user unless others are configured: AIBrix's, and those of the Gateway API's inference extension
/// and of llm-d.
pub const USER_HEADERS: [HeaderName; 3] = [
    USER,
    HeaderName::from_static("x-gateway-inference-fairness-id"),
    HeaderName::from_static("x-llm-d-inference-fairness-id"),
];

/// The header that carries a key, as Anthropic's clients send it.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The longest name of a user, in bytes. A cap on users bounds memory only if their names are bounded, too.
pub const LONGEST_NAME: usize = 256;

/// How it is decided who asks.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The tenants' keys.
    pub keys: KeyRing,
    /// Whether nobody is served without a key.
    pub require_key: bool,
    /// The headers that name a user.
    pub user_headers: Vec<HeaderName>,
    /// Whose word on users is taken.
    pub trusted: Trusted,
    /// The proxies whose `x-forwarded-for` is believed.
    pub proxies: Vec<IpNet>,
    /// Whether whoever has no name is known by its address.
    pub by_address: bool,
    /// Whether `user` in the body names a sub-user of whoever it is.
    pub sub_users: bool,
    /// The most requests of one sub-user that are in flight at the same time, if there is a limit.
    pub sub_user_max_in_flight: Option<usize>,
    /// Whether pods get the client's `authorization` and `x-api-key`.
    pub forward_authorization: bool,
}

/// The networks whose word on users is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The networks.
    pub networks: Vec<IpNet>,
    /// Whether what somebody passed on from elsewhere counts as well.
    pub relayed: bool,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Who is charged; never empty.
    pub account: Cow<'a, str>,
    /// How that is known.
    pub source: Source,
    /// Whether a header named a user but may not.
    pub forged: bool,
}

/// How it is known who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// By a key.
    Key,
    /// By a header from a trusted network.
    Header,
    /// By the client's address.
    Address,
    /// Not at all.
    Anonymous,
}

/// Who asks, from the request's headers and the address of its connection; that is unknown (`None`) only if the
/// connection is gone.
///
/// # Errors
/// [`GatewayError::Unauthorized`]; [`GatewayError::LongUser`] and [`GatewayError::ManyUsers`] if a trusted header is no name.
pub fn who<'a>(
    rules: &Rules,
    headers: &'a HeaderMap,
    peer: Option<IpAddr>,
) -> Result<Identity<'a>, GatewayError> {
    let named = || rules.user_headers.iter().any(|name| headers.contains_key(name));
    if !rules.keys.is_empty() {
        if let Some(tenant) = keys(headers).find_map(|key| rules.keys.owner(key)) {
            let account = Cow::Owned(tenant.to_string());
            return Ok(Identity { account, source: Source::Key, forged: false });
        }
        if keys(headers).next().is_some() {
            return Err(WrongKey::Unknown.into());
        }
        if rules.require_key {
            return Err(WrongKey::Missing.into());
        }
    }
    let address = peer.and_then(|peer| address::client(peer, headers, &rules.proxies));
    let trusted = address.is_some_and(|address| rules.trusted.trusts(address, peer, headers, &rules.proxies));
    let mut identity = Identity {
        account: Cow::Borrowed(ANONYMOUS),
        source: Source::Anonymous,
        forged: !trusted && named(),
    };
    if let Some(user) = if trusted { user(rules, headers)? } else { None } {
        (identity.account, identity.source) = (account::of_user(user), Source::Header);
    } else if let Some(address) = address.filter(|_| rules.by_address) {
        (identity.account, identity.source) = (account::of_address(address).into(), Source::Address);
    }
    Ok(identity)
}

/// The sub-user that a body of JSON names.
///
/// # Errors
/// [`GatewayError::Request`] if `user` is no text or stands twice; [`GatewayError::LongUser`].
pub fn sub_user(body: &Bytes) -> Result<Option<Cow<'_, str>>, GatewayError> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, default)]
        user: Option<Cow<'a, str>>,
    }
    let wrong = |_| RequestError::Wrong { param: "user", wanted: "a string, once" };
    let named: Named<'_> = serde_json::from_slice(body).map_err(wrong)?;
    match named.user {
        Some(user) if user.len() > LONGEST_NAME => Err(GatewayError::LongUser),
        user => Ok(user.filter(|user| !user.is_empty())),
    }
}

/// The keys that a request shows: that of `authorization: Bearer KEY`, and that of `x-api-key: KEY`.
pub(crate) fn keys(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    bearer(headers).into_iter().chain(headers.get(X_API_KEY).map(|key| key.as_bytes()))
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

/// The user that the headers name. Any bytes are a name; what in them is no UTF-8 reads as `\u{fffd}`.
fn user<'a>(rules: &Rules, headers: &'a HeaderMap) -> Result<Option<Cow<'a, str>>, GatewayError> {
    let values =
        rules.user_headers.iter().flat_map(|name| headers.get_all(name)).map(|value| value.as_bytes());
    let mut names = values.filter(|name| !name.is_empty());
    let Some(name) = names.next() else { return Ok(None) };
    if names.any(|other| other != name) {
        return Err(GatewayError::ManyUsers);
    }
    if name.len() > LONGEST_NAME {
        return Err(GatewayError::LongUser);
    }
    Ok(Some(String::from_utf8_lossy(name)))
}

// === impl Rules ===

impl Rules {
    /// Whether the header says who the client is, and so is not for pods.
    #[must_use]
    pub fn is_identity(&self, header: &HeaderName) -> bool {
        let is_key = [AUTHORIZATION, X_API_KEY].contains(header);
        (is_key && !self.forward_authorization)
            || USER_HEADERS.contains(header)
            || self.user_headers.contains(header)
    }
}

impl Default for Rules {
    /// Those of a gateway without keys that is told nothing else.
    fn default() -> Self {
        Self {
            keys: KeyRing::default(),
            require_key: false,
            user_headers: USER_HEADERS.to_vec(),
            trusted: Trusted::private(),
            proxies: Vec::new(),
            by_address: false,
            sub_users: false,
            sub_user_max_in_flight: None,
            forward_authorization: false,
        }
    }
}

// === impl Trusted ===

impl Trusted {
    /// Loopback and private networks, but nothing that is passed on.
    #[must_use]
    pub fn private() -> Self {
        // They are networks: a test reads them.
        Self {
            networks: address::PRIVATE.iter().filter_map(|network| network.parse().ok()).collect(),
            relayed: false,
        }
    }

    /// These networks.
    #[must_use]
    pub fn configured(networks: Vec<IpNet>) -> Self {
        Self { networks, relayed: true }
    }

    /// Whether the client at that address may name a user.
    fn trusts(&self, client: IpAddr, peer: Option<IpAddr>, headers: &HeaderMap, proxies: &[IpNet]) -> bool {
        // Of what a known proxy passed on it is known where it comes from.
        let is_known = self.relayed
            || !address::is_relayed(headers)
            || peer.is_some_and(|peer| address::is_in(proxies, peer.to_canonical()));
        is_known && address::is_in(&self.networks, client)
    }
}

// === impl Source ===

impl Source {
    /// A word for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Header => "header",
            Self::Address => "address",
            Self::Anonymous => "anonymous",
        }
    }
}

#[cfg(test)]
mod tests;
