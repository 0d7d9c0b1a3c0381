//! The process's log: lines on its standard error.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, LogSetting};

/// Begins to log. `RUST_LOG` goes before the configured level. To be called once in a process.
pub fn begin(setting: &LogSetting) {
    // The library would say of every start what the gateway says itself.
    let configured = || EnvFilter::new(format!("actix_server=warn,{}", setting.level));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| configured());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    match setting.format {
        // Colours are for eyes, not for files.
        LogFormat::Text => lines.with_ansi(stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}
