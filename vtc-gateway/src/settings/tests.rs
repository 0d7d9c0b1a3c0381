//! What a file, the environment and flags make together, and what they may not say.

use super::*;

const FILE: &str = r#"
    listen = "0.0.0.0:9000"
    policy = "least-request"
    workers = 2
    grace = "5s"

    [[pods]]
    name = "b"
    url = "http://10.0.0.2:8000/"

    [[pods]]
    name = "a"
    url = "http://10.0.0.1:8000"

    [tracker]
    window_size = 10
    time_unit = "seconds"
    staleness = "50ms"
    weights = { input = 1.0, output = 4.0 }

    [scoring]
    max_pod_load = 32

    [limits]
    body_bytes = 1000
    body_timeout = "1s"

    [upstream]
    connect_timeout = "500ms"
    retries = 1
"#;

fn settings(toml: &str, env: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let lookup = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Settings::new(SettingsFile::parse(toml)?, lookup)
}

#[test]
fn a_file_reaches_every_setting_and_orders_its_pods() {
    let settings = settings(FILE, &[]).unwrap();
    assert_eq!(settings.listen.to_string(), "0.0.0.0:9000");
    assert_eq!(settings.pods.iter().map(|pod| pod.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(settings.pods[1].url, "http://10.0.0.2:8000");
    assert_eq!(settings.vtc.policy, "least-request");
    assert_eq!(settings.vtc.tracker.span(), Duration::from_secs(10));
    assert_eq!(settings.vtc.tracker.weights.output, 4.0);
    assert_eq!(settings.vtc.scoring.max_pod_load, 32.0);
    assert_eq!((settings.limits.body_bytes, settings.limits.body_timeout), (1000, Duration::from_secs(1)));
    assert_eq!((settings.upstream.retries, settings.upstream.answer_bytes), (1, 64 << 20));
    assert_eq!((settings.workers, settings.grace), (2, Duration::from_secs(5)));
}

#[test]
fn the_configured_policy_goes_before_routing_algorithm_and_variables_before_the_rest_of_the_file() {
    let env = [("ROUTING_ALGORITHM", "random"), ("AIBRIX_ROUTER_VTC_TOKEN_TRACKER_WINDOW_SIZE", "20")];
    let from_file = settings(FILE, &env).unwrap();
    assert_eq!(from_file.vtc.policy, "least-request");
    assert_eq!(from_file.vtc.tracker.window_size, 20);
    let without_policy = FILE.replace("policy", "# policy");
    assert_eq!(settings(&without_policy, &env).unwrap().vtc.policy, "random");
    assert_eq!(settings(&without_policy, &[]).unwrap().vtc.policy, "vtc-basic");
}

#[test]
fn every_mistake_is_named() {
    let bad = |from: &str, to: &str| settings(&FILE.replace(from, to), &[]).unwrap_err().to_string();
    assert!(bad("0.0.0.0:9000", "nowhere").contains("listen: \"nowhere\""));
    assert!(bad("least-request", "fastest").contains("one of vtc-basic, random"));
    assert!(bad("http://10.0.0.2:8000/", "ftp://10.0.0.2").contains("URL of pod b"));
    assert!(bad("http://10.0.0.2:8000/", "http://10.0.0.2/v1").contains("without a path"));
    assert!(bad("name = \"b\"", "name = \"b c\"").contains("pod name: \"b c\""));
    for url in ["http://10.0.0.2:80000", "http://10.0.0.2:", "http://me:pw@10.0.0.2", "http://me@10.0.0.2:80"]
    {
        assert!(bad("http://10.0.0.2:8000/", url).contains("URL of pod b"), "{url}");
    }
    assert!(bad("name = \"b\"", "name = \"a\"").contains("pod name: \"a\""), "two pods of one name");
    assert!(bad("body_bytes = 1000", "body_bytes = 0").contains("limits.body_bytes"));
    assert!(bad("body_timeout = \"1s\"", "body_timeout = \"0s\"").contains("limits.body_timeout"));
    assert!(bad("\"500ms\"", "\"0s\"").contains("upstream.connect_timeout"));
    assert!(bad("retries = 1", "answer_bytes = 0").contains("upstream.answer_bytes"));
    for timeout in ["first_byte_timeout", "idle_timeout", "request_timeout"] {
        let zero = bad("retries = 1", &format!("{timeout} = \"0s\""));
        assert!(zero.contains(&format!("upstream.{timeout}")), "{zero}");
    }
    assert!(bad("window_size = 10", "window_size = 0").contains("window_size"));
    assert!(bad("window_size = 10", "window_sice = 10").contains("window_sice"));
    assert!(bad("workers = 2", "poll = 2").contains("unknown field `poll`"));
    assert!(settings("", &[]).unwrap_err().to_string().contains("--pod NAME=http://HOST:PORT"));
}

#[test]
fn what_tls_to_pods_needs_is_read_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("{path:?}")
    };
    let own = rcgen::generate_simple_self_signed(vec!["pod".to_owned()]).unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    let certificate = file("cert.pem", &own.cert.pem());
    let (key, wrong_key) =
        (file("key.pem", &own.signing_key.serialize_pem()), file("b.pem", &other.serialize_pem()));
    let (empty, missing) = (file("empty.pem", ""), "\"/nowhere/ca.pem\"".to_owned());
    let with = |tls: &str| {
        settings(&format!("{FILE}\n[upstream.tls]\n{tls}"), &[]).map_err(|error| error.to_string())
    };
    assert!(with(&format!("ca_file = {certificate}\ncert_file = {certificate}\nkey_file = {key}")).is_ok());
    let mistakes = [
        (format!("ca_file = {missing}"), "upstream.tls.ca_file: \"/nowhere/ca.pem ("),
        (format!("ca_file = {empty}"), "a file with certificates in PEM"),
        (format!("ca_file = {key}"), "upstream.tls.ca_file"),
        (format!("cert_file = {certificate}"), "upstream.tls.key_file"),
        (format!("key_file = {key}"), "upstream.tls.cert_file"),
        (format!("cert_file = {certificate}\nkey_file = {certificate}"), "a key in PEM"),
        (format!("cert_file = {certificate}\nkey_file = {wrong_key}"), "the key of the certificate"),
    ];
    for (tls, named) in mistakes {
        let error = with(&tls).unwrap_err();
        assert!(error.contains(named), "{tls}: {error}");
    }
}

