//! Pods that come and go: by a file, by DNS, by an admin.

use std::path::Path;

use serde_json::json;
use vtc_gateway::server;
use vtc_gateway::settings::{Settings, SettingsFile};

use crate::common::scripted_pod::counted_piece;
use crate::common::{Gateway, ScriptedPod, ask_chat, soon};

/// A configuration with that file of pods, which is looked at all the time.
fn watching(file: &Path) -> String {
    format!("[discovery]\nfile = {:?}\n[upstream]\npoll_interval = \"1ms\"", file.to_str().unwrap())
}

fn entry(name: &str, pod: &ScriptedPod) -> String {
    format!("[[pods]]\nname = {name:?}\nurl = \"http://{}\"\n", pod.address)
}

fn body(pod: &ScriptedPod) -> String {
    json!({ "url": format!("http://{}", pod.address) }).to_string()
}

async fn until_pods(gateway: &Gateway, pods: u64) {
    soon(async { while gateway.get_json("/healthz").await["pods"] != pods {} }).await;
}

#[actix_web::test]
async fn a_pod_that_a_file_names_is_there_and_one_that_it_names_no_more_is_not() {
    let (mut first, mut second) = (ScriptedPod::start("a").await, ScriptedPod::start("b").await);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pods.toml");
    std::fs::write(&file, "").unwrap();
    let gateway = Gateway::configured(&[], &watching(&file)).await;
    assert_eq!(gateway.ask(ask_chat()).await.status, 503);

    std::fs::write(&file, entry("one", &first)).unwrap();
    gateway.until_ready(1).await;
    assert_eq!(gateway.pod("one").await["source"], "file");
    let reply = gateway.start_asking(ask_chat());
    first.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().pod(), "one");

    std::fs::write(&file, entry("two", &second)).unwrap();
    soon(async { while gateway.pod("two").await["ready"] != true {} }).await;
    until_pods(&gateway, 1).await;
    let reply = gateway.start_asking(ask_chat());
    second.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().pod(), "two");
}

#[actix_web::test]
async fn a_broken_file_keeps_the_pods_that_there_were_and_is_told_of() {
    let pod = ScriptedPod::start("a").await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pods.toml");
    std::fs::write(&file, entry("one", &pod)).unwrap();
    let gateway = Gateway::configured(&[], &watching(&file)).await;
    assert_eq!(gateway.get("/healthz").await.status, 200, "it is read at the start");
    let troubles = async || gateway.get_json("/v1/vtc/pods").await["troubles"].as_array().unwrap().clone();
    assert!(troubles().await.is_empty());

    std::fs::write(&file, "[[pods]]\nname = \"one\"").unwrap();
    soon(async { while troubles().await.is_empty() {} }).await;
    assert!(troubles().await[0].as_str().unwrap().contains("url"), "{:?}", troubles().await);
    assert_eq!(gateway.pod("one").await["ready"], true);
    std::fs::remove_file(&file).unwrap();
    soon(async { while !troubles().await[0].as_str().unwrap().contains("cannot be read") {} }).await;
    assert_eq!(gateway.pod("one").await["ready"], true);

    std::fs::write(&file, "").unwrap();
    until_pods(&gateway, 0).await;
    assert!(troubles().await.is_empty());
}

#[actix_web::test]
async fn a_file_that_is_broken_at_the_start_stops_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pods.toml");
    let start = async || {
        let settings = SettingsFile::parse(&(watching(&file))).unwrap();
        let listen = Some("127.0.0.1:0".to_owned());
        let settings = Settings::new(SettingsFile { listen, ..settings }, |_| None).unwrap();
        format!("{:#}", anyhow::Error::from(server::start(&settings).await.unwrap_err()))
    };
    assert!(start().await.contains("cannot be read"));
    std::fs::write(&file, "[[pods]]\nname = \"a\"\nurl = \"nowhere\"").unwrap();
    assert!(start().await.contains("URL of pod a"));
}

#[actix_web::test]
async fn a_name_has_a_pod_per_address() {
    let mut pod = ScriptedPod::start("a").await;
    let port = pod.address.port();
    let dns = format!("[[discovery.dns]]\nname = \"localhost\"\nport = {port}");
    let gateway = Gateway::configured(&[], &dns).await;
    let name = pod.address.to_string();
    let told = gateway.pod(&name).await;
    assert_eq!((&told["ready"], &told["source"]), (&json!(true), &json!("dns")));
    let reply = gateway.start_asking(ask_chat());
    pod.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().pod(), name);
}

