//! The laws of identity: what names a user, and what does not.

use std::net::IpAddr;

use actix_web::http::header::HeaderValue;
use proptest::prelude::*;

use super::key::KeyHash;
use super::*;

const KEY: &str = "vtc-key-of-alice";
const INSIDE: &str = "10.0.0.1";
const OUTSIDE: &str = "8.8.8.8";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn with_keys() -> Rules {
    let mut keys = KeyRing::default();
    keys.add(KeyHash::of(KEY.as_bytes()), "alice");
    Rules { keys, require_key: true, trusted: Trusted::configured(Vec::new()), ..Rules::default() }
}

fn trusting(network: &str) -> Trusted {
    Trusted::configured(vec![network.parse().unwrap()])
}

fn at(address: &str) -> Option<IpAddr> {
    Some(address.parse().unwrap())
}

/// The account, how it is known, and whether a header was ignored.
fn of(rules: &Rules, pairs: &[(&str, &str)], peer: &str) -> Result<(String, Source, bool), GatewayError> {
    let headers = headers(pairs);
    who(rules, &headers, at(peer)).map(|it| (it.account.into_owned(), it.source, it.forged))
}

fn is(account: &str, source: Source, forged: bool) -> Result<(String, Source, bool), GatewayError> {
    Ok((account.to_owned(), source, forged))
}

#[test]
fn without_configuration_a_header_counts_from_inside_and_not_from_outside() {
    let rules = Rules::default();
    for name in ["user", "x-gateway-inference-fairness-id", "x-llm-d-inference-fairness-id"] {
        for inside in ["127.0.0.1", "::1", INSIDE, "::ffff:192.168.0.9"] {
            assert_eq!(of(&rules, &[(name, "bob")], inside), is("bob", Source::Header, false));
        }
        assert_eq!(of(&rules, &[(name, "bob")], OUTSIDE), is(ANONYMOUS, Source::Anonymous, true));
    }
    assert_eq!(of(&rules, &[], INSIDE), is(ANONYMOUS, Source::Anonymous, false));
    assert_eq!(who(&rules, &headers(&[("user", "bob")]), None).unwrap().account, ANONYMOUS);
}

#[test]
fn what_was_passed_on_counts_only_by_configuration() {
    for relay in [("x-forwarded-for", OUTSIDE), ("x-forwarded-for", INSIDE), ("forwarded", "for=10.0.0.1")] {
        let asks = [("user", "bob"), relay];
        assert_eq!(of(&Rules::default(), &asks, INSIDE), is(ANONYMOUS, Source::Anonymous, true), "{relay:?}");
        let rules = Rules { trusted: trusting("10.0.0.0/8"), ..Rules::default() };
        assert_eq!(of(&rules, &asks, INSIDE), is("bob", Source::Header, false), "{relay:?}");
    }
    // Of what a known proxy passed on it is known where it comes from.
    let rules = Rules { proxies: vec!["10.0.0.1/32".parse().unwrap()], ..Rules::default() };
    let from = |client| [("user", "bob"), ("x-forwarded-for", client)];
    assert_eq!(of(&rules, &from("10.0.0.7"), INSIDE), is("bob", Source::Header, false));
    assert_eq!(of(&rules, &from(OUTSIDE), INSIDE), is(ANONYMOUS, Source::Anonymous, true));
    assert_eq!(of(&rules, &from("10.0.0.7"), "10.0.0.2"), is(ANONYMOUS, Source::Anonymous, true));
}

#[test]
fn a_key_goes_before_all_else_and_there_are_two_ways_to_bring_it() {
    let rules = Rules { trusted: trusting("10.0.0.0/8"), ..with_keys() };
    let bearer = format!("Bearer {KEY}");
    let lower = format!("bearer  {KEY} ");
    for key in [("authorization", &*bearer), ("authorization", &*lower), ("x-api-key", KEY)] {
        for peer in [INSIDE, OUTSIDE] {
            assert_eq!(of(&rules, &[key, ("user", "bob")], peer), is("alice", Source::Key, false), "{key:?}");
        }
    }
    // Some clients send a made-up one of the other kind along.
    assert_eq!(
        of(&rules, &[("authorization", "Bearer -"), ("x-api-key", KEY)], OUTSIDE),
        is("alice", Source::Key, false)
    );
}

