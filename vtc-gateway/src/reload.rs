//! Settings read again while the gateway runs: all of them come into force, or none.
//!
//! A file that is broken, or that changes what cannot change without a restart, is refused as a whole: what is in force is
//! always what one file said. Why it was refused is logged, counted, and shown at `/v1/vtc/config`.

mod fixed;
mod watch;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::web::Data;
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;

pub(crate) use self::fixed::Fixed;
use self::watch::{Contents, Watch};
use crate::cli::{ServeArgs, variable};
use crate::fleet::OrderError;
use crate::gateway::Gateway;
use crate::lock::Lock;
use crate::metrics;
use crate::settings::{ReloadSetting, Settings, SettingsError, SettingsFile};

/// Why settings that were read again do not come into force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// They change what cannot change while the gateway runs.
    #[error("{} cannot change without a restart: nothing of the file was taken", .0.join(", "))]
    NeedsRestart(Vec<&'static str>),
    /// The pods cannot be what they say.
    #[error("the pods")]
    Settings(#[from] SettingsError),
    /// The gateway is ending.
    #[error(transparent)]
    Pods(#[from] OrderError),
}

/// How often settings were read again, and what came of it.
#[derive(Debug)]
pub struct Reloads(Lock<Standing>);

/// What came of reading settings again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// When the settings in force came into force, in seconds since 1970.
    pub in_force_since: f64,
    /// How often settings came into force after the start.
    pub applied: u64,
    /// How often they were refused.
    pub failed: u64,
    /// Why they were refused the last time, if none came into force since.
    pub error: Option<String>,
}

/// Settings as they were read, and what they were made of.
#[derive(Debug)]
pub struct Reading {
    /// What came of it.
    pub settings: Settings,
    /// What made them, beside the environment.
    pub file: SettingsFile,
    files: Vec<PathBuf>,
    /// What was in these files just before: a change meanwhile is seen later.
    contents: Contents,
}

/// Reads the settings again at SIGHUP, and when their files change.
#[derive(Debug)]
pub struct Reloader {
    arguments: ServeArgs,
    gateway: Data<Gateway>,
    setting: ReloadSetting,
    /// The files that the settings in force were made of.
    files: Vec<PathBuf>,
    watch: Watch,
    hangups: Signal,
}

// === impl Reloads ===

impl Reloads {
    /// The settings of the start come into force now.
    pub(crate) fn new() -> Self {
        let standing = Standing { in_force_since: now(), applied: 0, failed: 0, error: None };
        metrics::in_force_since(standing.in_force_since);
        Self(Lock::new(standing))
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.0.with(|standing| standing.clone())
    }

    fn note(&self, error: Option<String>) {
        metrics::reloaded(error.is_none());
        self.0.with(|standing| {
            if error.is_some() {
                standing.failed += 1;
            } else {
                standing.applied += 1;
                standing.in_force_since = now();
                metrics::in_force_since(standing.in_force_since);
            }
            standing.error = error;
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "an operator compares it with clocks on walls")]
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

// === impl Reading ===

impl Reading {
    /// What these arguments say now.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn of(arguments: &ServeArgs) -> anyhow::Result<Self> {
        let files = arguments.files(&arguments.file()?);
        let contents = Contents::read(&files);
        let file = arguments.file()?;
        let settings = Settings::new(file.clone(), variable)?;
        Ok(Self { settings, file, files, contents })
    }
}

// === impl Reloader ===

impl Reloader {
    /// One for a gateway that was started with these arguments, which said this. From now on SIGHUP does not end the
    /// process. Needs a running actix system.
    ///
    /// # Errors
    /// The system gives no signals.
    pub fn new(arguments: ServeArgs, reading: Reading, gateway: Data<Gateway>) -> std::io::Result<Self> {
        let Reading { settings, files, contents, .. } = reading;
        let (setting, watch) = (settings.reload, Watch::of(contents));
        Ok(Self { arguments, gateway, setting, files, watch, hangups: signal(SignalKind::hangup())? })
    }

    /// Goes on with it until it is dropped.
    pub async fn run(mut self) {
        loop {
            let has_hung_up = tokio::select! {
                _ = self.hangups.recv() => true,
                () = tokio::time::sleep(self.setting.every) => false,
            };
            if has_hung_up {
                self.reload("SIGHUP").await;
            } else if self.setting.watch {
                let files = self.files.clone();
                // It fails only when the process ends.
                let Ok(contents) = spawn_blocking(move || Contents::read(&files)).await else { return };
                if self.watch.look(contents) {
                    self.reload("a file has changed").await;
                }
            }
        }
    }

    async fn reload(&mut self, why: &'static str) {
        let error = self.take().await.err().map(|error| format!("{error:#}"));
        match &error {
            None => tracing::info!(why, "the settings were read again and are in force"),
            Some(error) => {
                tracing::error!(
                    why,
                    error,
                    "the settings were read again and refused: those before stay in force"
                );
            }
        }
        self.gateway.reloads().note(error);
    }

    async fn take(&mut self) -> anyhow::Result<()> {
        let (arguments, files) = (self.arguments.clone(), self.files.clone());
        // Not by a thread that serves: a file may lie on a disk that is far away.
        let reading = spawn_blocking(move || (Contents::read(&files), Reading::of(&arguments)));
        let (contents, reading) = reading.await?;
        // Whatever comes of it: what is refused is not looked at twice.
        self.watch = Watch::of(contents);
        let Reading { settings, files, contents, .. } = reading?;
        self.gateway.reload(&settings).await?;
        (self.setting, self.files, self.watch) = (settings.reload, files, Watch::of(contents));
        Ok(())
    }
}
