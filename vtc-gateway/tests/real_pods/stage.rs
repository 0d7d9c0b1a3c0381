//! The processes that the tests share, and the gateway that each test has for itself.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use awc::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use crate::call::Call;

/// Keeps a test from hanging; nothing is expected to take so long.
pub const LIMIT: Duration = Duration::from_secs(120);
/// The pods' names.
const PODS: [&str; 2] = ["a", "b"];

/// A gateway, fresh and so without counts, in front of the pods; and the client, which calls it.
///
/// One test at a time has it: what the pods count meanwhile, that test has caused.
pub struct Stage {
    url: String,
    _gateway: Program,
    cast: MutexGuard<'static, Option<Cast>>,
}

/// Pods and client take a second to start, so all tests share them. They end when their standard input does: at
/// the latest with this process, whichever way that ends.
struct Cast {
    pods: Vec<Pod>,
    client: Program,
}

struct Pod {
    url: String,
    _program: Program,
}

/// A child process that is spoken with in lines, and killed when this is dropped.
struct Program {
    name: &'static str,
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

/// What the gateway says of its users.
#[derive(Debug, Deserialize)]
pub struct Accounts {
    pub active: usize,
    pub min_tokens: f64,
    pub max_tokens: f64,
    pub users: Vec<Account>,
}

/// One of its users.
#[derive(Debug, Deserialize)]
pub struct Account {
    pub user: String,
    pub tokens: f64,
}

/// What the engines of all pods together count themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Engines {
    /// Requests that run.
    pub running: f64,
    /// Tokens of prompts so far, cached or not.
    pub read: f64,
    /// Tokens of answers so far. Those of a request are in it once it no longer runs.
    pub written: f64,
}

static CAST: Mutex<Option<Cast>> = Mutex::const_new(None);

// === impl Stage ===

impl Stage {
    /// With all settings as they are by default.
    pub async fn open() -> Self {
        Self::set(&[]).await
    }

    /// With settings by environment variables.
    pub async fn set(variables: &[(&str, &str)]) -> Self {
        Self::started(variables, &[]).await
    }

    /// With a queue of that discipline before the pods, which get a request at a time.
    pub async fn queued(discipline: &str) -> Self {
        Self::started(&[], &["--queue", discipline, "--pod-max-running", "1"]).await
    }

    async fn started(variables: &[(&str, &str)], flags: &[&str]) -> Self {
        let mut cast = CAST.lock().await;
        let pods = &cast.get_or_insert_with(Cast::gather).pods;
        let mut command = Command::new(env!("CARGO_BIN_EXE_vtc-gateway"));
        command.env_clear().env("RUST_LOG", "warn").envs(variables.iter().copied());
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(flags);
        for (name, pod) in PODS.iter().zip(pods) {
            command.arg("--pod").arg(format!("{name}={}", pod.url));
        }
        let gateway = Program::start("the gateway", &mut command);
        let line = gateway.line();
        let url = line.strip_prefix("listening on ").expect("a gateway says where it listens").to_owned();
        Self { url, _gateway: gateway, cast }
    }

    /// Makes the calls at the same time and returns what came of each.
    pub fn calls(&mut self, mut calls: Vec<Call>) -> Vec<Value> {
        for call in &mut calls {
            call.base.get_or_insert_with(|| self.url.clone());
        }
        let client = &mut self.cast.as_mut().unwrap().client;
        client.say(&serde_json::to_string(&calls).unwrap());
        serde_json::from_str(&client.line()).unwrap()
    }

    /// Makes one call.
    pub fn call(&mut self, call: Call) -> Value {
        self.calls(vec![call]).remove(0)
    }

    /// Where the gateway is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How the gateway's queues stand.
    pub async fn queues(&self) -> Value {
        serde_json::from_str(&get(&format!("{}/v1/vtc/queues", self.url)).await).unwrap()
    }