#[test]
fn where_keys_are_required_nobody_is_served_without() {
    let refused = |key: WrongKey| Err(key.into());
    let rules = Rules { trusted: trusting("10.0.0.0/8"), ..with_keys() };
    assert_eq!(of(&rules, &[("user", "bob")], INSIDE), refused(WrongKey::Missing));
    assert_eq!(of(&rules, &[("authorization", "Bearer wrong")], INSIDE), refused(WrongKey::Unknown));
    assert_eq!(of(&rules, &[("authorization", "Basic dTpw")], INSIDE), refused(WrongKey::Missing));
    assert_eq!(of(&rules, &[("x-api-key", "")], INSIDE), refused(WrongKey::Unknown));
    let lenient = Rules { require_key: false, ..rules };
    assert_eq!(of(&lenient, &[("user", "bob")], INSIDE), is("bob", Source::Header, false));
    assert_eq!(of(&lenient, &[("user", "bob")], OUTSIDE), is(ANONYMOUS, Source::Anonymous, true));
    assert_eq!(
        of(&lenient, &[("authorization", "Bearer wrong")], INSIDE),
        refused(WrongKey::Unknown),
        "not silently nobody"
    );
}

#[test]
fn without_keys_what_clients_send_as_one_does_not_matter() {
    let asks = [("authorization", "Bearer -"), ("user", "bob")];
    assert_eq!(of(&Rules::default(), &asks, INSIDE), is("bob", Source::Header, false));
}

#[test]
fn whoever_has_no_name_is_known_by_address_where_that_is_wanted() {
    let rules = Rules { by_address: true, ..Rules::default() };
    assert_eq!(of(&rules, &[], OUTSIDE), is("@8.8.8.8", Source::Address, false));
    assert_eq!(of(&rules, &[("user", "bob")], OUTSIDE), is("@8.8.8.8", Source::Address, true));
    assert_eq!(of(&rules, &[("user", "")], INSIDE), is("@10.0.0.1", Source::Address, false));
    let rules = Rules { proxies: vec!["10.0.0.0/8".parse().unwrap()], ..rules };
    assert_eq!(
        of(&rules, &[("x-forwarded-for", "1.1.1.1, 8.8.8.8")], INSIDE),
        is("@8.8.8.8", Source::Address, false)
    );
    assert_eq!(
        of(&rules, &[("x-forwarded-for", "unknown")], INSIDE),
        is(ANONYMOUS, Source::Anonymous, false)
    );
}

#[test]
fn every_name_is_somebodys_and_has_an_end() {
    let rules = Rules::default();
    let named = |name: &[u8]| {
        let headers: HeaderMap = [(USER, HeaderValue::from_bytes(name).unwrap())].into_iter().collect();
        who(&rules, &headers, at(INSIDE)).map(|it| it.account.into_owned())
    };
    assert_eq!(named("José".as_bytes()).unwrap(), "José");
    assert_eq!(named(b"a\xff").unwrap(), "a\u{fffd}");
    assert_eq!(named(b"").unwrap(), ANONYMOUS);
    assert_eq!(named(ANONYMOUS.as_bytes()).unwrap(), "@@anonymous");
    assert_eq!(named(&[b'x'; LONGEST_NAME]).unwrap().len(), LONGEST_NAME);
    assert_eq!(named(&[b'x'; LONGEST_NAME + 1]), Err(GatewayError::LongUser));
}

#[test]
fn headers_that_disagree_are_nobodys() {
    let rules = Rules::default();
    let two = [("user", "bob"), ("x-llm-d-inference-fairness-id", "carol")];
    assert_eq!(of(&rules, &two, INSIDE), Err(GatewayError::ManyUsers));
    assert_eq!(of(&rules, &[("user", "bob"), ("user", "carol")], INSIDE), Err(GatewayError::ManyUsers));
    assert_eq!(of(&rules, &two, OUTSIDE), is(ANONYMOUS, Source::Anonymous, true), "not read at all");
    let same = [("user", "bob"), ("x-llm-d-inference-fairness-id", "bob")];
    assert_eq!(of(&rules, &same, INSIDE), is("bob", Source::Header, false));
}

