//! The command line.

use std::path::{Path, PathBuf};

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
    #[command(after_help = ENVIRONMENT)]
    Serve(ServeArgs),
    /// Check the settings and say what `serve` would do with them. Exits with 0, or says what is wrong and exits with 1.
    #[command(after_help = ENVIRONMENT)]
    Check(ServeArgs),
    /// Try it without pods: the gateway, three simulated pods, and what to type.
    Demo(DemoArgs),
    /// Tell what became of a request, and why: asks a running gateway.
    Explain(ExplainArgs),
    /// Show who is served and who waits, in the terminal: asks a running gateway.
    Top(TopArgs),
    /// Tell what another queue, policy, weight or number of pods would do: asks a running gateway, which replays the requests
    /// of its last minutes.
    #[command(after_help = WHATIF_HELP)]
    Whatif(WhatIfArgs),
    /// Make a new API key: prints the key, which is nowhere else, and the line that lets the gateway recognise it.
    #[command(after_help = KEY_HELP)]
    Key,
}

/// Flags override the file; AIBrix's environment variables override the file's numbers.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// A TOML file with these and all other settings.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,
    /// A pod; may be given several times. It takes the place of one of the file with its name.
    #[arg(long = "pod", value_name = "NAME=http://HOST:PORT", value_parser = PodSetting::parse, help_heading = PODS)]
    pub pods: Vec<PodSetting>,
    /// The policy for requests without a `routing-strategy` header: vtc-basic, random, round-robin, least-request or
    /// power-of-two [default: $ROUTING_ALGORITHM, else vtc-basic].
    #[arg(long, value_name = "NAME", help_heading = PODS)]
    pub policy: Option<String>,
    /// Have requests wait for a pod with room, and let go whose turn it is: fcfs, vtc-fair, vtc-pred, vtc-max-fair, lcf or
    /// drr; none sends each to a pod at once [default: none].
    #[arg(long, value_name = "NAME", help_heading = QUEUE)]
    pub queue: Option<String>,
    /// With a queue: the most requests that run on a pod, as many as it has slots.
    #[arg(long, value_name = "N", help_heading = QUEUE)]
    pub pod_max_running: Option<usize>,
    /// How the log looks [default: text].
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// From which level on it logs: error, warn, info, debug or trace; RUST_LOG goes before it [default: info].
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
}

const PODS: &str = "Pods";
const QUEUE: &str = "Queue";

/// What stands below the help of `serve` and `check`.
const ENVIRONMENT: &str = "\
Settings: flags before environment before file before defaults. vtc-gateway/deploy/gateway.toml in the sources shows every setting of \
the file.

Environment:
  ROUTING_ALGORITHM                                   the policy, unless flag or file names one
  AIBRIX_ROUTER_VTC_TOKEN_TRACKER_WINDOW_SIZE         tracker.window_size
  AIBRIX_ROUTER_VTC_TOKEN_TRACKER_TIME_UNIT           tracker.time_unit
  AIBRIX_ROUTER_VTC_TOKEN_TRACKER_MIN_TOKENS          tracker.min_tokens
  AIBRIX_ROUTER_VTC_TOKEN_TRACKER_MAX_TOKENS          tracker.max_tokens
  AIBRIX_ROUTER_VTC_BASIC_INPUT_TOKEN_WEIGHT          tracker.weights.input
  AIBRIX_ROUTER_VTC_BASIC_OUTPUT_TOKEN_WEIGHT         tracker.weights.output
  AIBRIX_ROUTER_VTC_BASIC_MAX_POD_LOAD                scoring.max_pod_load
  AIBRIX_ROUTER_VTC_BASIC_FAIRNESS_WEIGHT             scoring.fairness_weight
  AIBRIX_ROUTER_VTC_BASIC_UTILIZATION_WEIGHT          scoring.utilization_weight
  RUST_LOG                                            what is logged [default: info]
  any that an api_key_env of the file names           a key for pods

Examples:
  vtc-gateway serve --pod a=http://10.0.0.1:8000 --pod b=http://10.0.0.2:8000
  vtc-gateway serve --pod a=http://10.0.0.1:8000 --queue vtc-fair --pod-max-running 32
  vtc-gateway check --config /etc/vtc-gateway/gateway.toml && systemctl reload vtc-gateway";

