//! Asking a running gateway, for the commands that do.

use std::time::Duration;

use anyhow::{Context, bail};
use awc::{Client, ClientRequest, Connector};
use serde_json::Value;
use vtc_core::ConfigError;

use crate::cli::{GatewayArgs, variable};
use crate::settings::PodTlsSetting;

/// The longest answer that is read: all users of a record.
const LONGEST: usize = 64 << 20;

/// What the gateway says at that path, as JSON.
///
/// # Errors
/// It cannot be reached, or wants a key, or answers with an error: its message.
pub async fn json(gateway: &GatewayArgs, path: &str, patience: Duration) -> anyhow::Result<Value> {
    let reply = request(gateway, path)?.timeout(patience).send().await;
    let mut reply = reply.map_err(|error| anyhow::anyhow!("cannot ask {}: {error}", gateway.url))?;
    let body = reply.body().limit(LONGEST).await.context("the gateway's answer broke off")?;
    let value: Value = serde_json::from_slice(&body).context("the gateway's answer is no JSON")?;
    if !reply.status().is_success() {
        let message = value["error"]["message"].as_str().unwrap_or("no reason given");
        bail!("{}: {message}", reply.status().as_u16());
    }
    Ok(value)
}

/// A question for that path, with the admin's key if there is one.
///
/// # Errors
/// The variable that holds the key is not set, or the file of certificates cannot be read.
pub fn request(gateway: &GatewayArgs, path: &str) -> anyhow::Result<ClientRequest> {
    let trusted = PodTlsSetting { ca_file: gateway.cacert.clone(), ..PodTlsSetting::default() };
    let tls = trusted.read().map_err(|error| ConfigError { field: "--cacert".to_owned(), ..error })?;
    let client = Client::builder().connector(Connector::new().rustls_0_23(tls.config())).finish();
    let request = client.get(format!("{}{path}", gateway.url.trim_end_matches('/')));
    Ok(match &gateway.admin_key_env {
        None => request,
        Some(name) => {
            let key = variable(name).with_context(|| format!("the variable {name} is not set"))?;
            request.bearer_auth(key.trim())
        }
    })
}

/// Without characters that a terminal obeys: clients choose the names of their requests, and some their own.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