    /// Where one of the pods is.
    pub fn pod_url(&self) -> &str {
        &self.pods()[0].url
    }

    /// All accounts of the gateway.
    pub async fn accounts(&self) -> Accounts {
        serde_json::from_str(&get(&format!("{}/v1/vtc/users", self.url)).await).unwrap()
    }

    /// The weighted tokens of a user; none if the gateway does not know it.
    pub async fn tokens(&self, user: &str) -> f64 {
        let accounts = self.accounts().await.users;
        accounts.iter().find(|account| account.user == user).map_or(0.0, |account| account.tokens)
    }

    /// What the engines count.
    pub async fn engines(&self) -> Engines {
        let mut sum = Engines::default();
        for pod in self.pods() {
            let text = get(&format!("{}/metrics", pod.url)).await;
            let sample = |name: &str| {
                let value = text.lines().find_map(|line| line.strip_prefix("llamacpp:")?.strip_prefix(name));
                value.expect("the engine has that metric").trim().parse::<f64>().unwrap()
            };
            sum.running += sample("requests_processing ") + sample("requests_deferred ");
            sum.read += sample("prompt_tokens_total ") + sample("prompt_tokens_cached_total ");
            sum.written += sample("tokens_predicted_total ");
        }
        sum
    }

    /// Waits until no request runs, neither for the gateway nor for the engines. Returns what they count then.
    pub async fn idle(&self) -> Engines {
        let comes = async {
            loop {
                let (in_flight, engines) = (self.in_flight().await, self.engines().await);
                if in_flight == 0.0 && engines.running == 0.0 {
                    break engines;
                }
            }
        };
        let came = tokio::time::timeout(LIMIT, comes).await;
        came.expect("a request runs that nobody waits for")
    }

    async fn in_flight(&self) -> f64 {
        let answer: Value = serde_json::from_str(&get(&format!("{}/v1/vtc/pods", self.url)).await).unwrap();
        let pods = answer["pods"].as_array().unwrap();
        assert_eq!(pods.len(), PODS.len());
        pods.iter().map(|pod| pod["running"].as_f64().unwrap()).sum()
    }

    fn pods(&self) -> &[Pod] {
        &self.cast.as_ref().unwrap().pods
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Who knows what the client still has to say: the next test starts with a new one.
            *self.cast = None;
        }
    }
}

async fn get(url: &str) -> String {
    let mut response = awc::Client::new().get(url).timeout(LIMIT).force_close().send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{url}");
    String::from_utf8(response.body().await.unwrap().to_vec()).unwrap()
}

// === impl Cast ===

impl Cast {
    fn gather() -> Self {
        let client = script("client.py", &[]);
        // All start at the same time.
        let pods = PODS.map(|_| script("pod.py", &["0"]));
        let pods = pods.into_iter().map(|program| Pod { url: program.line(), _program: program }).collect();
        Self { pods, client }
    }
}

fn script(name: &'static str, arguments: &[&str]) -> Program {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real_pods").join(name);
    // -B: leaves no compiled files beside the sources.
    Program::start(name, Command::new(python()).arg("-B").arg(path).args(arguments))
}

fn python() -> PathBuf {
    let set_up = || Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target/real-pods/venv/bin/python");
    let path = std::env::var_os("VTC_PYTHON").map_or_else(set_up, PathBuf::from);
    assert!(
        path.exists(),
        "these tests need a Python that has a real engine, and {} is not there: run ./test.sh or \
         vtc-gateway/tests/real_pods/setup.sh once, or name another in VTC_PYTHON",
        path.display()
    );
    path
}

// === impl Program ===

impl Program {
    fn start(name: &'static str, command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (line, lines) = channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|it| line.send(it))
        });
        Self { name, child, input, lines }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// Its next line.
    fn line(&self) -> String {
        let line = self.lines.recv_timeout(LIMIT);
        line.unwrap_or_else(|error| panic!("{} said nothing: {error}", self.name))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
