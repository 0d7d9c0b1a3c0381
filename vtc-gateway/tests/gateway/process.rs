//! The gateway as a process: how it ends, and what keeps it from starting.

use std::io::Write;

use tempfile::NamedTempFile;
use tokio::net::TcpStream;

use crate::common::binary::Binary;
use crate::common::gateway::Pod;
use crate::common::scripted_pod::{counted_piece, piece};
use crate::common::{Gateway, ScriptedPod, ask_chat, soon};

fn file(toml: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    file
}

/// The gateway's process before that pod, with this configuration.
async fn serve(pod: &ScriptedPod, toml: &str) -> (Binary, Gateway) {
    let config = file(&format!("listen = \"127.0.0.1:0\"\n{toml}"));
    let pod = format!("a={}", pod.setting().url);
    let mut binary =
        Binary::start(&["serve", "--config", config.path().to_str().unwrap(), "--pod", &pod], &[]);
    let gateway = binary.gateway().await;
    (binary, gateway)
}

#[actix_web::test]
async fn at_sigterm_it_stops_accepting_finishes_its_streams_and_exits_with_0() {
    let mut pod = ScriptedPod::start("a").await;
    // Were it to wait for more than its streams, say for idle connections, it would wait an hour.
    let (binary, gateway) = serve(&pod, "grace = \"1h\"").await;
    gateway.get("/healthz").await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    call.event(counted_piece("one", 7, 1)).await;
    let mut events = events.await.unwrap();
    assert_eq!(events.next_json().await, piece("one"));

    binary.terminate().await;
    soon(async { while TcpStream::connect(gateway.address).await.is_ok() {} }).await;

    call.event(counted_piece("two", 7, 2)).await;
    assert_eq!(events.next_json().await, piece("two"));
    call.event("[DONE]").await;
    call.finish().await;
    assert_eq!(events.rest().await, ["[DONE]"]);
    assert_eq!(binary.exit_code().await, Some(0));
}

#[actix_web::test]
async fn a_stream_that_outlasts_the_grace_does_not_keep_it_from_ending() {
    let mut pod = ScriptedPod::start("a").await;
    let (binary, gateway) = serve(&pod, "grace = \"0s\"").await;
    let events = gateway.start_streaming(ask_chat().streamed());
    let mut call = pod.call().await;
    call.begin().await;
    let _events = events.await.unwrap();
    binary.terminate().await;
    assert_eq!(binary.exit_code().await, Some(0));
    call.closed().await;
}

#[actix_web::test]
async fn at_sigterm_it_is_not_ready_but_accepts_until_the_delay_is_over_or_it_is_told_once_more() {
    let mut pod = ScriptedPod::start("a").await;
    let (binary, gateway) = serve(&pod, "[shutdown]\ndelay = \"1h\"").await;
    assert_eq!(gateway.get("/readyz").await.status, 200);
    binary.terminate().await;
    soon(async { while gateway.get("/readyz").await.status == 200 {} }).await;
    assert_eq!(gateway.get_json("/readyz").await["status"], "ending");
    assert_eq!(gateway.get("/livez").await.status, 200);
    let reply = gateway.start_asking(ask_chat());
    pod.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().status, 200);
    binary.terminate().await;
    assert_eq!(binary.exit_code().await, Some(0));
}

#[actix_web::test]
async fn at_a_second_sigterm_it_waits_for_no_stream() {
    let mut pod = ScriptedPod::start("a").await;
    let (binary, gateway) = serve(&pod, "grace = \"1h\"").await;
    let events = gateway.start_streaming(ask_chat().streamed());
    let mut call = pod.call().await;
    call.begin().await;
    let _events = events.await.unwrap();
    binary.terminate().await;
    soon(async { while TcpStream::connect(gateway.address).await.is_ok() {} }).await;
    assert!(call.still_listens());
    binary.terminate().await;
    assert_eq!(binary.exit_code().await, Some(0));
    call.closed().await;
}

