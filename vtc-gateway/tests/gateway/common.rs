//! What the tests share: a gateway, questions for it, pods behind it.

pub mod binary;
pub mod certificate;
pub mod gateway;
pub mod question;
pub mod scripted_pod;
pub mod tls_front;
pub mod wire;

use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use vtc_gateway::demo::engine::Profile;
use vtc_gateway::demo::latency::LatencyModel;
use vtc_gateway::demo::pod::SimulatedPod;

pub use self::gateway::Gateway;
pub use self::question::{ask_chat, ask_completion, ask_embeddings};
pub use self::scripted_pod::ScriptedPod;

/// The model that pods serve unless a test says otherwise.
pub const MODEL: &str = "m";

/// Waits for what must come. The limit only turns a hang into a failure.
pub async fn soon<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), event).await.expect("what must come never came")
}

/// A pod that answers at once, as vLLM would.
pub fn fast_pod(name: &str) -> SimulatedPod {
    let latency = LatencyModel::a10g().at_speed(1e6).unwrap();
    SimulatedPod::start(name, MODEL, Profile { latency, ..Profile::a10g() }).unwrap()
}

/// What this usage costs, by the default weights.
pub fn cost(usage: &Value) -> f64 {
    let count = |name: &str| usage[name].as_f64().unwrap_or_default();
    let cost = count("prompt_tokens") + 2.0 * count("completion_tokens");
    assert!(cost > 0.0, "no usage: {usage}");
    cost
}
