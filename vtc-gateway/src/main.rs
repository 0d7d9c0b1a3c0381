//! The gateway's binary.

use anyhow::Context;
use clap::Parser;
use vtc_gateway::cli::{Cli, Command};
use vtc_gateway::identity::key::{self, KeyHash};
use vtc_gateway::settings::LogSetting;
use vtc_gateway::{demo, ending, logging, server};

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    actix_web::rt::System::new().block_on(async {
        match cli.command {
            Command::Serve(args) => {
                let settings = args.settings()?;
                logging::begin(&settings.log);
                let serving = server::start(&settings).await?;
                println!("listening on {}", serving.url());
                ending::serve(serving, settings.shutdown.delay).await.context("the server failed")
            }
            Command::Demo(args) => {
                logging::begin(&LogSetting::default());
                demo::run(&args).await
            }
            Command::Key => {
                let key = key::fresh().context("the system has no randomness to give")?;
                println!("{key}\nkey_sha256 = \"{}\"", KeyHash::of(key.as_bytes()));
                Ok(())
            }
        }
    })
}
