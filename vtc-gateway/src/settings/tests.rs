//! What a file, the environment and flags make together, and what they may not say.

mod identity;
mod queue;
mod trust;

use std::path::Path;

use super::*;
use crate::estimate::Encoding;

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
fn relative_paths_start_where_the_file_is() {
    let toml = r#"
        [identity]
        keys_file = "p"
        [discovery]
        file = "p"
        [tls]
        cert_file = "p"
        key_file = "p"
        client_ca_file = "/absolute"
        [upstream.tls]
        ca_file = "p"
        cert_file = "p"
        key_file = "p"
        [redis]
        ca_file = "p"
        cert_file = "p"
        key_file = "p"
    "#;
    let mut file = SettingsFile::parse(toml).unwrap();
    file.starts_from(Path::new("/etc/vtc"));
    let said = format!("{file:?}");
    assert_eq!(said.matches("Some(\"/etc/vtc/p\")").count(), toml.matches("\"p\"").count(), "{said}");
    assert!(said.contains("Some(\"/absolute\")") && !said.contains("Some(\"p\")"), "{said}");
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

#[test]
fn the_file_that_the_readme_shows_is_one() {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (file, _) = rest.split_once("```").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(vec!["gateway".to_owned()]).unwrap();
    let pem = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let mut file = file
        .replace("fullchain.pem", &pem("fullchain.pem", own.cert.pem()))
        .replace("privkey.pem", &pem("privkey.pem", own.signing_key.serialize_pem()));
    for number in ["1", "2", "3"] {
        file = file.replace(&format!("HASH_{number}"), &number.repeat(64));
    }
    let settings = settings(&file, &[]).unwrap();
    assert_eq!(settings.queue.unwrap().dispatcher.discipline, "vtc-fair");
    assert_eq!(settings.tenants.of("research").weight.as_f64(), 3.0);
}

#[test]
fn models_have_aliases_and_estimators_of_their_own() {
    let toml = r#"
        [estimate]
        bytes_per_token = 3.5
        output = "learned"

        [models.aliases]
        "gpt-4o" = "org/big"

        [models."org/big"]
        estimator = "tiktoken"
        encoding = "o200k_base"
        output_ratio = 0.5
    "#;
    let settings = settings(&(FILE.to_owned() + toml), &[]).unwrap();
    assert_eq!(settings.aliases.resolve("gpt-4o"), Some("org/big"));
    assert_eq!(settings.aliases.resolve("org/big"), None);
    assert_eq!(settings.output, OutputSetting::Learned);
    let (big, small) = (settings.estimators.of(Some("org/big")), settings.estimators.of(Some("small")));
    assert_eq!((big.encoding, small.encoding), (Some(Encoding::O200kBase), None));
    assert_eq!((big.by_bytes.output_ratio, small.by_bytes.output_ratio), (0.5, 1.5));
    assert_eq!((big.by_bytes.characters_per_token, small.request_tokens), (3.5, 1.0));
    assert!(settings.endpoints.pass_unknown);
}

#[test]
fn what_is_wrong_about_a_model_is_refused_by_its_name() {
    for (toml, named) in [
        ("[models.aliases]\na = \"\"", "models.aliases.a"),
        ("[models.aliases]\na = \"b\"\nb = \"c\"", "models.aliases.a"),
        ("[models.aliases]\na = \"a\"", "models.aliases.a"),
        ("[models.m]\noutput_ratio = 0.0", "models.m.output_ratio"),
        ("[models.m]\nestimator = \"words\"", "words"),
        ("[models.m]\nestimater = \"bytes\"", "estimater"),
        ("[estimate]\nbytes_per_token = nan", "estimate.bytes_per_token"),
        ("[estimate]\nencoding = \"p50k\"", "p50k"),
        ("[estimate]\nrequest_tokens = -1.0", "estimate.request_tokens"),
        ("[endpoints]\npass = true", "pass"),
    ] {
        let error = settings(&format!("{FILE}\n{toml}"), &[]).unwrap_err().to_string();
        assert!(error.contains(named), "{toml}: {error}");
    }
}

#[test]
fn what_is_said_of_logs_traces_and_the_end_is_checked() {
    const PODS: &str = "[[pods]]\nname = \"a\"\nurl = \"http://10.0.0.1\"\n";
    let read = |toml: &str| settings(&format!("{PODS}{toml}"), &[]);
    let plain = read("").unwrap();
    assert_eq!((plain.log, plain.traces), (LogSetting::default(), TracesSetting::default()));
    assert_eq!((plain.shutdown.delay, plain.tls.is_none()), (Duration::ZERO, true));
    let told = read(
        "[log]\nformat = \"json\"\nlevel = \"warn,vtc_gateway=debug\"\nrequests = true\nusers = true\n\
         [shutdown]\ndelay = \"5s\"\n[traces]\nsample = 0.5",
    );
    let told = told.unwrap();
    assert_eq!((told.log.format, told.log.requests, told.log.users), (LogFormat::Json, true, true));
    assert_eq!((told.shutdown.delay, told.traces.sample), (Duration::from_secs(5), 0.5));
    for (toml, field) in [
        ("[log]\nlevel = \"vtc_gateway=loud\"", "log.level"),
        ("[traces]\nsample = 1.5", "traces.sample"),
        ("[traces]\nsample = nan", "traces.sample"),
        ("[traces]\nendpoint = \"collector:4318\"", "traces.endpoint"),
    ] {
        let error = read(toml).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
}