#[actix_web::test]
async fn at_sigint_it_ends_at_once() {
    let mut pod = ScriptedPod::start("a").await;
    let (binary, gateway) = serve(&pod, "grace = \"1h\"\n[shutdown]\ndelay = \"1h\"").await;
    let events = gateway.start_streaming(ask_chat().streamed());
    let mut call = pod.call().await;
    call.begin().await;
    let _events = events.await.unwrap();
    binary.interrupt().await;
    assert_eq!(binary.exit_code().await, Some(0));
    call.closed().await;
}

#[actix_web::test]
async fn who_waits_for_a_turn_at_sigterm_gets_it() {
    let mut pod = ScriptedPod::start("a").await;
    let queue = "grace = \"1h\"\n[queue]\ndiscipline = \"fcfs\"\npod_max_running = 1";
    let (binary, gateway) = serve(&pod, queue).await;
    let first = gateway.start_asking(ask_chat());
    let call = pod.call().await;
    let second = gateway.line_up(ask_chat(), 1).await;
    binary.terminate().await;
    soon(async { while TcpStream::connect(gateway.address).await.is_ok() {} }).await;
    call.answer_chat(7, 5).await;
    pod.call().await.answer_chat(7, 5).await;
    for reply in [first, second] {
        assert_eq!(reply.await.unwrap().status, 200);
    }
    assert_eq!(binary.exit_code().await, Some(0));
}

#[actix_web::test]
async fn where_a_file_is_broken_is_told_and_not_what_stands_there() {
    let file = file("[upstream]\napi_key = sk-SECRET\n");
    let config = ["--config", file.path().to_str().unwrap()];
    for command in ["serve", "check"] {
        let error = Binary::refused(&[&[command], &POD[..], &config].concat(), &[]).await;
        assert!(error.contains("at line 2, column 11") && !error.contains("SECRET"), "{error}");
    }
}

#[actix_web::test]
async fn certificates_that_are_none_are_named() {
    // The path of the settings' file stands before what is wrong in its text; this is wrong in what it names.
    let file_is_refused = async |toml: &str, reasons: &[&str]| {
        let file = file(toml);
        let arguments = [&POD[..], &["--config", file.path().to_str().unwrap()]].concat();
        is_refused(&arguments, &[], reasons).await;
    };
    file_is_refused("[tls]\ncert_file = \"/nowhere.pem\"", &["tls.key_file: \"none\"", "`cert_file`"]).await;
    file_is_refused("[tls]\nkey_file = \"/nowhere.pem\"", &["tls.cert_file: \"none\""]).await;
    file_is_refused("[tls]\nclient_ca_file = \"/nowhere.pem\"", &["tls.cert_file: \"none\""]).await;
    let both = "[tls]\ncert_file = \"/nowhere.pem\"\nkey_file = \"/nowhere.pem\"";
    file_is_refused(both, &["tls.cert_file: \"/nowhere.pem (", "certificates in PEM"]).await;
}

#[actix_web::test]
async fn the_log_says_at_once_which_pod_is_not_ready_and_why() {
    let (ready, mut away) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    away.close().await;
    let pods = [ready.setting(), away.setting()].map(|pod| format!("{}={}", pod.name, pod.url));
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--pod", &pods[0], "--pod", &pods[1]];
    let (_binary, mut log) = Binary::logging(&arguments);
    // What it will do stands before what it finds.
    let mut said = async || soon(log.next_line()).await.unwrap().unwrap();
    assert!(said().await.ends_with(concat!("vtc-gateway ", env!("CARGO_PKG_VERSION"), " starts")));
    while !said().await.contains("policy: vtc-basic") {}
    let mut lines = [said().await, said().await];
    // They are asked at the same time: whoever answers first comes first.
    lines.sort_by_key(|line| line.contains("pod=\"b\""));
    assert!(lines[0].contains("a pod is ready pod=\"a\""), "{lines:?}");
    for part in ["WARN", "a pod is not ready pod=\"b\"", &away.setting().url, "refused"] {
        assert!(lines[1].contains(part), "no {part:?} in {lines:?}");
    }
    assert!(!lines.concat().contains('\u{1b}'), "no colours in a file");
}

const POD: [&str; 2] = ["--pod", "a=http://127.0.0.1:9"];

