//! Who asks and what each may, as files say it.

use super::*;

const POD: &str = "[[pods]]\nname = \"a\"\nurl = \"http://10.0.0.1:8000\"\n";

/// The hash of a key, as it stands in the file.
fn hash(key: &str) -> String {
    crate::identity::key::KeyHash::of(key.as_bytes()).to_string()
}

fn tenants() -> String {
    format!(
        r#"{POD}
        [identity]
        user_headers = ["X-Team"]
        trusted_networks = ["10.0.0.0/8", "::1"]
        trusted_proxies = ["192.168.1.1"]
        by_address = true
        sub_users = true
        sub_user_max_in_flight = 3
        require_key = false
        forward_authorization = true

        [[tenants]]
        name = "alice"
        key_sha256 = "{}"
        weight = 4
        models = ["x", "y"]
        requests_per_minute = 10

        [[tenants]]
        name = "@anonymous"
        max_in_flight = 1

        [tenant_defaults]
        weight = 0.5
        max_in_flight = 8
        tokens_per_minute = 1000

        [admin]
        key_sha256 = ["{}", "{}"]
        open_metrics = true

        [queue]
        weights = {{ bob = 2, "@carol" = 3 }}
        "#,
        hash("of alice"),
        hash("of admin"),
        hash("new"),
    )
}

#[test]
fn a_file_reaches_every_setting_of_who_asks_and_what_each_may() {
    let Settings { identity, tenants, admin, .. } = settings(&tenants(), &[]).unwrap();
    assert_eq!(identity.keys.owner(b"of alice").map(|name| &**name), Some("alice"));
    assert_eq!(identity.user_headers, ["x-team"]);
    assert_eq!(identity.trusted.networks.len(), 2);
    assert!(identity.trusted.relayed);
    assert_eq!(identity.proxies, ["192.168.1.1/32".parse().unwrap()]);
    assert!(
        identity.by_address && identity.sub_users && !identity.require_key && identity.forward_authorization
    );
    assert_eq!(identity.sub_user_max_in_flight, Some(3));
    assert!(admin.open_metrics && admin.keys.len() == 2 && admin.keys[1].is_of(b"new"));

    let of = |account: &str| {
        let terms = tenants.of(account);
        let limits = terms.limits;
        (terms.weight.as_f64(), limits.max_in_flight, limits.requests_per_minute, limits.tokens_per_minute)
    };
    assert_eq!(of("alice"), (4.0, Some(8), Some(10), Some(1000)));
    assert_eq!(of("@anonymous"), (0.5, Some(1), None, Some(1000)));
    assert_eq!(of("bob"), (2.0, Some(8), None, Some(1000)), "a weight of the queue is one of these terms");
    assert_eq!(of("@@carol"), (3.0, Some(8), None, Some(1000)), "by the name that the header has");
    assert_eq!(of("dave"), (0.5, Some(8), None, Some(1000)));
    assert!(
        tenants.of("alice").allows("x") && !tenants.of("alice").allows("z") && tenants.of("bob").allows("z")
    );
}

#[test]
fn with_keys_they_are_required_and_no_network_is_trusted_unless_it_is_said() {
    let keyed = format!("{POD}[[tenants]]\nname = \"a\"\nkey_sha256 = \"{}\"", hash("a"));
    let rules = settings(&keyed, &[]).unwrap().identity;
    assert!(rules.require_key && rules.trusted.networks.is_empty());
    let rules = settings(POD, &[]).unwrap().identity;
    assert!(!rules.require_key && !rules.trusted.networks.is_empty() && !rules.trusted.relayed);
    assert!(!rules.forward_authorization && !rules.by_address && !rules.sub_users);
}

#[test]
fn every_mistake_about_who_asks_is_named() {
    let bad = |from: &str, to: &str| settings(&tenants().replace(from, to), &[]).unwrap_err().to_string();
    assert!(bad("\"X-Team\"", "\"x team\"").contains("identity.user_headers: \"x team\""));
    assert!(bad("10.0.0.0/8", "10.0.0.0/33").contains("as 10.0.0.0/8"));
    assert!(bad("192.168.1.1", "proxy.example").contains("proxy.example"));
    assert!(bad("sub_users = true", "").contains("identity.sub_user_max_in_flight"));
    assert!(bad("flight = 3", "flight = 0").contains("identity.sub_user_max_in_flight: \"0\""));
    assert!(bad("\"alice\"", "\"@alice\"").contains("tenants.name: \"@alice\""));
    assert!(bad("\"alice\"", "\"\"").contains("tenants.name: \"\""));
    assert!(bad("\"@anonymous\"", "\"alice\"").contains("each tenant a name of its own"));
    assert!(bad("name = \"alice\"", "name = \"bob\"").contains("queue.weights.bob"));
    assert!(bad("weight = 4", "weight = 0").contains("weight of tenant alice: \"0\""));
    assert!(
        bad("requests_per_minute = 10", "requests_per_minute = 0")
            .contains("requests_per_minute of tenant alice")
    );
    assert!(bad("weight = 0.5", "weight = -1").contains("tenant_defaults.weight"));
    assert!(bad("tokens_per_minute = 1000", "tokens_per_minute = 2000000000").contains("1 to 1000000000"));
    assert!(bad(&hash("of alice"), "of alice").contains("key_sha256 of tenant alice"));
    assert!(bad(&hash("of admin"), "of admin").contains("admin.key_sha256"));
    let keyless = format!("{POD}[identity]\nrequire_key = true");
    assert!(settings(&keyless, &[]).unwrap_err().to_string().contains("identity.require_key"));
    let of_anonymous = format!("{POD}[[tenants]]\nname = \"@anonymous\"\nkey_sha256 = \"{}\"", hash("a"));
    assert!(settings(&of_anonymous, &[]).unwrap_err().to_string().contains("no key"));
}

#[test]
fn a_pods_key_is_its_own_or_that_of_all_and_may_be_in_the_environment() {
    let env = [("POD_KEY", "from-env"), ("ALL", "of-all")];
    let keyed = format!(
        "{POD}api_key_env = \"POD_KEY\"\n[[pods]]\nname = \"b\"\nurl = \"http://b\"\n[upstream]\napi_key_env = \"ALL\""
    );
    let pods = settings(&keyed, &env).unwrap().pods;
    let shown: Vec<_> =
        pods.iter().map(|pod| pod.authorization.as_ref().unwrap().to_str().unwrap()).collect();
    assert_eq!(shown, ["Bearer from-env", "Bearer of-all"]);
    assert!(!format!("{pods:?}").contains("from-env"), "it is not shown");
    assert!(settings(&keyed, &env[1..]).unwrap_err().to_string().contains("pod a: api_key_env: \"POD_KEY\""));
    assert!(settings(POD, &env).unwrap().pods[0].authorization.is_none());
}
