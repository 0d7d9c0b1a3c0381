//! The gateway's binary.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use vtc_gateway::cli::{Cli, Command};
use vtc_gateway::identity::key::{self, KeyHash};
use vtc_gateway::outline::Outline;
use vtc_gateway::reload::{Reading, Reloader};
use vtc_gateway::settings::LogSetting;
use vtc_gateway::{demo, ending, explain, logging, server, top, whatif};

/// A request makes some hundred small things and forgets them, which costs less here than in glibc's allocator. (It is not to be
/// had for MSVC.)
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    actix_web::rt::System::new().block_on(async {
        match cli.command {
            Command::Serve(args) => {
                let reading = Reading::of(&args)?;
                logging::begin(&reading.settings.log);
                tracing::info!("vtc-gateway {} starts", env!("CARGO_PKG_VERSION"));
                Outline::new(&reading.settings, &reading.file)?.log();
                let delay = reading.settings.shutdown.delay;
                let serving = server::start(&reading.settings).await?;
                if args.config.is_some() {
                    let reloader = Reloader::new(args, reading, serving.gateway.clone());
                    actix_web::rt::spawn(reloader.context("cannot listen for SIGHUP")?.run());
                }
                println!("listening on {}", serving.url());
                ending::serve(serving, delay).await.context("the server failed")
            }
            Command::Check(args) => {
                print!("{}", Outline::of(&args)?);
                Ok(())
            }
            Command::Demo(args) => {
                logging::begin(&LogSetting::default());
                demo::run(&args).await
            }
            Command::Explain(args) => explain::terminal::run(&args).await,
            Command::Top(args) => top::run(&args).await,
            Command::Whatif(args) => whatif::terminal::run(&args).await,
            Command::Key => {
                let key = key::fresh().context("the system has no randomness to give")?;
                println!("{key}\nkey_sha256 = \"{}\"", KeyHash::of(key.as_bytes()));
                Ok(())
            }
        }
    })
}
