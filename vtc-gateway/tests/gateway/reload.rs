//! Settings that change while the gateway runs: by a signal, by a watched file, all of them or none.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::binary::Binary;
use crate::common::gateway::Pod;
use crate::common::scripted_pod::{counted_piece, piece};
use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod, soon};
use crate::status::sample;

/// A file of settings that changes.
struct File {
    folder: TempDir,
}

/// Nobody watches it, so that only a signal has it read.
const UNWATCHED: &str = "listen = \"127.0.0.1:0\"\nworkers = 1\n[reload]\nwatch = false\n";
/// Of the keys one and two.
const ONE: &str = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
const TWO: &str = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3";

fn tenant(name: &str, hash: &str) -> String {
    format!("[[tenants]]\nname = {name:?}\nkey_sha256 = {hash:?}\n")
}

fn pods(pods: &[&dyn Pod]) -> String {
    let pod = |pod: &&dyn Pod| {
        let pod = pod.setting();
        format!("[[pods]]\nname = {:?}\nurl = {:?}\n", pod.name, pod.url)
    };
    pods.iter().map(pod).collect()
}

// === impl File ===

impl File {
    fn new(text: &str) -> Self {
        let file = Self { folder: TempDir::new().unwrap() };
        file.write("gateway.toml", text);
        file
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// As a careful writer does: whole, or not at all.
    fn write(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    async fn serve(&self) -> (Binary, Gateway) {
        let mut binary =
            Binary::start(&["serve", "--config", self.path("gateway.toml").to_str().unwrap()], &[]);
        let gateway = binary.gateway().await;
        (binary, gateway)
    }
}

/// Waits until the settings were read again so many times, and says how that stands.
async fn until_read(gateway: &Gateway, times: u64) -> Value {
    soon(async {
        loop {
            let standing = gateway.get_json("/v1/vtc/config").await;
            let read = standing["applied"].as_u64().unwrap() + standing["failed"].as_u64().unwrap();
            assert!(read <= times, "{standing}");
            if read == times {
                return standing;
            }
        }
    })
    .await
}

async fn status(gateway: &Gateway, key: &str) -> u16 {
    gateway.get_with_key("/v1/models", key).await.status
}

#[actix_web::test]
async fn at_sighup_keys_come_and_go_and_no_stream_breaks() {
    let mut pod = ScriptedPod::start("a").await;
    let base = format!("{UNWATCHED}{}", pods(&[&pod]));
    let file = File::new(&format!("{base}{}", tenant("alice", ONE)));
    let (binary, gateway) = file.serve().await;
    assert_eq!([status(&gateway, "one").await, status(&gateway, "two").await], [200, 401]);
    let chat = ask_chat().streamed().with_header("authorization", "Bearer one");
    let events = gateway.start_streaming(chat.clone());
    let mut call = pod.call().await;
    call.begin().await;
    call.event(counted_piece("a", 7, 1)).await;
    let mut events = events.await.unwrap();
    assert_eq!(events.next_json().await, piece("a"));

    file.write("gateway.toml", &format!("{base}{}", tenant("bob", TWO)));
    binary.hang_up().await;
    assert_eq!(until_read(&gateway, 1).await["error"], Value::Null);
    assert_eq!([status(&gateway, "one").await, status(&gateway, "two").await], [401, 200]);
    call.event(counted_piece("b", 7, 2)).await;
    assert_eq!(events.next_json().await, piece("b"));
    call.event("[DONE]").await;
    call.finish().await;
    assert_eq!(events.rest().await, ["[DONE]"]);
    gateway.until_idle().await;
    assert_eq!(gateway.tokens("alice").await, 11.0, "it is charged to who asked");
}

#[actix_web::test]
async fn a_broken_file_changes_nothing_and_is_counted() {
    let pod = fast_pod("a");
    let base = format!("{UNWATCHED}{}", pods(&[&pod]));
    let sound = format!("{base}{}", tenant("alice", ONE));
    let file = File::new(&sound);
    let (binary, gateway) = file.serve().await;
    let since = gateway.get_json("/v1/vtc/config").await["in_force_since"].as_f64().unwrap();
    let bob = tenant("bob", TWO);
    for (times, (broken, reason)) in (1..).zip([
        (format!("{sound}{bob}["), "gateway.toml: TOML parse error at line 14, column 2: "),
        (format!("{sound}{bob}[upstream]\napi_key = \"sk-hidden\n"), "line 15"),
        (format!("{sound}{bob}weight = -1\n"), "weight of tenant bob"),
        (format!("workers = 2\n{}", sound.replace("workers = 1\n", "")) + &bob, "workers cannot change"),
        (format!("{sound}{bob}[discovery]\nfile = \"/nowhere.toml\"\n"), "the pods: it cannot be read"),
    ]) {
        file.write("gateway.toml", &broken);
        binary.hang_up().await;
        let standing = until_read(&gateway, times).await;
        let error = standing["error"].as_str().unwrap();
        assert!(error.contains(reason) && standing["applied"] == 0, "{standing}");
        assert!(!error.contains("sk-hidden"), "{error}");
        assert_eq!(standing["in_force_since"].as_f64().unwrap(), since);
        assert_eq!([status(&gateway, "one").await, status(&gateway, "two").await], [200, 401], "{reason}");
    }
    let metrics = gateway.metrics().await;
    assert_eq!(sample(&metrics, "vtc_gateway_config_reloads_total{outcome=\"failed\"}"), 5.0);
    assert_eq!(sample(&metrics, "vtc_gateway_config_last_reload_successful"), 0.0);
    // The two are read from text by different readers.
    let told = sample(&metrics, "vtc_gateway_config_last_success_timestamp_seconds");
    assert!((told - since).abs() < 1e-3, "{told} is not {since}");

    file.write("gateway.toml", &format!("{sound}{bob}"));
    binary.hang_up().await;
    let standing = until_read(&gateway, 6).await;
    assert_eq!((&standing["applied"], &standing["error"]), (&json!(1), &Value::Null));
    assert!(standing["in_force_since"].as_f64().unwrap() > since);
    assert_eq!(status(&gateway, "two").await, 200);
    assert_eq!(sample(&gateway.metrics().await, "vtc_gateway_config_last_reload_successful"), 1.0);
}

#[actix_web::test]
async fn files_that_are_watched_count_without_a_signal() {
    let pod = fast_pod("a");
    let base = format!(
        "listen = \"127.0.0.1:0\"\n{}[reload]\nevery = \"10ms\"\n[identity]\nkeys_file = \"keys.toml\"\n",
        pods(&[&pod])
    );
    let file = File { folder: TempDir::new().unwrap() };
    file.write("keys.toml", &format!("alice = {ONE:?}"));
    file.write("gateway.toml", &base);
    let (_binary, gateway) = file.serve().await;
    assert_eq!([status(&gateway, "one").await, status(&gateway, "two").await], [200, 401]);
    file.write("keys.toml", &format!("alice = {TWO:?}"));
    until_read(&gateway, 1).await;
    assert_eq!([status(&gateway, "one").await, status(&gateway, "two").await], [401, 200]);
    file.write("gateway.toml", &(base.replace("keys.toml", "more.toml")));
    let standing = until_read(&gateway, 2).await;
    assert!(standing["error"].as_str().unwrap().contains("identity.keys_file"), "{standing}");
    file.write("gateway.toml", &format!("{base}require_key = false\n"));
    until_read(&gateway, 3).await;
    assert_eq!(gateway.get("/v1/models").await.status, 200);
}

#[actix_web::test]
async fn pods_come_and_go_and_those_that_stay_keep_what_runs_there() {
    let (mut a, b) = (ScriptedPod::start("a").await, fast_pod("b"));
    let gateway = Gateway::before(&[&a]).await;
    let running = gateway.start_asking(ask_chat());
    let call = a.call().await;
    gateway.reload(&[&a, &b], "").await.unwrap();
    gateway.until_pod("b", "ready", true).await;
    assert_eq!(gateway.pod("a").await["running"], 1);
    // What is slow to start is slow only if it says so.
    gateway.reload(&[&b], "[health]\nslow_start = \"0s\"").await.unwrap();
    assert_eq!(gateway.pod("a").await, Value::Null);
    assert_eq!(gateway.ask(ask_chat()).await.header("target-pod"), Some("b"));
    call.answer_chat(3, 5).await;
    assert_eq!(running.await.unwrap().status, 200, "what ran there ran on");
}

#[actix_web::test]
async fn limits_change_and_what_was_taken_stays_taken() {
    let pod = fast_pod("a");
    let gateway = Gateway::configured(&[&pod], "[tenant_defaults]\nrequests_per_minute = 2").await;
    let left = |reply: &crate::common::question::Reply| {
        reply.header("x-ratelimit-remaining-requests").map(|left| left.parse::<u32>().unwrap())
    };
    let ask = || gateway.ask(ask_chat().of("bob"));
    assert_eq!(left(&ask().await), Some(1));
    assert_eq!(left(&ask().await), Some(0));
    assert_eq!(ask().await.status, 429);
    let reload = |toml: &'static str| {
        let (gateway, pod) = (&gateway, &pod);
        async move { gateway.reload(&[pod], toml).await.unwrap() }
    };
    reload("[tenant_defaults]\nrequests_per_minute = 2").await;
    assert_eq!(ask().await.status, 429, "no bucket starts full again");
    reload("[tenant_defaults]\nrequests_per_minute = 5").await;
    assert_eq!(left(&ask().await), Some(2), "two of five were taken before");
    reload("[limits]\nbody_bytes = 10").await;
    assert_eq!(ask().await.status, 413);
    reload("[models.aliases]\nother = \"m\"\n[endpoints]\npass_unknown = false").await;
    assert_eq!(gateway.get("/v1/models/other").await.status, 200);
    assert_eq!(gateway.get("/v1/unknown").await.status, 404);
}

#[actix_web::test]
async fn a_queue_gives_pods_what_they_are_said_to_take_now() {
    let mut pod = ScriptedPod::start("a").await;
    let one = "[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 1\n";
    let gateway = Gateway::configured(&[&pod], one).await;
    let first = gateway.start_asking(ask_chat().of("alice"));
    let call = pod.call().await;
    let second = gateway.line_up(ask_chat().of("bob"), 1).await;
    let two = one.replace('1', "2");
    gateway.reload(&[&pod], &two).await.unwrap();
    // Its turn has come, while the first still runs.
    pod.call().await.answer_chat(3, 5).await;
    assert_eq!(second.await.unwrap().status, 200);
    let strict = format!("{two}max_running_per_user = 1\nmax_requests = 1\n");
    gateway.reload(&[&pod], &strict).await.unwrap();
    let third = gateway.line_up(ask_chat().of("alice"), 1).await;
    assert_eq!(gateway.ask(ask_chat().of("carol")).await.status, 429, "more may not wait");
    gateway.reload(&[&pod], &two).await.unwrap();
    pod.call().await.answer_chat(3, 5).await;
    assert_eq!(third.await.unwrap().status, 200, "as much of one user may run as there is room");
    let error = gateway.reload(&[&pod], "").await.unwrap_err().to_string();
    assert!(error.contains("queue.discipline") && error.contains("restart"), "{error}");
    call.answer_chat(3, 5).await;
    assert_eq!(first.await.unwrap().status, 200);
}