/// Has the start refused, and checks that it is said why.
async fn is_refused(arguments: &[&str], environment: &[(&str, &str)], reasons: &[&str]) {
    let error = Binary::refused(&[&["serve"], arguments].concat(), environment).await;
    for reason in reasons {
        assert!(error.contains(reason), "no {reason:?} in: {error}");
    }
}

/// The same of a file.
async fn file_is_refused(toml: &str, reasons: &[&str]) {
    let file = file(toml);
    let path = file.path().to_str().unwrap();
    let arguments = [&POD[..], &["--config", path]].concat();
    is_refused(&arguments, &[], &[&[path], reasons].concat()).await;
}

#[actix_web::test]
async fn an_unknown_field_of_the_file_is_named_with_those_there_are() {
    file_is_refused("polcy = \"random\"", &["unknown field `polcy`", "`policy`", "`tracker`"]).await;
    file_is_refused("[tracker]\nwindow = 5", &["unknown field `window`", "`window_size`"]).await;
}

#[actix_web::test]
async fn a_value_of_the_wrong_type_is_shown_with_its_place() {
    file_is_refused("workers = \"many\"", &["line 1", "workers: invalid type: string \"many\"", "usize"])
        .await;
    file_is_refused("grace = \"soon\"", &["grace: ", "\"soon\"", "expected a duration"]).await;
}

#[actix_web::test]
async fn a_value_that_is_not_allowed_is_shown_with_what_is() {
    let config = file("[tracker]\nwindow_size = 0");
    let arguments = [&POD[..], &["--config", config.path().to_str().unwrap()]].concat();
    is_refused(&arguments, &[], &["window_size: \"0\" is not allowed; give a window of at least 1 unit"])
        .await;
    let config = file("[upstream]\npoll_interval = \"0s\"");
    let arguments = [&POD[..], &["--config", config.path().to_str().unwrap()]].concat();
    is_refused(&arguments, &[], &["upstream.poll_interval: \"0s\" is not allowed; give a time above 0"])
        .await;
}

#[actix_web::test]
async fn a_file_that_is_not_there_is_named() {
    is_refused(&["--config", "/nowhere.toml"], &[], &["cannot read /nowhere.toml"]).await;
}

#[actix_web::test]
async fn a_variable_that_is_not_allowed_is_named() {
    let window = "AIBRIX_ROUTER_VTC_TOKEN_TRACKER_WINDOW_SIZE";
    is_refused(&POD, &[(window, "never")], &[window, "\"never\"", "give a whole number of at least 1"]).await;
    let variable = [("ROUTING_ALGORITHM", "fastest")];
    is_refused(&POD, &variable, &["ROUTING_ALGORITHM", "\"fastest\"", "vtc-basic, random"]).await;
}

#[actix_web::test]
async fn a_policy_that_there_is_not_is_refused_with_those_there_are() {
    let arguments = [&POD[..], &["--policy", "fastest"]].concat();
    is_refused(&arguments, &[], &["policy: \"fastest\"", "vtc-basic, random"]).await;
}

#[actix_web::test]
async fn without_pods_it_does_not_start() {
    is_refused(&[], &[], &["pods: \"none\"", "--pod NAME=http://HOST:PORT"]).await;
}

#[actix_web::test]
async fn a_pod_that_cannot_be_is_refused() {
    for url in ["ftp://10.0.0.1", "10.0.0.1:8000", "http://10.0.0.1/v1"] {
        let pod = format!("a={url}");
        let quoted = format!("{url:?}");
        is_refused(&["--pod", &pod], &[], &["URL of pod a", &quoted, "https://HOST:PORT without a path"])
            .await;
    }
    is_refused(&["--pod", "http://10.0.0.1"], &[], &["--pod", "\"http://10.0.0.1\"", "NAME=URL"]).await;
}

#[actix_web::test]
async fn an_address_where_it_cannot_listen_is_named() {
    let nowhere = [&POD[..], &["--listen", "nowhere"]].concat();
    is_refused(&nowhere, &[], &["listen: \"nowhere\"", "127.0.0.1:8080"]).await;
    let holder = ScriptedPod::start("a").await;
    let taken = holder.address.to_string();
    let reason = format!("cannot listen on {taken}");
    is_refused(&[&POD[..], &["--listen", &taken]].concat(), &[], &[&reason]).await;
}
