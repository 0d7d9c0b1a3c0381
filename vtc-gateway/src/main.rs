//! The gateway's binary.

use std::io::IsTerminal;

use anyhow::Context;
use clap::Parser;
use tracing_subscriber::EnvFilter;
use vtc_gateway::cli::{Cli, Command};
use vtc_gateway::identity::key::{self, KeyHash};
use vtc_gateway::outline::Outline;
use vtc_gateway::reload::{Reading, Reloader};
use vtc_gateway::{demo, explain, server};

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    let stderr = std::io::stderr;
    // Colours are for eyes, not for files.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        .init();
    actix_web::rt::System::new().block_on(async {
        match cli.command {
            Command::Serve(args) => {
                let reading = Reading::of(&args)?;
                let serving = server::start(&reading.settings).await?;
                if args.config.is_some() {
                    let reloader = Reloader::new(args, reading, serving.gateway.clone());
                    actix_web::rt::spawn(reloader.context("cannot listen for SIGHUP")?.run());
                }
                println!("listening on http://{}", serving.address);
                serving.server.await.context("the server failed")
            }
            Command::Check(args) => {
                print!("{}", Outline::of(&args)?);
                Ok(())
            }
            Command::Demo(args) => demo::run(&args).await,
            Command::Explain(args) => explain::terminal::run(&args).await,
            Command::Key => {
                let key = key::fresh().context("the system has no randomness to give")?;
                println!("{key}\nkey_sha256 = \"{}\"", KeyHash::of(key.as_bytes()));
                Ok(())
            }
        }
    })
}