#[test]
fn a_pod_of_the_command_line_takes_the_place_of_one_of_the_file() {
    let mut file = SettingsFile::parse(FILE).unwrap();
    file.put_pods(
        ["b=http://10.0.0.3", "c=http://[::1]:8000"].map(|pod| PodSetting::parse(pod).unwrap()).into(),
    );
    let pods = Settings::new(file, |_| None).unwrap().pods;
    let urls: Vec<_> = pods.iter().map(|pod| pod.url.as_str()).collect();
    assert_eq!(urls, ["http://10.0.0.1:8000", "http://10.0.0.3", "http://[::1]:8000"]);
    let mut file = SettingsFile::default();
    file.put_pods(vec![PodSetting::parse("a=http://10.0.0.1").unwrap(); 2]);
    assert!(Settings::new(file, |_| None).unwrap_err().to_string().contains("a name of its own"));
}

#[test]
fn a_pod_on_the_command_line_is_a_name_and_a_url() {
    let pod = PodSetting::parse("a=http://127.0.0.1:8000/").unwrap();
    assert_eq!((pod.name.as_str(), pod.url.as_str()), ("a", "http://127.0.0.1:8000"));
    for wrong in ["a", "=http://127.0.0.1", "a=127.0.0.1:8000", "a=ftp://x"] {
        assert!(PodSetting::parse(wrong).is_err(), "{wrong}");
    }
}

const QUEUE: &str = r#"
    [[pods]]
    name = "a"
    url = "http://10.0.0.1:8000"
    max_running = 8

    [[pods]]
    name = "b"
    url = "http://10.0.0.2:8000"
    max_tokens = 5000

    [queue]
    discipline = "drr"
    pod_max_running = 32
    max_requests = 7
    max_bytes = 700
    max_per_user = 6
    max_running_per_user = 5
    longest_wait = "4s"
    cost = "profiled"
    cached_input = 0.1
    quantum = 100
    weights = { alice = 4, bob = 0.5 }
