//! The demo: the gateway in front of three simulated pods, all in this process, and clients that load them.
//!
//! [`pod`] serves OpenAI's API over HTTP like vLLM does, but behind it an [`engine`] only counts
//! tokens and a [`latency`] model says how long the hardware would have taken. [`traffic`] is a
//! heavy user and a few light ones who share the pods through the gateway.

pub mod engine;
pub mod latency;
pub mod pod;
pub mod text;
pub mod traffic;

use std::time::Duration;

use anyhow::Context;

use self::engine::Profile;
use self::pod::SimulatedPod;
use self::traffic::Traffic;
use crate::cli::{DemoArgs, variable};
use crate::settings::{PodSetting, QueueSetting, Settings, SettingsFile};
use crate::{ending, server};

/// The model that the simulated pods serve.
const MODEL: &str = "simulated-7b";
/// Their names.
const PODS: [&str; 3] = ["pod-0", "pod-1", "pod-2"];

/// Runs the demo until the process is told to end.
///
/// # Errors
/// What kept it from starting, or from going on.
pub async fn run(args: &DemoArgs) -> anyhow::Result<()> {
    let start =
        |name| SimulatedPod::start(name, MODEL, Profile::a10g()).context("cannot start a simulated pod");
    let pods = PODS.into_iter().map(start).collect::<anyhow::Result<Vec<_>>>()?;
    let setting = |pod: &SimulatedPod| PodSetting::new(pod.name(), pod.url());
    let file = SettingsFile {
        listen: Some(args.listen.clone()),
        pods: pods.iter().map(setting).collect(),
        queue: QueueSetting {
            discipline: args.queue.clone(),
            max_running_per_user: Some(args.user_max_running),
            pod_max_tokens: Some(Profile::a10g().limits.kv_pool.into()),
            ..QueueSetting::default()
        },
        // Nobody waits for the end of a made-up story.
        grace: Some(Duration::from_secs(1)),
        ..SettingsFile::default()
    };
    let serving = server::start(&Settings::new(file, variable)?).await?;
    let base = format!("http://{}", serving.address);
    println!("{}", what_to_try(&base));

    if args.traffic {
        let traffic = Traffic::demo(MODEL, args.whale);
        tokio::select! {
            served = ending::serve(serving, Duration::ZERO) => served.context("the server failed")?,
            ended = traffic::run(&base, &traffic, args.seconds) => ended.context("cannot go on printing")?,
        }
    } else {
        ending::serve(serving, Duration::ZERO).await.context("the server failed")?;
    }
    drop(pods);
    Ok(())
}

fn what_to_try(base: &str) -> String {
    let ask = |user: &str, stream: bool| {
        format!(
            "curl -{flags} {base}/v1/chat/completions -H 'user: {user}' -H 'content-type: application/json' \
             -d '{{\"model\":\"{MODEL}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Tell me a story\"}}],\
             \"max_tokens\":32{stream}}}'",
            flags = if stream { "N" } else { "i" },
            stream = if stream { ",\"stream\":true" } else { "" },
        )
    };
    format!(
        "The gateway listens on {base}, with {} simulated pods behind it. Try:\n\n  {}\n\n  {}\n\n  \
         curl {base}/v1/vtc/users\n\nCtrl-C ends it.",
        PODS.len(),
        ask("alice", false),
        ask("bob", true),
    )
}