/// What stands below the help of `key`.
const KEY_HELP: &str = "\
The first line is for the client, as `authorization: Bearer KEY` or `x-api-key: KEY`. The second is for the gateway's file: \
under [[tenants]] it lets in that tenant, under [admin] it opens /v1/vtc/ and /metrics, in the keys_file it stands as \
NAME = \"HASH\". It tells nobody the key.";

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

/// Flags of the explanation.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The request's name, as its answer says it in the header `request-id`.
    #[arg(value_name = "ID")]
    pub id: String,
    /// Which gateway.
    #[command(flatten)]
    pub gateway: GatewayArgs,
}

/// Which gateway is asked.
#[derive(Args, Clone, Debug)]
pub struct GatewayArgs {
    /// The gateway.
    #[arg(long = "gateway", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Certificates, in PEM, that are trusted beside those of Mozilla's authorities: of an authority of your own, or the
    /// gateway's own, if that is no authority's.
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// The variable of the environment that holds the admin's key, if the gateway wants one.
    #[arg(long, value_name = "VAR")]
    pub admin_key_env: Option<String>,
}

/// Flags of the view in the terminal.
#[derive(Args, Clone, Debug)]
pub struct TopArgs {
    /// Which gateway.
    #[command(flatten)]
    pub gateway: GatewayArgs,
}

/// Flags of the question what a change would do.
#[derive(Args, Clone, Debug)]
pub struct WhatIfArgs {
    /// Another discipline of the queue: fcfs, vtc-fair, vtc-pred, vtc-max-fair, lcf or drr; none for no queue.
    #[arg(long, value_name = "NAME")]
    pub queue: Option<String>,
    /// Another policy that chooses pods: vtc-basic, random, round-robin, least-request or power-of-two.
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Another weight of an account; may be given several times.
    #[arg(long = "weight", value_name = "ACCOUNT=WEIGHT")]
    pub weights: Vec<String>,
    /// So many pods, or so many more or less.
    #[arg(long, value_name = "N|+N|-N", allow_hyphen_values = true)]
    pub pods: Option<String>,
    /// How many minutes to look back, up to 60 [default: 5].
    #[arg(long, value_name = "N")]
    pub minutes: Option<String>,
    /// The model whose requests are looked at [default: the one with the most].
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
    /// Which gateway.
    #[command(flatten)]
    pub gateway: GatewayArgs,
}

/// What stands below the help of `whatif`.
const WHATIF_HELP: &str = "\
The same requests come at the same moments; how long the pods take is reckoned from the times that were seen. The replay without \
the change stands beside what was measured: how far those two are apart is how far the third can be trusted.

Examples:
  vtc-gateway whatif --queue fcfs
  vtc-gateway whatif --weight alice=4 --minutes 10
  vtc-gateway whatif --pods +2";

// === impl ServeArgs ===

impl ServeArgs {
    /// The settings that file, environment and flags make together.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings::new(self.file()?, variable)?)
    }

    /// What file and flags say together.
    ///
    /// # Errors
    /// The file cannot be read, or not understood.
    pub fn file(&self) -> anyhow::Result<SettingsFile> {
        let mut file = match &self.config {
            Some(path) => {
                let read = || format!("cannot read {}", path.display());
                let text = std::fs::read_to_string(path).with_context(read)?;
                let mut file =
                    SettingsFile::parse(&text).with_context(|| format!("in {}", path.display()))?;
                file.starts_from(path.parent().unwrap_or(Path::new("")));
                file.identity.read_keys()?;
                file
            }
            None => SettingsFile::default(),
        };
        file.listen = self.listen.clone().or(file.listen);
        file.policy = self.policy.clone().or(file.policy);
        file.put_pods(self.pods.clone());
        file.log.format = self.log_format.unwrap_or(file.log.format);
        if let Some(level) = &self.log_level {
            file.log.level.clone_from(level);
        }
        if let Some(queue) = &self.queue {
            file.queue.discipline.clone_from(queue);
        }
        file.queue.pod_max_running = self.pod_max_running.or(file.queue.pod_max_running);
        Ok(file)
    }

    /// Every file that such settings are made of, but that of pods, which is read at each poll.
    pub(crate) fn files(&self, settings: &SettingsFile) -> Vec<PathBuf> {
        let keys = settings.identity.keys_file.clone();
        let tls = &settings.upstream.tls;
        let of_tls = [&tls.ca_file, &tls.cert_file, &tls.key_file].into_iter().flatten().cloned();
        self.config.iter().cloned().chain(keys).chain(of_tls).collect()
    }
}

/// A variable of the process's environment. One that is no text is passed on, to be refused by its name.
pub fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}
