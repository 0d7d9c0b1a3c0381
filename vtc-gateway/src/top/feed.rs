//! What the gateway tells: its live feed, and its last requests.

use std::time::Duration;

use actix_web::http::StatusCode;
use anyhow::{Context, bail};
use futures_util::StreamExt;
use tokio::sync::mpsc::Sender;

use super::frame::{Frame, Requests};
use super::model::Input;
use crate::ask;
use crate::cli::GatewayArgs;
use crate::sse::{Piece, SseSplitter, data};

/// How long to wait before the next try, when the connection is broken.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the gateway may take for the head of an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A feed that says nothing for so long is broken: it speaks once a second.
const SILENCE: Duration = Duration::from_secs(10);
/// How often the last requests are asked for, and how many of them.
const EVERY: Duration = Duration::from_secs(2);
const REQUESTS: &str = "/v1/vtc/requests?limit=50";

/// Follows the feed, and comes back when it breaks; runs until nobody listens.
pub(super) async fn follow(gateway: GatewayArgs, listener: Sender<Input>) {
    loop {
        // A feed that ends without an error has ended, too.
        let why = match watch(&gateway, &listener).await {
            Ok(()) => "the gateway ended the feed".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        if listener.send(Input::Lost(why)).await.is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks for the last requests again and again; runs until nobody listens.
pub(super) async fn follow_requests(gateway: GatewayArgs, listener: Sender<Input>) {
    loop {
        // That the gateway is away is told by the feed.
        if let Ok(value) = ask::json(&gateway, REQUESTS, PATIENCE).await
            && let Ok(Requests { requests }) = serde_json::from_value(value)
            && listener.send(Input::Requests(requests)).await.is_err()
        {
            return;
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Whether the gateway lets whoever has that key look; a gateway that is not there may still come.
///
/// # Errors
/// It says no.
pub(super) async fn may_look(gateway: &GatewayArgs) -> anyhow::Result<()> {
    let asked = tokio::time::timeout(PATIENCE, ask::request(gateway, REQUESTS)?.send()).await;
    match asked {
        Ok(Ok(reply)) if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&reply.status()) => {
            bail!(
                "{} wants the admin's key: name the variable that holds it with --admin-key-env",
                gateway.url
            )
        }
        _ => Ok(()),
    }
}

async fn watch(gateway: &GatewayArgs, listener: &Sender<Input>) -> anyhow::Result<()> {
    let asked = tokio::time::timeout(PATIENCE, ask::request(gateway, "/v1/vtc/live")?.send()).await;
    let reply = asked.context("the gateway does not answer")?;
    let mut reply = reply.map_err(|error| anyhow::anyhow!("cannot ask: {error}"))?;
    if !reply.status().is_success() {
        bail!("the gateway answers {}", reply.status().as_u16());
    }
    let mut splitter = SseSplitter::new();
    loop {
        let chunk = tokio::time::timeout(SILENCE, reply.next()).await.context("the feed fell silent")?;
        let Some(chunk) = chunk else { return Ok(()) };
        splitter.push(chunk.map_err(|error| anyhow::anyhow!("the feed broke: {error}"))?);
        while let Some(piece) = splitter.next_event() {
            let Piece::Event(event) = piece else { continue };
            let Some(data) = data(&event) else { continue };
            let frame: Frame =
                serde_json::from_slice(&data).context("the feed tells what is not understood")?;
            if listener.send(Input::Frame(Box::new(frame))).await.is_err() {
                return Ok(());
            }
        }
    }
}