"#;

#[test]
fn a_file_reaches_every_setting_of_the_queue() {
    let settings = settings(QUEUE, &[]).unwrap();
    let capacities: Vec<_> = settings.pods.iter().map(|pod| (pod.max_running, pod.max_tokens)).collect();
    assert_eq!(capacities, [(Some(8), None), (Some(32), Some(5000))], "a pod's own word goes first");
    let Queue { dispatcher } = settings.queue.unwrap();
    assert_eq!(dispatcher.discipline, "drr");
    assert_eq!(dispatcher.options.quantum.as_f64(), 100.0);
    let limits = dispatcher.limits;
    assert_eq!((limits.requests, limits.bytes, limits.per_user, limits.running_per_user), (7, 700, 6, 5));
    assert_eq!(dispatcher.longest_wait, Some(Duration::from_secs(4)));
    // The profiled cost of 100 tokens read, 90 of them from the cache: 2.1 each, a tenth of that; and its constant.
    let cost = dispatcher.cost.unwrap()();
    let usage = vtc_core::Usage { input: 100, cached: 90, output: 0 };
    assert_eq!(cost.cost(usage).as_f64(), 51.36);
    let weights = ["alice", "bob", "carol"].map(|user| settings.tenants.of(user).weight.as_f64());
    assert_eq!(weights, [4.0, 0.5, 1.0]);
}

#[test]
fn the_linear_cost_has_the_weights_of_the_tracker() {
    let file =
        QUEUE.replace("\"profiled\"", "\"linear\"") + "\n[tracker]\nweights = { input = 1, output = 10 }";
    let queue = settings(&file, &[]).unwrap().queue.unwrap();
    let usage = vtc_core::Usage { input: 100, cached: 90, output: 3 };
    assert_eq!(queue.dispatcher.cost.unwrap()().cost(usage).as_f64(), 10.0 + 9.0 + 30.0);
}

#[test]
fn without_a_discipline_there_is_no_queue() {
    let file = QUEUE.replace("discipline = \"drr\"", "");
    assert!(settings(&file, &[]).unwrap().queue.is_none());
    assert!(settings(FILE, &[]).unwrap().queue.is_none());
}

#[test]
fn every_mistake_about_the_queue_is_named() {
    let bad = |from: &str, to: &str| settings(&QUEUE.replace(from, to), &[]).unwrap_err().to_string();
    assert!(bad("\"drr\"", "\"lottery\"").contains("none or one of fcfs, vtc-fair"));
    assert!(bad("pod_max_running = 32", "pod_max_running = 0").contains("queue.pod_max_running: \"0\""));
    assert!(bad("max_running = 8", "max_running = 0").contains("max_running of pod a: \"0\""));
    let both = QUEUE.replace("max_tokens = 5000", "").replace("pod_max_running = 32", "");
    assert!(settings(&both, &[]).unwrap_err().to_string().contains("pod b has none of its own"));
    assert!(bad("max_requests = 7", "max_requests = 0").contains("queue.max_requests"));
    assert!(bad("max_per_user = 6", "max_per_user = 0").contains("queue.max_per_user"));
    assert!(
        bad("max_running_per_user = 5", "max_running_per_user = 0").contains("queue.max_running_per_user")
    );
    assert!(bad("\"4s\"", "\"0s\"").contains("queue.longest_wait"));
    assert!(bad("cached_input = 0.1", "cached_input = 1.5").contains("queue.cached_input"));
    assert!(bad("quantum = 100", "quantum = 0").contains("queue.quantum"));
    assert!(bad("bob = 0.5", "bob = 0").contains("queue.weights.bob: \"0\""));
    assert!(bad("\"profiled\"", "\"cheap\"").contains("cheap"));
}

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
    assert!(bad(&hash("of alice"), "of alice").contains("key_sha256"));
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

#[test]
fn the_file_that_the_readme_shows_is_one() {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (file, _) = rest.split_once("```").unwrap();
    let settings = settings(file, &[]).unwrap();
    assert_eq!(settings.queue.unwrap().dispatcher.discipline, "vtc-fair");
}
