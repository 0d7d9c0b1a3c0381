//! The command line.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::settings::{LogFormat, PodSetting, Settings, SettingsFile};

/// Shares pods of large language models fairly among many users: an OpenAI-compatible gateway.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Route requests to pods.
    Serve(ServeArgs),
    /// Try it without pods: the gateway, three simulated pods, and what to type.
    Demo(DemoArgs),
    /// Make a new API key: prints the key, which is nowhere else, and the line that lets the gateway recognise it.
    Key,
}

/// Flags override the file; AIBrix's environment variables override the file's numbers.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Where to listen [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// A pod, as NAME=http://HOST:PORT; may be given several times.
    #[arg(long = "pod", value_name = "NAME=URL", value_parser = PodSetting::parse)]
    pub pods: Vec<PodSetting>,
    /// The policy for requests without a `routing-strategy` header: vtc-basic, random, round-robin, least-request or
    /// power-of-two [default: $ROUTING_ALGORITHM, else vtc-basic].
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Have requests wait for a pod with room, and let go whose turn it is: fcfs, vtc-fair, vtc-pred, vtc-max-fair, lcf or
    /// drr; none sends each to a pod at once [default: none].
    #[arg(long, value_name = "NAME")]
    pub queue: Option<String>,
    /// With a queue: the most requests that run on a pod, as many as it has slots.
    #[arg(long, value_name = "N")]
    pub pod_max_running: Option<usize>,
    /// How the log looks [default: text].
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// From which level on it logs: error, warn, info, debug or trace; RUST_LOG goes before it [default: info].
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// A TOML file with these and all other settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Flags of the demo.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Where to listen.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Who goes next when the pods are full: fcfs, vtc-fair, vtc-pred, vtc-max-fair, lcf or drr; with none the pods decide.
    #[arg(long, value_name = "NAME", default_value = "vtc-fair")]
    pub queue: String,
    /// With a queue: the most requests of one user that run. The pods hold some 27 of the whale's, so that with 24
    /// whoever else comes finds room.
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub user_max_running: usize,
    /// Also send traffic: a whale and some light users, and a line a second of who gets what.
    #[arg(long)]
    pub traffic: bool,
    /// How many requests the whale has in flight at any time; 0 leaves the light users alone.
    #[arg(long, value_name = "N", default_value_t = 48, requires = "traffic")]
    pub whale: usize,
    /// End after so many seconds of traffic, and say what came of it.
    #[arg(long, value_name = "N", requires = "traffic")]
    pub seconds: Option<usize>,
}

// === impl ServeArgs ===

impl ServeArgs {
    /// The settings that file, environment and flags make together.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn settings(self) -> anyhow::Result<Settings> {
        let mut file = match &self.config {
            Some(path) => {
                let read = || format!("cannot read {}", path.display());
                let text = std::fs::read_to_string(path).with_context(read)?;
                let mut file =
                    SettingsFile::parse(&text).with_context(|| format!("in {}", path.display()))?;
                file.identity.read_keys(Some(path))?;
                file
            }
            None => SettingsFile::default(),
        };
        file.listen = self.listen.or(file.listen);
        file.policy = self.policy.or(file.policy);
        file.put_pods(self.pods);
        file.log.format = self.log_format.unwrap_or(file.log.format);
        file.log.level = self.log_level.unwrap_or(file.log.level);
        if let Some(queue) = self.queue {
            file.queue.discipline = queue;
        }
        file.queue.pod_max_running = self.pod_max_running.or(file.queue.pod_max_running);
        Ok(Settings::new(file, variable)?)
    }
}

/// A variable of the process's environment. One that is no text is passed on, to be refused by its name.
pub fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}
