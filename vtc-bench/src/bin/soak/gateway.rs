//! The gateway as a process.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::client::TOO_MUCH;
use crate::options::Options;
use crate::wire::Wire;

/// A gateway that serves until it is told to end.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    child: Child,
    _config: NamedTempFile,
}

// === impl Gateway ===

impl Gateway {
    /// Starts the binary that lies beside this one.
    pub async fn start(options: &Options, pods: &[SocketAddr]) -> anyhow::Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("vtc-gateway");
        ensure!(binary.exists(), "{} is not there: build it as this was built", binary.display());
        let mut config = NamedTempFile::with_suffix(".toml")?;
        writeln!(
            config,
            "listen = \"127.0.0.1:0\"\n[limits]\nbody_bytes = {TOO_MUCH}\n[tracker]\nwindow_size = 120\ntime_unit = \"minutes\""
        )?;
        if options.queue != "none" {
            writeln!(config, "[queue]\ndiscipline = {:?}\npod_max_running = 16", options.queue)?;
        }
        for (number, pod) in pods.iter().enumerate() {
            writeln!(config, "[[pods]]\nname = \"pod-{number}\"\nurl = \"http://{pod}\"")?;
        }
        let mut child = Command::new(&binary)
            .args(["serve", "--config"])
            .arg(config.path())
            .env("RUST_LOG", "off")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let output = child.stdout.take().context("it has no output")?;
        let line = BufReader::new(output).lines().next_line().await?.context("it ended at once")?;
        let address = line.strip_prefix("listening on http://").context("it does not listen")?.parse()?;
        Ok(Self { address, child, _config: config })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of its process.
    pub fn process(&self) -> anyhow::Result<u32> {
        self.child.id().context("the gateway has ended")
    }

    /// Each user's tokens.
    pub async fn charged(&self) -> anyhow::Result<BTreeMap<String, f64>> {
        let users = self.get("/v1/vtc/users?limit=100000").await?;
        let users = users["users"].as_array().context("no users")?;
        let user = |user: &Value| Some((user["user"].as_str()?.to_owned(), user["tokens"].as_f64()?));
        Ok(users.iter().filter_map(user).collect())
    }

    /// Waits until nothing is left: nothing in flight, nothing waiting.
    ///
    /// # Errors
    /// What is left after that time.
    pub async fn until_idle(&self, patience: Duration) -> anyhow::Result<()> {
        let ends = tokio::time::Instant::now() + patience;
        loop {
            let (pods, queues) = (self.get("/v1/vtc/pods").await?, self.get("/v1/vtc/queues").await?);
            let sum = |list: &Value, name: &str| -> u64 {
                list.as_array().into_iter().flatten().filter_map(|of| of[name].as_u64()).sum()
            };
            let running = sum(&pods["pods"], "running");
            let (waiting, held) = (sum(&queues["pools"], "waiting"), sum(&queues["pools"], "running"));
            if running + waiting + held == 0 {
                return Ok(());
            }
            ensure!(
                tokio::time::Instant::now() < ends,
                "left: {running} in flight, {waiting} waiting, {held} that the queue takes for running"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Tells it to end.
    pub async fn terminate(&self) -> anyhow::Result<()> {
        let process = self.process()?.to_string();
        ensure!(Command::new("kill").args(["-TERM", &process]).status().await?.success());
        Ok(())
    }

    /// Sees it end.
    pub async fn ended(mut self, patience: Duration) -> anyhow::Result<()> {
        let ended = tokio::time::timeout(patience, self.child.wait()).await;
        let status = ended.with_context(|| format!("it has not ended within {patience:?}"))??;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let mut wire = Wire::new(TcpStream::connect(self.address).await?);
        wire.send(format!("GET {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n")).await?;
        let head = wire.head().await?.context("no answer")?;
        ensure!(head.status() == 200, "{path}: {}", head.first_line());
        let body = wire.exactly(head.length()).await?;
        Ok(serde_json::from_slice(&body)?)
    }
}