#[actix_web::test]
async fn a_name_that_cannot_be_resolved_is_told_of() {
    let dns = "[[discovery.dns]]\nname = \"nobody.invalid\"\nport = 1";
    let gateway = Gateway::configured(&[], dns).await;
    let pods = gateway.get_json("/v1/vtc/pods").await;
    assert!(pods["troubles"][0].as_str().unwrap().contains("nobody.invalid"), "{pods}");
    assert_eq!(pods["pods"], json!([]));
}

#[actix_web::test]
async fn an_admin_puts_pods_and_takes_them_away() {
    let (listed, mut put) = (ScriptedPod::start("listed").await, ScriptedPod::start("put").await);
    let gateway = Gateway::administered(&[&listed], "").await;
    let path = "/v1/vtc/pods/put";
    assert_eq!(gateway.order("PUT", path, &body(&put)).await.status, 200);
    gateway.until_ready(2).await;
    assert_eq!(gateway.pod("put").await["source"], "admin");

    // Once more, elsewhere: the setting is replaced.
    put.close().await;
    let mut other = ScriptedPod::start("put").await;
    assert_eq!(gateway.order("PUT", path, &body(&other)).await.status, 200);
    assert_eq!(gateway.pod("put").await["url"], format!("http://{}", other.address));
    gateway.until_ready(2).await;
    assert_eq!(gateway.order("POST", "/v1/vtc/pods/listed/drain", "").await.status, 200);
    let reply = gateway.start_asking(ask_chat());
    other.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().pod(), "put");

    assert_eq!(gateway.order("DELETE", path, "").await.status, 200);
    assert_eq!(gateway.get_json("/healthz").await["pods"], 1);
}

#[actix_web::test]
async fn an_order_that_cannot_be_done_says_why() {
    let pod = ScriptedPod::start("a").await;
    let gateway = Gateway::administered(&[&pod], "").await;
    let cases = [
        ("DELETE", "/v1/vtc/pods/a", "", 409, "pod_listed"),
        ("DELETE", "/v1/vtc/pods/b", "", 404, "pod_not_found"),
        ("POST", "/v1/vtc/pods/b/drain", "", 404, "pod_not_found"),
        ("POST", "/v1/vtc/pods/b/undrain", "", 404, "pod_not_found"),
        ("PUT", "/v1/vtc/pods/b", "{}", 400, "invalid_request"),
        ("PUT", "/v1/vtc/pods/b", r#"{"url":"http://x/v1"}"#, 400, "invalid_request"),
        ("PUT", "/v1/vtc/pods/b%20c", r#"{"url":"http://x"}"#, 400, "invalid_request"),
    ];
    for (method, path, body, status, code) in cases {
        let reply = gateway.order(method, path, body).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (status, &code.into()),
            "{method} {path} {body}"
        );
    }
    assert_eq!(gateway.get_json("/healthz").await["pods"], 1);
}

/// A pod that is taken away while it streams; and then comes back.
async fn a_stream_outlives_its_pods_place(toml: &str) {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::administered(&[], &format!("[discovery]\nstart_empty = true\n{toml}")).await;
    let path = "/v1/vtc/pods/a";
    gateway.order("PUT", path, &body(&pod)).await;
    gateway.until_ready(1).await;
    let events = gateway.start_streaming(ask_chat().streamed().of("alice"));
    let mut call = pod.call().await;
    call.begin().await;
    let mut events = events.await.unwrap();
    call.event(counted_piece("la", 7, 1)).await;
    events.next().await.unwrap();

    assert_eq!(gateway.order("DELETE", path, "").await.status, 200);
    assert_eq!(gateway.ask(ask_chat()).await.status, 503);
    call.event(counted_piece("la", 7, 2)).await;
    events.next().await.unwrap();
    // It comes back under its name, and what runs there still counts.
    gateway.order("PUT", path, &body(&pod)).await;
    assert_eq!(gateway.pod("a").await["running"], 1);
    gateway.order("DELETE", path, "").await;

    call.event("[DONE]").await;
    call.finish().await;
    assert_eq!(events.rest().await, ["[DONE]"]);
    assert_eq!(gateway.tokens("alice").await, 11.0);
    gateway.order("PUT", path, &body(&pod)).await;
    assert_eq!(gateway.pod("a").await["running"], 0);
    gateway.until_ready(1).await;
    let reply = gateway.start_asking(ask_chat());
    pod.call().await.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().pod(), "a");
}

#[actix_web::test]
async fn what_runs_on_a_pod_that_is_taken_away_runs_on() {
    a_stream_outlives_its_pods_place("").await;
}

#[actix_web::test]
async fn what_runs_on_a_pod_that_is_taken_away_runs_on_also_with_a_queue() {
    a_stream_outlives_its_pods_place("[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 1").await;
}
