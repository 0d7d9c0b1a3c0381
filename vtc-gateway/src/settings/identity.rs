//! Who asks: the table `[identity]`, and what it makes together with the tenants.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use actix_web::http::header::HeaderName;
use ipnet::IpNet;
use serde::Deserialize;
use vtc_core::ConfigError;
use vtc_core::queue::Weight;

use super::{KeyHashes, SettingsError, TenantDefaults, TenantSetting};
use crate::identity::account::{self, ANONYMOUS};
use crate::identity::key::KeyRing;
use crate::identity::{LONGEST_NAME, Rules, Trusted};
use crate::tenant::Tenants;

/// The table `[identity]`, as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySetting {
    /// The headers that name a user. Default: `user` and the fairness ids of the inference extension and of llm-d.
    pub user_headers: Option<Vec<String>>,
    /// The networks from where these headers count, as `10.0.0.0/8` or `10.0.0.1`. Default: loopback and private ones, for
    /// what nobody passed on; none if there are keys.
    pub trusted_networks: Option<Vec<Network>>,
    /// The proxies whose `x-forwarded-for` says where a request comes from. They must append to it. Default: none.
    pub trusted_proxies: Vec<Network>,
    /// Whether whoever has neither key nor name is known by the client's address. Default: no.
    pub by_address: bool,
    /// Whether `user` in the body names a sub-user. Default: no.
    pub sub_users: bool,
    /// The most requests of one sub-user that are in flight at the same time.
    pub sub_user_max_in_flight: Option<usize>,
    /// Whether nobody is served without a key. Default: yes, if there are keys.
    pub require_key: Option<bool>,
    /// Whether pods get the clients' `authorization` and `x-api-key`. Default: no.
    pub forward_authorization: bool,
    /// A TOML file of more keys: `tenant = "key_sha256"`, or a list of them.
    pub keys_file: Option<PathBuf>,
    /// What that file says.
    #[serde(skip)]
    pub keys: BTreeMap<String, KeyHashes>,
}

/// A network, or one address.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(pub IpNet);

// === impl IdentitySetting ===

impl IdentitySetting {
    /// Reads the file of keys, if there is one.
    ///
    /// # Errors
    /// It cannot be read. What is in it is not shown.
    pub fn read_keys(&mut self) -> Result<(), SettingsError> {
        let Some(path) = &self.keys_file else { return Ok(()) };
        let wrong = |what: String| ConfigError::new("identity.keys_file", path.display(), what);
        let text = std::fs::read_to_string(path)
            .map_err(|error| wrong(format!("a file that can be read ({error})")))?;
        self.keys = toml::from_str(&text).map_err(|error| {
            wrong(format!("lines as alice = \"64 hexadecimal digits\" ({})", error.message()))
        })?;
        Ok(())
    }

    fn rules(self, keys: KeyRing) -> Result<Rules, ConfigError> {
        let networks = |networks: Vec<Network>| networks.into_iter().map(|network| network.0).collect();
        let trusted = match self.trusted_networks {
            Some(list) => Trusted::configured(networks(list)),
            None if keys.is_empty() => Trusted::private(),
            None => Trusted::configured(Vec::new()),
        };
        let header = |name: String| {
            name.parse::<HeaderName>()
                .map_err(|_| ConfigError::new("identity.user_headers", name, "names of headers"))
        };
        let user_headers = match self.user_headers {
            Some(names) => names.into_iter().map(header).collect::<Result<_, _>>()?,
            None => crate::identity::USER_HEADERS.to_vec(),
        };
        let require_key = self.require_key.unwrap_or(!keys.is_empty());
        if require_key && keys.is_empty() {
            return Err(ConfigError::new("identity.require_key", true, "false, since there is no key"));
        }
        if self.sub_user_max_in_flight == Some(0) {
            return Err(ConfigError::new("identity.sub_user_max_in_flight", 0, "at least 1"));
        }
        if self.sub_user_max_in_flight.is_some() && !self.sub_users {
            let needed = "sub_users = true, or there are none";
            return Err(ConfigError::new("identity.sub_user_max_in_flight", "a limit", needed));
        }
        Ok(Rules {
            require_key,
            keys,
            user_headers,
            trusted,
            proxies: networks(self.trusted_proxies),
            by_address: self.by_address,
            sub_users: self.sub_users,
            sub_user_max_in_flight: self.sub_user_max_in_flight,
            forward_authorization: self.forward_authorization,
        })
    }
}

/// The rules and the terms that all these tables make together. `weights`: those of the queue, by user.
pub(super) fn read(
    identity: IdentitySetting,
    tenants: Vec<TenantSetting>,
    defaults: TenantDefaults,
    weights: BTreeMap<String, f64>,
) -> Result<(Rules, Tenants), ConfigError> {
    let mut keys = KeyRing::default();
    let mut terms = Tenants { others: defaults.terms()?, ..Tenants::default() };
    for tenant in tenants {
        let name = tenant.name.clone();
        check_name("tenants.name", &name)?;
        add_keys(&mut keys, &format!("key_sha256 of tenant {name}"), &name, &tenant.key_sha256)?;
        if terms.named.insert(name.clone(), tenant.terms(&terms.others)?).is_some() {
            return Err(ConfigError::new("tenants.name", name, "each tenant a name of its own"));
        }
        if let (Some(_), true) = (tenant.weight, weights.contains_key(&name)) {
            return Err(ConfigError::new(
                format!("queue.weights.{name}"),
                weights[&name],
                "one weight: the tenant has its own",
            ));
        }
    }
    for (name, hashes) in &identity.keys {
        check_name("name in identity.keys_file", name)?;
        add_keys(&mut keys, &format!("{name} in identity.keys_file"), name, hashes)?;
    }
    for (user, weight) in weights {
        let weight = Weight::new(weight)
            .map_err(|error| ConfigError { field: format!("queue.weights.{user}"), ..error })?;
        let is_anonymous = user == ANONYMOUS;
        let account = if is_anonymous { user } else { account::of_user(user.into()).into_owned() };
        let others = terms.others.clone();
        terms.named.entry(account).or_insert(others).weight = weight;
    }
    Ok((identity.rules(keys)?, terms))
}

fn check_name(field: &str, name: &str) -> Result<(), ConfigError> {
    let is_name = !name.is_empty() && name.len() <= LONGEST_NAME && !name.starts_with('@');
    if is_name || name == ANONYMOUS {
        return Ok(());
    }
    let allowed = format!("1 to {LONGEST_NAME} bytes that do not begin with @, or {ANONYMOUS}");
    Err(ConfigError::new(field, name, allowed))
}

/// `field`: where the hashes stand.
fn add_keys(keys: &mut KeyRing, field: &str, tenant: &str, hashes: &KeyHashes) -> Result<(), ConfigError> {
    for hash in hashes.read(field)? {
        if tenant == ANONYMOUS {
            return Err(ConfigError::new(field, tenant, "no key: they are those who have none"));
        }
        if !keys.add(hash, tenant) {
            return Err(ConfigError::new(field, "..", "a key of its own: another has it"));
        }
    }
    Ok(())
}

// === impl Network ===

impl TryFrom<String> for Network {
    type Error = ConfigError;

    fn try_from(text: String) -> Result<Self, ConfigError> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network
            .map(Self)
            .map_err(|_| ConfigError::new("network", text, "as 10.0.0.0/8, fd00::/8 or 10.0.0.1"))
    }
}