#[test]
fn the_body_names_a_sub_user() {
    let of = |body: &'static str| {
        sub_user(&Bytes::from_static(body.as_bytes())).map(|user| user.map(Cow::into_owned))
    };
    assert_eq!(of(r#"{"user":"joe","x":{"user":"other"}}"#), Ok(Some("joe".to_owned())));
    assert_eq!(of(r#"{"user":"jo\u0065"}"#), Ok(Some("joe".to_owned())));
    for nobody in ["{}", r#"{"user":null}"#, r#"{"user":""}"#] {
        assert_eq!(of(nobody), Ok(None), "{nobody}");
    }
    for wrong in [r#"{"user":1}"#, r#"{"user":"a","user":"b"}"#] {
        assert!(matches!(of(wrong), Err(GatewayError::Request(_))), "{wrong}");
    }
    let long = Bytes::from(format!(r#"{{"user":"{}"}}"#, "x".repeat(LONGEST_NAME + 1)));
    assert_eq!(sub_user(&long), Err(GatewayError::LongUser));
}

/// A header that says or seems to say who asks.
fn claim() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof![
        Just("user"),
        Just("x-llm-d-inference-fairness-id"),
        Just("x-gateway-inference-fairness-id"),
        Just("x-forwarded-for"),
        Just("forwarded"),
        Just("x-real-ip"),
        Just("authorization"),
        Just("x-api-key"),
    ];
    let value = prop_oneof![
        "[a-c@]{0,3}",
        Just(ANONYMOUS.to_owned()),
        Just("alice".to_owned()),
        Just("127.0.0.1".to_owned()),
        Just("10.0.0.1, 127.0.0.1".to_owned()),
        Just("Bearer vtc-key-of-alicf".to_owned()),
    ];
    (name.prop_map(str::to_owned), value)
}

fn all_rules() -> impl Strategy<Value = Rules> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(keyed, require, by_address, configured)| {
            let rules = if keyed { Rules { require_key: require, ..with_keys() } } else { Rules::default() };
            let trusted = if configured { trusting("10.0.0.0/8") } else { rules.trusted.clone() };
            Rules { by_address, trusted, proxies: vec!["10.9.0.0/16".parse().unwrap()], ..rules }
        },
    )
}

proptest! {
    #[test]
    fn nothing_that_a_stranger_says_changes_who_pays(rules in all_rules(), claims in prop::collection::vec(claim(), 0..6)) {
        let pairs: Vec<(&str, &str)> = claims.iter().map(|(name, value)| (&**name, &**value)).collect();
        let expected = if rules.by_address { "@8.8.8.8" } else { ANONYMOUS };
        match of(&rules, &pairs, OUTSIDE) {
            Ok((account, source, _)) => {
                prop_assert_eq!(account, expected);
                prop_assert!(matches!(source, Source::Address | Source::Anonymous));
            }
            Err(error) => {
                let is_refused = matches!(error, GatewayError::Unauthorized(_));
                prop_assert!(is_refused && !rules.keys.is_empty());
            }
        }
    }

    #[test]
    fn nothing_that_comes_with_a_key_changes_who_pays(rules in all_rules(), claims in prop::collection::vec(claim(), 0..6), peer: IpAddr) {
        let pairs: Vec<(&str, &str)> = claims.iter().map(|(name, value)| (&**name, &**value)).collect();
        let mut headers = headers(&pairs);
        headers.insert(X_API_KEY, HeaderValue::from_static(KEY));
        if !rules.keys.is_empty() {
            prop_assert_eq!(&*who(&rules, &headers, Some(peer)).unwrap().account, "alice");
        }
    }

    #[test]
    fn nobody_is_anonymous_by_name(rules in all_rules(), claims in prop::collection::vec(claim(), 0..6), peer in prop::sample::select(vec![INSIDE, OUTSIDE, "127.0.0.1", "10.9.0.1"])) {
        let pairs: Vec<(&str, &str)> = claims.iter().map(|(name, value)| (&**name, &**value)).collect();
        if let Ok((account, source, _)) = of(&rules, &pairs, peer) {
            prop_assert_eq!(account == ANONYMOUS, source == Source::Anonymous);
            prop_assert!(!account.is_empty());
            let is_reserved = account.starts_with('@') && !account.starts_with("@@");
            prop_assert_eq!(is_reserved, matches!(source, Source::Anonymous | Source::Address));
        }
    }

    #[test]
    fn whatever_names_a_user_ends_here(rules in all_rules(), claims in prop::collection::vec(claim(), 0..6)) {
        let pairs: Vec<(&str, &str)> = claims.iter().map(|(name, value)| (&**name, &**value)).collect();
        let sent = crate::headers::to_pod(&headers(&pairs), &HeaderValue::from_static("id"), &rules);
        for name in USER_HEADERS.into_iter().chain([AUTHORIZATION, X_API_KEY]) {
            prop_assert!(!sent.contains_key(name));
        }
    }
}
