//! Several gateways that share through a Redis of the test's own.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::common::{Gateway, ScriptedPod, ask_chat, soon};

/// A process, which ends with this value. It listens on a socket of its own and on no port.
struct Redis {
    process: Child,
    folder: TempDir,
}

impl Redis {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--unixsocket", "socket", "--save", "", "--appendonly", "no"]);
        let process =
            command.current_dir(folder.path()).stdout(Stdio::null()).spawn().unwrap_or_else(|error| {
                panic!(
                    "cannot start redis-server ({error}): this test needs it, `apt-get install redis-server`"
                )
            });
        let socket = folder.path().join("socket");
        soon(async {
            while !socket.exists() {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        Self { process, folder }
    }

    fn settings(&self, name: &str) -> String {
        let socket = self.folder.path().join("socket");
        let url = format!("unix://{}", socket.display());
        format!("[redis]\nurls = [{url:?}]\nname = {name:?}\ninterval = \"5ms\"\nlongest_silence = \"1s\"\n")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Until the gateway says this of itself and the others.
async fn until(gateway: &Gateway, holds: impl Fn(&Value) -> bool) -> Value {
    soon(async {
        loop {
            let replica = gateway.get_json("/v1/vtc/replica").await;
            if holds(&replica) {
                return replica;
            }
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

async fn until_they_know_each_other(gateways: [&Gateway; 2]) {
    for gateway in gateways {
        until(gateway, |replica| replica["connected"] == true && replica["others"] == 1).await;
    }
}

#[actix_web::test]
async fn what_one_charges_the_others_count_and_without_redis_each_goes_on_alone() {
    let redis = Redis::start().await;
    let mut pod = ScriptedPod::start("a").await;
    let one = Gateway::configured(&[&pod], &redis.settings("one")).await;
    let other = Gateway::configured(&[&pod], &redis.settings("other")).await;
    until_they_know_each_other([&one, &other]).await;
    let reply = one.start_asking(ask_chat().of("alice"));
    pod.call().await.answer_chat(10, 20).await;
    assert_eq!(reply.await.unwrap().status, 200);
    soon(async {
        while other.tokens("alice").await != 50.0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(one.tokens("alice").await, 50.0, "its own come back to nobody");
    assert_eq!(one.get_json("/readyz").await["sharing"], true);

    drop(redis);
    let alone = until(&one, |replica| replica["connected"] == false).await;
    assert!(alone["error"].as_str().is_some_and(|error| !error.is_empty()), "{alone}");
    let reply = one.start_asking(ask_chat().of("alice"));
    pod.call().await.answer_chat(1, 1).await;
    assert_eq!(reply.await.unwrap().status, 200);
    assert_eq!(one.tokens("alice").await, 53.0);
    let ready = one.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["sharing"]), (200, &Value::Bool(false)));
}

#[actix_web::test]
async fn a_place_that_is_taken_through_one_is_taken_for_the_others() {
    let redis = Redis::start().await;
    let queue = "[queue]\ndiscipline = \"vtc-fair\"\npod_max_running = 1\n";
    let mut pod = ScriptedPod::start("a").await;
    let one = Gateway::configured(&[&pod], &(redis.settings("one") + queue)).await;
    let other = Gateway::configured(&[&pod], &(redis.settings("other") + queue)).await;
    until_they_know_each_other([&one, &other]).await;
    let first = one.start_asking(ask_chat().of("alice"));
    let call = pod.call().await;
    other.until_pod("a", "running", 1).await;
    let second = other.line_up(ask_chat().of("bob"), 1).await;
    assert_eq!(pod.waiting_calls(), 0, "it waits in the gateway");
    call.answer_chat(1, 1).await;
    assert_eq!(first.await.unwrap().status, 200);
    pod.call().await.answer_chat(1, 1).await;
    assert_eq!(second.await.unwrap().status, 200);
}

#[actix_web::test]
async fn whoever_shares_nothing_says_so() {
    let pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    assert_eq!(gateway.get_json("/v1/vtc/replica").await, serde_json::json!({ "shared": false }));
    assert!(gateway.get_json("/readyz").await.get("sharing").is_none());
}
